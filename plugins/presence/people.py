"""Who is there: an entry for each tab, which ends by itself when the tab says nothing more.

::

    tab        here ──13 s── here ──13 s── here ── killed
    entry      ├────────────────────────────┴──── 35 s ────┤
    others                                                 └─ at most 5 s ─ gone

A tab that is still there writes nothing but its entry. Only what others see is an event.
"""

import json
from collections.abc import Iterable, Mapping

from core import Me, emit, transaction
from core.entries import Change, Owed
from plugins.presence import plugin
from plugins.presence.events import PeopleChanged

TTL_S = 35
"""Of an entry. Browsers say it again after 15 s at most, so that one of two may be lost."""


class Presence:
    """What one tab says of one user, as others see it; equal tabs have equal texts."""

    def __init__(
        self, user_id: int, name: str, chapter_id: int | None, staff: bool = False
    ) -> None:
        self.user_id, self.name, self.chapter_id = user_id, name, chapter_id
        self.staff = staff

    def encode(self) -> str:
        """Its text."""
        return json.dumps([self.user_id, self.name, self.chapter_id, self.staff])

    @classmethod
    def decode(cls, text: str) -> "Presence":
        """What `encode` wrote."""
        return cls(*json.loads(text))


def here(me: Me, course_id: int, tab: str, chapter_id: int | None) -> None:
    """*me* has the course open in *tab*, and works in that chapter, if in any."""
    said = Presence(me.user_id, me.name, chapter_id, me.staff).encode()
    _tell_if_seen(plugin.entries.put(str(course_id), _name(me, tab), said, TTL_S))


def gone(me: Me, course_id: int, tab: str) -> None:
    """That tab of *me* is closed."""
    _tell_if_seen(plugin.entries.take(str(course_id), _name(me, tab)))


def present(course_id: int) -> list[Presence]:
    """What all tabs say; nothing while Redis is away. Ask it before the database."""
    entries = plugin.entries.read(str(course_id)) or {}
    return [Presence.decode(text) for text in sorted(_seen(entries))]


@plugin.round
def tell_of_those_who_left() -> None:
    """Tell of those who said nothing any more, and of what nobody has told."""
    _tell(plugin.entries.overdue(), "round 'presence.tell_of_those_who_left'")


def _tell_if_seen(change: Change | None) -> None:
    if change is None or change.owed is None:
        return
    if _seen(change.before) == _seen(change.after):
        plugin.entries.told([change.owed])  # another tab of the same person
    else:
        _tell([change.owed], "somebody's coming or going")


def _tell(owed: list[Owed], by: str) -> None:
    """Tell of the groups, after Redis was asked and before it is asked again."""
    if not owed:
        return
    with transaction(at_first_use=True) as work:
        work.by = by
        _emit(int(each.group) for each in owed)
    plugin.entries.told(owed)


def _emit(course_ids: Iterable[int]) -> None:
    for course_id in course_ids:
        emit(PeopleChanged(course_id=course_id))


def _seen(entries: Mapping[str, str]) -> set[str]:
    return set(entries.values())


def _name(me: Me, tab: str) -> str:
    return f"{me.user_id}:{tab}"
