"""What can be read about chapters, and what they add to courses and to the library."""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import select

from core import Event, NotFound, Params, db
from plugins.chapters import plugin
from plugins.chapters.events import (
    ChapterAdded,
    ChapterRemoved,
    ChapterRenamed,
    ChaptersReordered,
    MediaLinked,
    MediaMoved,
    MediaUnlinked,
)
from plugins.chapters.guards import picker_access
from plugins.chapters.models import Chapter, ChapterMedia
from plugins.chapters.views import ChapterUse, ChapterView, LinkedVideo, PickerPage, PickerRow
from plugins.courses.events import CourseChanged, CourseRemoved
from plugins.courses.guards import course_access
from plugins.courses.models import Course
from plugins.courses.queries import courses_detail
from plugins.media.events import MediaAdded, MediaRemoved, MediaRenamed
from plugins.media.models import Media
from plugins.media.public import search_media
from plugins.media.queries import media_usage
from plugins.media.views import Sort

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
    return _chapters_of(course_id)


@plugin.query("outline", guard=course_access, stale_on=IN_THE_COURSE)
def chapters_outline(course_id: int) -> list[ChapterView]:
    """The chapters of a course with their videos, for those who learn from them."""
    return _chapters_of(course_id)


@courses_detail.part(
    "chapters", plugin, stale_on=IN_THE_COURSE, template="chapters/course_totals.html"
)
def course_chapters(course_id: int) -> list[ChapterView]:
    """The chapters of a course with their videos."""
    return _chapters_of(course_id)


@chapters_list.stale_on(MediaRenamed)
@chapters_outline.stale_on(MediaRenamed)
@course_chapters.stale_on(MediaRenamed)
def courses_using(event: MediaRenamed) -> Iterable[Params]:
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
    chapter_id: int, search: str = "", page: int = 1, sort: Sort = "newest"
) -> PickerPage:
    """A page of the library, with what the chapter has already."""
    chapter = db.session.get(Chapter, chapter_id)
    if chapter is None:
        raise NotFound("This chapter does not exist. It may have been removed meanwhile.")
    found = search_media(search, page, sort)
    linked = set(
        db.session.scalars(
            select(ChapterMedia.media_id).where(
                ChapterMedia.chapter_id == chapter_id,
                ChapterMedia.media_id.in_([media.id for media in found.rows]),
            )
        )
    )
    return PickerPage(
        chapter_id=chapter.id,
        chapter_title=chapter.title,
        course_id=chapter.course_id,
        rows=[PickerRow.of(media, linked=media.id in linked) for media in found.rows],
        total=found.total,
        page=found.page,
        pages=found.pages,
    )


@chapters_picker.stale_on(MediaMoved)
def both_pickers(event: MediaMoved) -> Iterable[Params]:
    """One has the video now, the other no longer."""
    return [(event.from_chapter_id,), (event.to_chapter_id,)]


def every_picker(event: Event) -> Iterable[Params]:  # noqa: ARG001  all show the same library
    """All show the same library; and of a removed course nobody can say which were its own."""
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


def usages_of_several(event: MediaLinked | MediaMoved | ChapterRemoved) -> Iterable[Params]:
    """The videos that the event names."""
    return [(media_id,) for media_id in event.media_ids]


@media_chapters.stale_on(MediaUnlinked)
def usage_of_one(event: MediaUnlinked) -> Iterable[Params]:
    """The video that the event names."""
    return [(event.media_id,)]


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


chapters_picker.stale_on(MediaAdded)(every_picker)
chapters_picker.stale_on(MediaRenamed)(every_picker)
chapters_picker.stale_on(MediaRemoved)(every_picker)
chapters_picker.stale_on(CourseRemoved)(every_picker)
media_chapters.stale_on(MediaLinked)(usages_of_several)
media_chapters.stale_on(MediaMoved)(usages_of_several)
media_chapters.stale_on(ChapterRemoved)(usages_of_several)
media_chapters.stale_on(ChaptersReordered)(usages_in_course)
media_chapters.stale_on(CourseChanged)(usages_in_course)
media_chapters.stale_on(CourseRemoved)(every_usage)

chapters_list.fill("courses.edit", plugin)
chapters_outline.fill("courses.learn", plugin)


def _chapters_of(course_id: int) -> list[ChapterView]:
    """Two statements, however many chapters and videos there are."""
    videos: dict[int, list[LinkedVideo]] = defaultdict(list)
    for link, media in db.session.execute(
        select(ChapterMedia, Media)
        .join(Media, Media.id == ChapterMedia.media_id)
        .join(Chapter, Chapter.id == ChapterMedia.chapter_id)
        .where(Chapter.course_id == course_id)
        .order_by(ChapterMedia.position)
    ):
        video = LinkedVideo.of(media, link_id=link.id, position=link.position)
        videos[link.chapter_id].append(video)
    chapters = db.session.scalars(
        select(Chapter).where(Chapter.course_id == course_id).order_by(Chapter.position)
    )
    return [
        ChapterView.of(
            chapter,
            duration_s=round(sum(video.duration_s or 0 for video in videos[chapter.id]), 3),
            videos=videos[chapter.id],
        )
        for chapter in chapters
    ]
