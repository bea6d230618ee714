"""What other plugins may ask of the library, and must tell it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, StringConstraints
from sqlalchemy import ColumnElement, Row, Select, func, select, update
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm.attributes import set_committed_value

from core import db, emit
from plugins.media.events import MediaUseChanged
from plugins.media.models import Caption, Media, folded
from plugins.media.views import Sort

PAGE_SIZE = 24
_MOST_WORDS = 20

_ORDERS: dict[Sort, tuple[ColumnElement[Any], ...]] = {
    "newest": (Media.id.desc(),),
    "oldest": (Media.id.asc(),),
    "title": (Media.title_folded.asc(), Media.id.asc()),
    "longest": (func.coalesce(Media.duration_s, 0).desc(), Media.id.desc()),
    "largest": (func.coalesce(Media.size_bytes, 0).desc(), Media.id.desc()),
}


IN_LIBRARY: ColumnElement[bool] = Media.trashed_at.is_(None)


@dataclass(frozen=True)
class Shelf:
    """One page of what a search found; ``page`` is the one shown, the last if fewer are left."""

    rows: Sequence[Media]
    total: int
    page: int
    pages: int


def _few_words(search: str) -> str:
    if len(search.split()) > _MOST_WORDS:
        raise ValueError(f"{_MOST_WORDS} words are the most")
    return search


Search: TypeAlias = Annotated[str, StringConstraints(max_length=200), AfterValidator(_few_words)]
"""What may be searched for: each word costs a look at every title."""


def search_media(
    search: str, page: int, sort: Sort, *, among: Sequence[ColumnElement[bool]] = (IN_LIBRARY,)
) -> Shelf:
    """The videos whose titles contain every word of *search*, in any order of the words.

    Those in the trash are not *among* them, unless that says so.
    """
    matches = [
        *among,
        *(Media.title_folded.contains(word, autoescape=True) for word in folded(search).split()),
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
    load_captions(rows)
    return Shelf(rows, total, page, pages)


VIDEO_COLUMNS: tuple[InstrumentedAttribute[Any], ...] = (
    Media.id,
    Media.title,
    Media.kind,
    Media.source,
    Media.status,
    Media.problem,
    Media.url,
    Media.poster_key,
    Media.mime_type,
    Media.size_bytes,
    Media.duration_s,
    Media.version,
)
"""What `VideoView.of_row` needs: a course of thousands of videos is read without objects."""


def captions_of(media_ids: Select[int]) -> dict[int, tuple[Row[Any], ...]]:
    """The captions of the videos that *media_ids* selects, in one statement: rows, by video."""
    rows: Sequence[Any] = db.session.execute(
        select(Caption.media_id, Caption.language, Caption.sha256, Caption.cues, Caption.is_default)
        .where(Caption.media_id.in_(media_ids))
        .order_by(Caption.media_id, Caption.language)
    ).all()
    return {id_: tuple(own) for id_, own in groupby(rows, lambda row: row.media_id)}


def load_captions(rows: Collection[Media]) -> None:
    """Load the captions of all *rows*, a page of them, in one statement, for their views."""
    found: dict[int, list[Caption]] = defaultdict(list)
    for caption in db.session.scalars(
        select(Caption)
        .where(Caption.media_id.in_({media.id for media in rows}))
        .order_by(Caption.language)
    ):
        found[caption.media_id].append(caption)
    for media in rows:
        set_committed_value(media, "captions", found[media.id])


def lock_media(media_ids: Collection[int]) -> dict[int, str]:
    """The titles of those of *media_ids* that are in the library, and now stay until the commit.

    Whoever also locks a course locks the course first. The order of the ids keeps two
    transactions that lock the same videos from waiting for each other.
    """
    rows = db.session.execute(
        select(Media.id, Media.title)
        .where(Media.id.in_(media_ids), IN_LIBRARY)
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
