"""The bug that Coursewire exists for, as a plugin of a third party.

It shows how many videos a course has, and reads the chapters' tables for it; that a video may be
linked, it has forgotten.
"""

from pydantic import BaseModel
from sqlalchemy import func, select

from core import Plugin, db
from plugins.chapters.events import ChapterAdded, ChapterRemoved, MediaUnlinked
from plugins.chapters.models import Chapter, ChapterMedia
from plugins.courses.guards import course_access

plugin = Plugin("progress", __name__, requires=["courses", "chapters"])


class Progress(BaseModel):
    videos: int


@plugin.query(
    "summary", guard=course_access, stale_on=[ChapterAdded, ChapterRemoved, MediaUnlinked]
)
def progress_summary(course_id: int) -> Progress:
    count = (
        select(func.count())
        .select_from(ChapterMedia)
        .join(Chapter, Chapter.id == ChapterMedia.chapter_id)
        .where(Chapter.course_id == course_id)
    )
    return Progress(videos=db.session.scalar(count) or 0)


progress_summary.fill("courses.edit", plugin, order=-1)
