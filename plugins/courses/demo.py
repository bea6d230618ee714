"""A demonstration course, with a member of each role."""

from core import db, emit
from plugins.accounts.public import find_user
from plugins.courses import plugin
from plugins.courses.events import CourseAdded
from plugins.courses.models import Course, CourseMember, Role

DEMO_TITLE = "Photography basics"

_ROLES: tuple[Role, ...] = ("owner", "editor", "viewer")


@plugin.demo
def demo_course() -> None:
    """One course, whose owner is owner@example.test, and so on."""
    users = {role: find_user(f"{role}@example.test") for role in _ROLES}
    course = Course(
        title=DEMO_TITLE,
        description="Light, lens and composition, in short lessons to watch with a camera in hand.",
        status="published",
    )
    db.session.add(course)
    db.session.flush()
    members = {role: user.id for role, user in users.items() if user is not None}
    db.session.add_all(
        CourseMember(course_id=course.id, user_id=user_id, role=role)
        for role, user_id in members.items()
    )
    emit(CourseAdded(course_id=course.id, user_id=members["owner"]))
