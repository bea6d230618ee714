"""Locks: what is about to change, as it is now, with its course locked.

What was there when the action began may be gone once the lock is held, so it is read twice: to know
the course, and again under the lock.
"""

from sqlalchemy import select

from core import NotFound, db
from core.languages import gettext as _
from plugins.chapters.models import Chapter, ChapterMedia
from plugins.courses.public import lock_course


def lock_chapter(chapter_id: int, undone: str) -> Chapter:
    """The chapter, with its course locked.

    Raises `NotFound` when it is gone, saying so and what was therefore *undone*.
    """
    seen = db.session.get(Chapter, chapter_id)
    if seen is None:
        raise NotFound(
            _("This chapter was removed meanwhile by another editor. %(undone)s", undone=undone)
        )
    title = seen.title
    lock_course(seen.course_id)
    chapter = db.session.get(Chapter, chapter_id, populate_existing=True)
    if chapter is None:
        raise NotFound(
            _(
                "“%(title)s” was removed meanwhile by another editor. %(undone)s",
                title=title,
                undone=undone,
            )
        )
    return chapter


def lock_link(link_id: int, undone: str) -> tuple[ChapterMedia, Chapter]:
    """The link and the chapter it stands in now, with their course locked; raises as above."""
    gone = NotFound(
        _("This video was taken out of its chapter meanwhile. %(undone)s", undone=undone)
    )
    chapter_id = db.session.scalar(
        select(ChapterMedia.chapter_id).where(ChapterMedia.id == link_id)
    )
    if chapter_id is None:
        raise gone
    course_id = lock_chapter(chapter_id, undone).course_id
    found = db.session.execute(
        select(ChapterMedia, Chapter)
        .join(Chapter, Chapter.id == ChapterMedia.chapter_id)
        .where(ChapterMedia.id == link_id, Chapter.course_id == course_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise gone
    link, chapter = found
    return link, chapter
