"""Who may see and change a course."""

from collections.abc import Iterable

from sqlalchemy import exists, select

from core import Access, Me, db
from plugins.accounts.events import AccountChanged
from plugins.accounts.public import is_author, staff_ids
from plugins.courses import plugin
from plugins.courses.events import CourseRemoved, MemberChanged
from plugins.courses.models import Course, CourseMember, Role

AUTHOR_ROLES: tuple[Role, ...] = ("owner", "editor")
"""Who edits a course."""


@plugin.guard(stale_on=[MemberChanged, AccountChanged])
def course_access(me: Me, course_id: int) -> Access:
    """Owners, editors and staff edit; viewers view, drafts too."""
    return _access(me, course_id, edit=AUTHOR_ROLES, view=("viewer",))


@plugin.guard(stale_on=[MemberChanged, AccountChanged])
def course_own(me: Me, course_id: int) -> Access:
    """Owners and staff decide who is a member; editors see who is; viewers do not."""
    return _access(me, course_id, edit=("owner",), view=("editor",))


@plugin.guard(stale_on=[MemberChanged, AccountChanged])
def authoring(me: Me) -> Access:
    """Staff, authors, and whoever owns or edits a course, may add courses."""
    edits_a_course = exists().where(
        CourseMember.user_id == me.user_id, CourseMember.role.in_(AUTHOR_ROLES)
    )
    allowed = me.staff or is_author(me.user_id) or db.session.scalar(select(edits_a_course))
    return Access.EDIT if allowed else Access.NONE


@course_access.stale_on(CourseRemoved)
@course_own.stale_on(CourseRemoved)
@authoring.stale_on(CourseRemoved)
def former_members(event: CourseRemoved) -> Iterable[int]:
    """Whoever could see the course."""
    return {*event.member_ids, *staff_ids()}


def _access(me: Me, course_id: int, *, edit: Iterable[Role], view: Iterable[Role]) -> Access:
    found = db.session.execute(
        select(CourseMember.role)
        .select_from(Course)
        .outerjoin(
            CourseMember,
            (CourseMember.course_id == Course.id) & (CourseMember.user_id == me.user_id),
        )
        .where(Course.id == course_id)
    ).one_or_none()
    if found is None:
        return Access.NONE
    if me.staff or found.role in edit:
        return Access.EDIT
    return Access.VIEW if found.role in view else Access.NONE
