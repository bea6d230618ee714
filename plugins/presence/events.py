"""What happens to those who are there."""

from core import Event
from plugins.presence import plugin


@plugin.event
class PeopleChanged(Event):
    """Somebody came to a course or left it, or works in another chapter."""

    course_id: int
