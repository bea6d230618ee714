"""What can be read about courses."""

from collections.abc import Iterable

from sqlalchemy import case, select

from core import Me, NotFound, Params, db, signed_in
from core.languages import later
from plugins.accounts.events import AccountChanged
from plugins.accounts.models import User
from plugins.accounts.public import staff_ids
from plugins.courses import plugin
from plugins.courses.events import CourseAdded, CourseChanged, CourseRemoved, MemberChanged
from plugins.courses.guards import course_access, course_own
from plugins.courses.models import Course, CourseMember
from plugins.courses.views import CourseRow, CourseView, MemberView


@plugin.query("list", guard=signed_in, stale_on=[MemberChanged, AccountChanged])
def courses_list(me: Me) -> list[CourseRow]:
    """The courses a user is a member of, and every course for staff; newest first."""
    mine = (CourseMember.course_id == Course.id) & (CourseMember.user_id == me.user_id)
    rows = db.session.execute(
        select(Course.id, Course.title, Course.status, CourseMember.role)
        .outerjoin(CourseMember, mine)
        .where(CourseMember.role.is_not(None) | me.staff)
        .order_by(Course.id.desc())
    )
    return [CourseRow(id=id_, title=t, status=s, role=role) for id_, t, s, role in rows]


@courses_list.stale_on(CourseAdded)
def lists_with_new(event: CourseAdded) -> Iterable[Params]:
    """Its owner's, and those of staff."""
    return _lists_of({event.user_id})


@courses_list.stale_on(CourseChanged)
def lists_with_changed(event: CourseChanged) -> Iterable[Params]:
    """Its members', and those of staff."""
    members = select(CourseMember.user_id).where(CourseMember.course_id == event.course_id)
    return _lists_of(db.session.scalars(members))


@courses_list.stale_on(CourseRemoved)
def lists_with_removed(event: CourseRemoved) -> Iterable[Params]:
    """Its former members', and those of staff."""
    return _lists_of(event.member_ids)


@plugin.query("detail", guard=course_access, stale_on=[CourseChanged, CourseRemoved])
def courses_detail(course_id: int) -> CourseView:
    """A course; plugins add parts."""
    course = db.session.get(Course, course_id)
    if course is None:
        raise NotFound(later("This course does not exist. It may have been removed meanwhile."))
    return CourseView.of(course)


@plugin.query("members", guard=course_own, stale_on=[MemberChanged, CourseRemoved])
def courses_members(course_id: int) -> list[MemberView]:
    """Who works on a course, owners first."""
    rank = case({"owner": 0, "editor": 1, "viewer": 2}, value=CourseMember.role)
    rows = db.session.execute(
        select(User, CourseMember.role)
        .join(CourseMember, CourseMember.user_id == User.id)
        .where(CourseMember.course_id == course_id)
        .order_by(rank, User.name, User.id)
    )
    return [MemberView.of(user, role) for user, role in rows]


@courses_members.stale_on(AccountChanged)
def courses_of(event: AccountChanged) -> Iterable[Params]:
    """The courses whose members show the name."""
    courses = select(CourseMember.course_id).where(CourseMember.user_id == event.user_id)
    return [(course_id,) for course_id in db.session.scalars(courses)]


def _lists_of(members: Iterable[int]) -> Iterable[Params]:
    return [(user_id,) for user_id in {*members, *staff_ids()}]
