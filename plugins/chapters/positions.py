"""Positions: dense, from 0, changed only under the lock on the course.

Every change is the same: read the order, make the new one as a plain list, write what differs in
one statement.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from sqlalchemy import case, select, update

from core import db
from plugins.chapters.models import Chapter, ChapterMedia

Placed: TypeAlias = type[Chapter] | type[ChapterMedia]


def chapter_order(course_id: int) -> list[int]:
    """The ids of a course's chapters, in order."""
    return list(
        db.session.scalars(
            select(Chapter.id).where(Chapter.course_id == course_id).order_by(Chapter.position)
        )
    )


def link_order(chapter_id: int) -> list[int]:
    """The ids of a chapter's links, in order."""
    return list(
        db.session.scalars(
            select(ChapterMedia.id)
            .where(ChapterMedia.chapter_id == chapter_id)
            .order_by(ChapterMedia.position)
        )
    )


def without(ids: Sequence[int], *gone: int) -> list[int]:
    """*ids* in their order, but for those *gone*."""
    lost = set(gone)
    return [id_ for id_ in ids if id_ not in lost]


def placed(ids: Sequence[int], moving: int, after: int | None) -> list[int]:
    """*ids* with *moving* right behind *after*; ``None`` puts it first.

    Raises `ValueError` when *after* is not among the others.
    """
    others = without(ids, moving)
    at = 0 if after is None else others.index(after) + 1
    return [*others[:at], moving, *others[at:]]


def placed_before(ids: Sequence[int], moving: Sequence[int], before: int | None) -> list[int]:
    """*ids* with *moving*, in that order, right in front of *before*; ``None`` puts them last.

    Raises `ValueError` when *before* is not among the others.
    """
    others = without(ids, *moving)
    at = len(others) if before is None else others.index(before)
    return [*others[:at], *moving, *others[at:]]


def placed_at(ids: Sequence[int], places: Mapping[int, int]) -> list[int]:
    """*ids* with each of *places* (positions by id) there, or last where the list is shorter."""
    order = [id_ for id_ in ids if id_ not in places]
    for id_, position in sorted(places.items(), key=lambda place: place[1]):
        order.insert(position, id_)
    return order


def write_positions(table: Placed, before: Sequence[int], after: Sequence[int]) -> None:
    """Give the rows *after* their index as position, knowing that those *before* have theirs."""
    known = {id_: position for position, id_ in enumerate(before)}
    new = {id_: position for position, id_ in enumerate(after) if known.get(id_) != position}
    if new:
        db.session.execute(
            update(table)
            .where(table.id.in_(new))
            .values(position=case(new, value=table.id))
            .execution_options(synchronize_session=False)
        )
