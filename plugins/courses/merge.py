"""Three-way merge: an edit keeps what others changed meanwhile in fields it did not touch."""

from core import Conflict
from core.languages import gettext as _
from core.languages import later
from plugins.courses.views import CourseFields

_FIELDS = {
    "title": later("title"),
    "description": later("description"),
    "status": later("status"),
}


def merged(was: CourseFields, theirs: CourseFields, mine: CourseFields) -> CourseFields:
    """The fields after *mine*, which started from *was*, meets *theirs*, which is stored.

    Raises `Conflict` with ``theirs`` and ``mine`` of just those fields that both changed, and
    differently: so answering for these cannot undo what others did to the rest.
    """
    old, stored, wanted = was.model_dump(), theirs.model_dump(), mine.model_dump()
    changed = {name for name in wanted if wanted[name] != old[name]}
    lost = sorted(name for name in changed if stored[name] not in (old[name], wanted[name]))
    if lost:
        raise Conflict(
            _(
                "Somebody else changed the %(fields)s of this course meanwhile. Nothing was saved. "
                "Keep your version or use theirs.",
                fields=_(" and the ").join(_(_FIELDS[name]) for name in lost),
            ),
            theirs={name: stored[name] for name in lost},
            mine={name: wanted[name] for name in lost},
        )
    return CourseFields(**stored | {name: wanted[name] for name in changed})
