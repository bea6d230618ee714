"""Who sees who is there."""

from core import Access, Me
from plugins.accounts.events import AccountChanged
from plugins.courses.events import CourseRemoved, MemberChanged
from plugins.courses.guards import course_access, former_members
from plugins.presence import plugin


@plugin.guard(stale_on=[MemberChanged, AccountChanged])
def team_access(me: Me, course_id: int) -> Access:
    """Those who edit the course; who learns from it sees nothing of its authors."""
    access = course_access(me, {"course_id": course_id})
    return access if access is Access.EDIT else Access.NONE


team_access.stale_on(CourseRemoved)(former_members)
