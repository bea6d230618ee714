"""What happens to the log."""

from core import Event
from plugins.audit import plugin


@plugin.event
class Audited(Event):
    """Something was noted; ``course_ids`` are the courses that it concerns."""

    course_ids: list[int]
