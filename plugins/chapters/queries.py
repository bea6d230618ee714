"""What can be read about chapters, and what they add to courses and to the library."""

from collections.abc import Iterable

from sqlalchemy import select

from core import Event, NotFound, Params, db
from core.languages import later
from plugins.chapters import plugin
from plugins.chapters.choices import find_choices
from plugins.chapters.contents import chapters_of
from plugins.chapters.events import (
    ChapterAdded,
    ChapterRemoved,
    ChapterRenamed,
    ChaptersReordered,
    MediaLinked,
    MediaMoved,
    MediaUnlinked,
)
from plugins.chapters.guards import panel_access, picker_access
from plugins.chapters.models import Chapter, ChapterMedia
from plugins.chapters.views import (
    ChapterUse,
    ChapterView,
    LibraryPanel,
    PickerPage,
    Standing,
)
from plugins.courses.events import CourseChanged, CourseRemoved
from plugins.courses.guards import course_access
from plugins.courses.models import Course
from plugins.courses.queries import courses_detail
from plugins.media.events import (
    MediaAdded,
    MediaChanged,
    MediaRemoved,
    MediaRenamed,
    MediaRestored,
    MediaTrashed,
)
from plugins.media.public import (
    Search,
)
from plugins.media.queries import media_usage
from plugins.media.views import Kind, Sort

IN_THE_COURSE = (
    ChapterAdded,
    ChapterRenamed,
    ChaptersReordered,
    ChapterRemoved,
    MediaLinked,
    MediaUnlinked,
    MediaMoved,
    CourseRemoved,
)
"""What changes the chapters of a course; each has its ``course_id``."""


@plugin.query("list", guard=course_access, stale_on=IN_THE_COURSE)
def chapters_list(course_id: int) -> list[ChapterView]:
    """The chapters of a course with their videos, for those who edit them."""
    return chapters_of(course_id)


@plugin.query("outline", guard=course_access, stale_on=IN_THE_COURSE)
def chapters_outline(course_id: int) -> list[ChapterView]:
    """The chapters of a course with their videos, for those who learn from them."""
    return chapters_of(course_id)


@courses_detail.part(
    "chapters", plugin, stale_on=IN_THE_COURSE, template="chapters/course_totals.html"
)
def course_chapters(course_id: int) -> list[ChapterView]:
    """The chapters of a course with their videos."""
    return chapters_of(course_id)


def courses_using(event: MediaRenamed | MediaChanged) -> Iterable[Params]:
    """The courses in which the video stands."""
    courses = (
        select(Chapter.course_id)
        .join(ChapterMedia, ChapterMedia.chapter_id == Chapter.id)
        .where(ChapterMedia.media_id == event.media_id)
        .distinct()
    )
    return [(course_id,) for course_id in db.session.scalars(courses)]


@plugin.query(
    "picker",
    guard=picker_access,
    stale_on=[ChapterRenamed, ChapterRemoved, MediaLinked, MediaUnlinked],
)
def chapters_picker(
    chapter_id: int,
    search: Search = "",
    page: int = 1,
    sort: Sort = "newest",
    use: Standing = "any",
    kind: Kind = "any",
) -> PickerPage:
    """A page of the library, with what the chapter has already."""
    chapter = db.session.get(Chapter, chapter_id)
    if chapter is None:
        raise NotFound(later("This chapter does not exist. It may have been removed meanwhile."))
    here = select(ChapterMedia.media_id).where(ChapterMedia.chapter_id == chapter_id)
    found = find_choices(here, search, page, sort, use, kind)
    return PickerPage(
        chapter_id=chapter.id,
        chapter_title=chapter.title,
        course_id=chapter.course_id,
        **found,
    )


@plugin.query(
    "library",
    guard=panel_access,
    stale_on=[MediaLinked, MediaUnlinked, ChapterRemoved, CourseRemoved],
)
def chapters_library(
    course_id: int,
    search: Search = "",
    page: int = 1,
    sort: Sort = "newest",
    use: Standing = "any",
    kind: Kind = "any",
) -> LibraryPanel:
    """A page of the library, with what the course has already."""
    here = (
        select(ChapterMedia.media_id)
        .join(Chapter, Chapter.id == ChapterMedia.chapter_id)
        .where(Chapter.course_id == course_id)
    )
    return LibraryPanel(course_id=course_id, **find_choices(here, search, page, sort, use, kind))


