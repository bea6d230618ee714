"""The chapters of a course with their videos: read in three statements, however many there are.

A course of thousands of videos is read again after each change of one. So the view of a chapter is
remembered by the rows that it is made of: only those that differ are made anew.
"""

from collections import defaultdict
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import Row, select

from core import db
from plugins.chapters.models import Chapter, ChapterMedia
from plugins.chapters.views import ChapterView, LinkedVideo
from plugins.media.models import Media
from plugins.media.public import VIDEO_COLUMNS, captions_of

MOST_REMEMBERED = 1_024

_Videos: TypeAlias = tuple[tuple[Row[Any], tuple[Row[Any], ...]], ...]
"""The rows of a chapter's videos, in order, each with those of its captions."""


def chapters_of(course_id: int) -> list[ChapterView]:
    """The chapters, in order; their views are shared, and nobody changes one."""
    linked = (
        select(
            ChapterMedia.chapter_id,
            ChapterMedia.id.label("link_id"),
            ChapterMedia.position,
            *VIDEO_COLUMNS,
        )
        .join(Media, Media.id == ChapterMedia.media_id)
        .join(Chapter, Chapter.id == ChapterMedia.chapter_id)
        .where(Chapter.course_id == course_id)
    )
    captions = captions_of(linked.with_only_columns(Media.id))
    videos: dict[int, list[tuple[Row[Any], tuple[Row[Any], ...]]]] = defaultdict(list)
    for row in db.session.execute(linked.order_by(ChapterMedia.position)):
        videos[row.chapter_id].append((row, captions.get(row.id, ())))
    chapters = db.session.execute(
        select(Chapter.id, Chapter.course_id, Chapter.title, Chapter.position)
        .where(Chapter.course_id == course_id)
        .order_by(Chapter.position)
    )
    return [_view(chapter, tuple(videos[chapter.id])) for chapter in chapters]


@lru_cache(maxsize=MOST_REMEMBERED)
def _view(chapter: Row[Any], videos: _Videos) -> ChapterView:
    shown = [
        LinkedVideo.of_row(row, captions, link_id=row.link_id, position=row.position)
        for row, captions in videos
    ]
    duration_s = round(sum(video.duration_s or 0 for video in shown), 3)
    return ChapterView.of(chapter, duration_s=duration_s, videos=shown)
