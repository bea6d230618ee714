"""What can be done to chapters; the actions on what stands in them are in `links`."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import delete, select

from core import Conflict, db, emit, say, undone_by
from core.languages import gettext as _
from plugins.chapters import (
    links,  # noqa: F401  registers its actions
    plugin,
)
from plugins.chapters.events import (
    ChapterAdded,
    ChapterRemoved,
    ChapterRenamed,
    ChaptersReordered,
    MediaLinked,
)
from plugins.chapters.guards import chapter_access
from plugins.chapters.locks import lock_chapter
from plugins.chapters.models import Chapter, ChapterMedia
from plugins.chapters.positions import (
    chapter_order,
    placed,
    placed_at,
    without,
    write_positions,
)
from plugins.chapters.rows import insert_links
from plugins.chapters.views import ChapterHead, Position, TitleWas
from plugins.courses.guards import course_access
from plugins.courses.public import lock_course
from plugins.courses.views import Title
from plugins.media.public import count_use, lock_media


@plugin.action(guard=course_access)
def add(course_id: int, title: Title) -> ChapterHead:
    """Add an empty chapter at the end of a course."""
    lock_course(course_id)
    chapter = Chapter(course_id=course_id, title=title, position=len(chapter_order(course_id)))
    db.session.add(chapter)
    db.session.flush()
    emit(ChapterAdded(course_id=course_id, chapter_id=chapter.id))
    say(_("“%(title)s” was added.", title=title))
    return ChapterHead.of(chapter)


@plugin.action(guard=chapter_access)
def rename(chapter_id: int, title: Title, was: TitleWas) -> ChapterHead:
    """Give a chapter another title, starting from what it *was*."""
    chapter = lock_chapter(chapter_id, _("Nothing was renamed."))
    if chapter.title not in (was.title, title):
        raise Conflict(
            _(
                "Somebody else renamed this chapter to “%(title)s” meanwhile. Nothing was saved. "
                "Keep your title or use theirs.",
                title=chapter.title,
            ),
            theirs={"title": chapter.title},
            mine={"title": title},
        )
    if chapter.title != title:
        was_title, chapter.title = chapter.title, title
        emit(ChapterRenamed(course_id=chapter.course_id, chapter_id=chapter_id))
        undone_by(rename, chapter_id=chapter_id, title=was_title, was=TitleWas(title=title))
    say(_("Renamed to “%(title)s”.", title=title))
    return ChapterHead.of(chapter)


@plugin.action(guard=chapter_access)
def move(chapter_id: int, after_chapter_id: int | None) -> list[int]:
    """Put a chapter right behind another one, or first; returns the ids in their new order."""
    chapter = lock_chapter(chapter_id, _("Nothing was moved."))
    before = chapter_order(chapter.course_id)
    try:
        after = placed(before, chapter_id, after_chapter_id)
    except ValueError:
        raise Conflict(
            _(
                "The chapter that “%(title)s” was to follow is not in this course any more. "
                "Nothing was moved. Look at the order as it is now, and try again.",
                title=chapter.title,
            )
        ) from None
    _write_order(chapter.course_id, before, after)
    if after != before:
        at = before.index(chapter_id)
        undone_by(move, chapter_id=chapter_id, after_chapter_id=before[at - 1] if at else None)
    say(_("“%(title)s” was moved.", title=chapter.title))
    return after


@plugin.action(guard=course_access)
def reorder(course_id: int, chapter_ids: Annotated[list[int], Field(min_length=1)]) -> list[int]:
    """Put all chapters of a course in this order; it must name each of them once."""
    course = lock_course(course_id)
    before = chapter_order(course_id)
    if sorted(chapter_ids) != sorted(before):
        raise Conflict(
            _(
                "The chapters of “%(title)s” are not the ones that were to be put in order: "
                "somebody added or removed one meanwhile. Nothing was moved. Look at the order "
                "as it is now, and try again.",
                title=course.title,
            ),
            chapter_ids=before,
        )
    _write_order(course_id, before, chapter_ids)
    say(_("The chapters are in their new order."))
    return chapter_ids


@plugin.action(guard=chapter_access)
def remove(chapter_id: int) -> None:
    """Remove a chapter and its links; the videos stay in the library."""
    chapter = lock_chapter(chapter_id, _("Nothing was removed."))
    course_id, title, position = chapter.course_id, chapter.title, chapter.position
    before = chapter_order(course_id)
    media_ids = list(
        db.session.scalars(
            select(ChapterMedia.media_id)
            .where(ChapterMedia.chapter_id == chapter_id)
            .order_by(ChapterMedia.position)
        )
    )
    db.session.execute(delete(Chapter).where(Chapter.id == chapter_id))
    write_positions(Chapter, before, without(before, chapter_id))
    count_use(dict.fromkeys(media_ids, -1))
    emit(ChapterRemoved(course_id=course_id, chapter_id=chapter_id, media_ids=media_ids))
    undone_by(restore, course_id=course_id, title=title, position=position, media_ids=media_ids)
    say(_("“%(title)s” was removed. Its videos are still in the library.", title=title))


@plugin.action(guard=course_access)
def restore(
    course_id: int,
    title: Title,
    position: Position,
    media_ids: Annotated[list[int], Field(max_length=10_000)],
) -> ChapterHead:
    """Add a chapter where one stood before it was removed, with its videos; all ids are new."""
    lock_course(course_id)
    before = chapter_order(course_id)
    chapter = Chapter(course_id=course_id, title=title, position=len(before))
    db.session.add(chapter)
    db.session.flush()
    now = [*before, chapter.id]
    write_positions(Chapter, now, placed_at(now, {chapter.id: position}))
    emit(ChapterAdded(course_id=course_id, chapter_id=chapter.id))
    in_library = lock_media(set(media_ids))
    known = [media_id for media_id in dict.fromkeys(media_ids) if media_id in in_library]
    if known:
        insert_links(chapter.id, known, 0)
        count_use(dict.fromkeys(known, 1))
        emit(MediaLinked(course_id=course_id, chapter_id=chapter.id, media_ids=known))
    db.session.refresh(chapter)
    undone_by(remove, chapter_id=chapter.id)
    say(_("“%(title)s” is back.", title=title))
    return ChapterHead.of(chapter)


def _write_order(course_id: int, before: list[int], after: list[int]) -> None:
    if after != before:
        write_positions(Chapter, before, after)
        emit(ChaptersReordered(course_id=course_id))
