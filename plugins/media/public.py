"""What other plugins may ask of the library, and must tell it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from core import db, emit
from plugins.media.events import MediaUseChanged
from plugins.media.models import Media, folded
from plugins.media.views import Sort

PAGE_SIZE = 24

_ORDERS: dict[Sort, tuple[ColumnElement[Any], ...]] = {
    "newest": (Media.id.desc(),),
    "oldest": (Media.id.asc(),),
    "title": (Media.title_folded.asc(), Media.id.asc()),
}


@dataclass(frozen=True)
class Shelf:
    """One page of what a search found; ``page`` is the one shown, the last if fewer are left."""

    rows: Sequence[Media]
    total: int
    page: int
    pages: int


def search_media(search: str, page: int, sort: Sort) -> Shelf:
    """The videos whose titles contain every word of *search*, in any order of the words."""
    matches = [
        Media.title_folded.contains(word, autoescape=True) for word in folded(search).split()
    ]
    total = db.session.scalar(select(func.count(Media.id)).where(*matches)) or 0
    pages = max(1, -(-total // PAGE_SIZE))
    page = min(max(1, page), pages)
    rows = db.session.scalars(
        select(Media)
        .where(*matches)
        .order_by(*_ORDERS[sort])
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    ).all()
    return Shelf(rows, total, page, pages)


def lock_media(media_ids: Collection[int]) -> dict[int, str]:
    """The titles of those of *media_ids* that exist, which now stay until the commit.

    Whoever also locks a course locks the course first. The order of the ids keeps two
    transactions that lock the same videos from waiting for each other.
    """
    rows = db.session.execute(
        select(Media.id, Media.title)
        .where(Media.id.in_(media_ids))
        .order_by(Media.id)
        .with_for_update(key_share=True)
    )
    return {row.id: row.title for row in rows}


def count_use(deltas: Mapping[int, int]) -> None:
    """Add to the use counts of videos, in the transaction that links or unlinks them."""
    changed: dict[int, list[int]] = defaultdict(list)
    for media_id, delta in deltas.items():
        if delta:
            changed[delta].append(media_id)
    if not changed:
        return
    lock_media(deltas.keys())
    for delta, media_ids in changed.items():
        db.session.execute(
            update(Media)
            .where(Media.id.in_(media_ids))
            .values(use_count=Media.use_count + delta)
            .execution_options(synchronize_session=False)
        )
    emit(MediaUseChanged(media_ids=sorted(id_ for ids in changed.values() for id_ in ids)))
