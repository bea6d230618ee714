"""What happens to courses."""

from core import Event
from plugins.courses import plugin


@plugin.event
class CourseAdded(Event):
    """A course was added by the user who now owns it."""

    course_id: int
    user_id: int


@plugin.event
class CourseChanged(Event):
    """The title, description or status of a course changed."""

    course_id: int


@plugin.event
class CourseRemoved(Event):
    """A course was removed, with everything in it; ``member_ids`` were its members."""

    course_id: int
    member_ids: list[int]


@plugin.event
class MemberChanged(Event):
    """A user joined a course, left it, or has another role."""

    course_id: int
    user_id: int