@chapters_picker.stale_on(MediaMoved)
def both_pickers(event: MediaMoved) -> Iterable[Params]:
    """One has the video now, the other no longer."""
    return [(event.from_chapter_id,), (event.to_chapter_id,)]


def every_one(event: Event) -> Iterable[Params]:  # noqa: ARG001  all show the same library
    """All show the same library; and of a removed course nobody can say which pickers were its."""
    return [()]


@media_usage.part("chapters", plugin, template="chapters/usage.html")
def media_chapters(media_id: int) -> list[ChapterUse]:
    """Every place where a video stands."""
    rows = db.session.execute(
        select(Course.id, Course.title, Chapter.id, Chapter.title, ChapterMedia.id)
        .join(Chapter, Chapter.course_id == Course.id)
        .join(ChapterMedia, ChapterMedia.chapter_id == Chapter.id)
        .where(ChapterMedia.media_id == media_id)
        .order_by(Course.title, Course.id, Chapter.position)
    )
    return [
        ChapterUse(
            course_id=course_id,
            course_title=course_title,
            chapter_id=chapter_id,
            chapter_title=chapter_title,
            link_id=link_id,
            url=f"/courses/{course_id}/edit#chapter-{chapter_id}",
        )
        for course_id, course_title, chapter_id, chapter_title, link_id in rows
    ]


def usages_of_several(
    event: MediaLinked | MediaUnlinked | MediaMoved | ChapterRemoved,
) -> Iterable[Params]:
    """The videos that the event names."""
    return [(media_id,) for media_id in event.media_ids]


@media_chapters.stale_on(ChapterRenamed)
def usages_in_chapter(event: ChapterRenamed) -> Iterable[Params]:
    """The chapter's videos, whose usage shows its title."""
    links = select(ChapterMedia.media_id).where(ChapterMedia.chapter_id == event.chapter_id)
    return [(media_id,) for media_id in db.session.scalars(links)]


def usages_in_course(event: ChaptersReordered | CourseChanged) -> Iterable[Params]:
    """The course's videos, whose usage shows its title and the order of its chapters."""
    links = (
        select(ChapterMedia.media_id)
        .join(Chapter, Chapter.id == ChapterMedia.chapter_id)
        .where(Chapter.course_id == event.course_id)
        .distinct()
    )
    return [(media_id,) for media_id in db.session.scalars(links)]


def every_usage(event: CourseRemoved) -> Iterable[Params]:  # noqa: ARG001  its links are gone
    """The links are gone, so nobody can say which."""
    return [()]


for chapters_read in (chapters_list, chapters_outline, course_chapters):
    chapters_read.stale_on(MediaRenamed)(courses_using)
    chapters_read.stale_on(MediaChanged)(courses_using)
for library_changed in (
    MediaAdded,
    MediaRenamed,
    MediaChanged,
    MediaTrashed,
    MediaRestored,
    MediaRemoved,
):
    chapters_picker.stale_on(library_changed)(every_one)
    chapters_library.stale_on(library_changed)(every_one)
chapters_picker.stale_on(CourseRemoved)(every_one)
media_chapters.stale_on(MediaLinked)(usages_of_several)
media_chapters.stale_on(MediaUnlinked)(usages_of_several)
media_chapters.stale_on(MediaMoved)(usages_of_several)
media_chapters.stale_on(ChapterRemoved)(usages_of_several)
media_chapters.stale_on(ChaptersReordered)(usages_in_course)
media_chapters.stale_on(CourseChanged)(usages_in_course)
media_chapters.stale_on(CourseRemoved)(every_usage)

chapters_list.fill("courses.edit", plugin)
chapters_outline.fill("courses.learn", plugin)
chapters_library.fill("courses.edit-side", plugin, frame="chapters/library_panel.html")
