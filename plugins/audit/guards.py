"""Who reads what was done to a course."""

from collections.abc import Iterable

from core import Access, Me
from plugins.accounts.events import AccountChanged
from plugins.accounts.public import staff_ids
from plugins.audit import plugin
from plugins.courses.events import CourseRemoved, MemberChanged
from plugins.courses.guards import course_own


@plugin.guard(stale_on=[MemberChanged, AccountChanged])
def log_access(me: Me, course_id: int) -> Access:
    """The owners of the course, and the site's staff; nobody changes it."""
    owns = course_own(me, {"course_id": course_id}) is Access.EDIT
    return Access.VIEW if owns else Access.NONE


@log_access.stale_on(CourseRemoved)
def former_owners(event: CourseRemoved) -> Iterable[int]:
    """Whoever could see the course."""
    return {*event.member_ids, *staff_ids()}
