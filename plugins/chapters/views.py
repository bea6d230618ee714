"""What chapters shows to others. Rows are identified by link, never by media: one video may stand
in many chapters."""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, Field
from sqlalchemy import Row

from plugins.chapters.models import Chapter
from plugins.media.views import VideoView

Standing: TypeAlias = Literal["any", "here", "elsewhere"]
"""Of the library's videos: all, those that stand here already, or those that do not."""

Position: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]


class LinkedVideo(VideoView):
    """A video in a chapter."""

    link_id: int
    position: int


class ChapterHead(BaseModel):
    """A chapter without its videos."""

    id: int
    course_id: int
    title: str
    position: int

    @classmethod
    def of(cls, chapter: Chapter | Row[Any], **more: Any) -> Self:
        """The view of *chapter*, or of a row with its columns; *more* fills the fields that a
        subclass adds.
        """
        return cls(
            id=chapter.id,
            course_id=chapter.course_id,
            title=chapter.title,
            position=chapter.position,
            **more,
        )


class ChapterView(ChapterHead):
    """A chapter with its videos, in order; ``duration_s`` sums what is known."""

    duration_s: float
    videos: list[LinkedVideo]


class ChoiceRow(VideoView):
    """A video of the library; ``linked`` says whether it stands here already."""

    linked: bool


class ChoicePage(BaseModel):
    """One page of the library, seen from where videos are chosen for."""

    course_id: int
    rows: list[ChoiceRow]
    total: int
    page: int
    pages: int


class PickerPage(ChoicePage):
    """The page that a chapter's picker shows."""

    chapter_id: int
    chapter_title: str


class LibraryPanel(ChoicePage):
    """The page that the panel beside a course shows."""


class ChapterUse(BaseModel):
    """Where a video is used; ``url`` leads there."""

    course_id: int
    course_title: str
    chapter_id: int
    chapter_title: str
    link_id: int
    url: str


class LinkOutcome(BaseModel):
    """What became of one of the videos that were to be linked.

    ``link_id`` and ``title`` are those of the link that exists now; ``not_found`` has neither.
    """

    media_file_id: int
    status: Literal["linked", "already_linked", "not_found"]
    link_id: int | None
    title: str | None


class TitleWas(BaseModel):
    """The title that an editor's form started from."""

    title: str


class LinkPlace(BaseModel):
    """Where a link stands, or stood."""

    link_id: int
    chapter_id: int
    position: Position


class LostLink(BaseModel):
    """A video that stood in a chapter, and where."""

    chapter_id: int
    media_id: int
    position: Position
