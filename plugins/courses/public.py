"""What other plugins may ask of courses."""

from collections.abc import Sequence

from flask import has_request_context
from sqlalchemy import select

from core import Access, Guard, NotFound, check_access, current_me, db
from core.current import current_runtime
from core.languages import gettext as _
from plugins.courses.guards import AUTHOR_ROLES, course_access
from plugins.courses.models import Course, CourseMember, Role


def author_ids(course_id: int) -> list[int]:
    """The ids of those who edit a course as its members; staff edits it besides."""
    return _members(course_id, AUTHOR_ROLES)


def viewer_ids(course_id: int) -> list[int]:
    """The ids of those who learn from a course, and may not edit it."""
    return _members(course_id, ("viewer",))


def _members(course_id: int, roles: Sequence[Role]) -> list[int]:
    found = select(CourseMember.user_id).where(
        CourseMember.course_id == course_id, CourseMember.role.in_(roles)
    )
    return list(db.session.scalars(found))


def lock_course(course_id: int, guard: Guard = course_access) -> Course:
    """The course as it is now; until the commit nobody else changes it, or the order inside it.

    Lock it before positions are read, and before anything else is locked. Raises `NotFound` when
    it was removed meanwhile. Who waits for the lock may lose the right to it, so *guard*, which is
    that of the action, is asked again::

        owner     locks the course ── removes the member ── commits
        member    let in ── waits for the lock ───────────────┴── has it, and is refused
    """
    course = db.session.scalar(
        select(Course)
        .where(Course.id == course_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if course is None:
        raise NotFound(_("This course was removed meanwhile by another editor. Nothing was saved."))
    if has_request_context():
        me = current_me()
        granted = current_runtime().registry.grant(guard, me, {"course_id": course_id})
        check_access(Access.EDIT, granted, me)
    return course
