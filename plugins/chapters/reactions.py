"""What chapters does after a commit."""

from sqlalchemy import func, select

from core import db
from plugins.chapters import plugin
from plugins.chapters.models import ChapterMedia
from plugins.courses.events import CourseRemoved
from plugins.media.models import Media
from plugins.media.public import count_use, lock_media


@plugin.on(CourseRemoved)
def recount_uses(event: CourseRemoved) -> None:  # noqa: ARG001  its links are gone already
    """A course's links go with it by cascade, uncounted: make the counts true again.

    Whoever links or unlinks holds the videos' rows until the commit, so what is counted again
    under that lock is neither half done nor out of date.
    """
    if suspects := _miscounted():
        lock_media(suspects)
        count_use(_miscounted())


def _miscounted() -> dict[int, int]:
    """By how much the use count of a video is too low (or, below zero, too high)."""
    uses = (
        select(ChapterMedia.media_id, func.count().label("count"))
        .group_by(ChapterMedia.media_id)
        .subquery()
    )
    missing = (func.coalesce(uses.c.count, 0) - Media.use_count).label("missing")
    rows = db.session.execute(
        select(Media.id, missing).outerjoin(uses, uses.c.media_id == Media.id).where(missing != 0)
    )
    return {row.id: row.missing for row in rows}
