"""The rows of links, and what is told when they stand elsewhere; all under the course's lock."""

from collections.abc import Sequence

from sqlalchemy import insert, select

from core import db, emit
from plugins.chapters.events import MediaMoved
from plugins.chapters.models import Chapter, ChapterMedia


def insert_links(chapter_id: int, media_ids: Sequence[int], position: int) -> dict[int, int]:
    """Link videos from *position* on; returns the ids of the links, by media id."""
    if not media_ids:
        return {}
    rows = db.session.execute(
        insert(ChapterMedia).returning(ChapterMedia.media_id, ChapterMedia.id),
        [
            {"chapter_id": chapter_id, "media_id": media_id, "position": position + index}
            for index, media_id in enumerate(media_ids)
        ],
    )
    return {row.media_id: row.id for row in rows}


def emit_moved(source: Chapter, target: Chapter, link_ids: list[int]) -> None:
    """State that these links went from one chapter to the other, which may be the same."""
    media_ids = db.session.scalars(
        select(ChapterMedia.media_id)
        .where(ChapterMedia.id.in_(link_ids))
        .order_by(ChapterMedia.position)
    )
    emit(
        MediaMoved(
            course_id=source.course_id,
            from_chapter_id=source.id,
            to_chapter_id=target.id,
            link_ids=link_ids,
            media_ids=list(media_ids),
        )
    )
