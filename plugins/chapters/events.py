"""What happens to chapters and to the videos linked to them."""

from core import Event
from plugins.chapters import plugin


@plugin.event
class ChapterAdded(Event):
    """A chapter was added to a course."""

    course_id: int
    chapter_id: int


@plugin.event
class ChapterRenamed(Event):
    """A chapter has another title."""

    course_id: int
    chapter_id: int


@plugin.event
class ChaptersReordered(Event):
    """The chapters of a course stand in another order."""

    course_id: int


@plugin.event
class ChapterRemoved(Event):
    """A chapter was removed; ``media_ids`` were linked to it."""

    course_id: int
    chapter_id: int
    media_ids: list[int]


@plugin.event
class MediaLinked(Event):
    """Videos were linked to a chapter."""

    course_id: int
    chapter_id: int
    media_ids: list[int]


@plugin.event
class MediaUnlinked(Event):
    """Videos were taken out of a chapter."""

    course_id: int
    chapter_id: int
    link_ids: list[int]
    media_ids: list[int]


@plugin.event
class MediaMoved(Event):
    """The order of a chapter's videos changed, or a video went from one chapter to another.

    The two chapters are the same when only the order changed.
    """

    course_id: int
    from_chapter_id: int
    to_chapter_id: int
    link_ids: list[int]
    media_ids: list[int]
