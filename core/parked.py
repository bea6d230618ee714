"""Parked rows: what the outbox has put aside after every attempt failed, and what can be done."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.database import db, now
from core.outbox import OutboxEvent, OutboxReaction
from core.telemetry.lines import scrub

T = TypeVar("T", OutboxEvent, OutboxReaction)
Kind = Literal["event", "reaction"]

MOST = 50


@dataclass(frozen=True)
class Parked:
    """A row that nobody tries any more; ``name`` is its event's, or that of its reaction.

    ``error`` is what the last attempt met, without what is known to be secret.
    """

    kind: Kind
    row_id: int
    name: str
    trace: str
    attempts: int
    created_at: datetime
    parked_at: datetime
    error: str


def parked_rows(session: Session) -> list[Parked]:
    """The rows put aside last, newest first, at most `MOST` of each kind."""
    found = [
        *map(_parked, session.scalars(_newest(OutboxEvent))),
        *map(_parked, session.scalars(_newest(OutboxReaction))),
    ]
    return sorted(found, key=lambda row: row.parked_at, reverse=True)


def try_again(kind: Kind, row_id: int) -> bool:
    """Let the sweeper take the row as if it were new; whether it was parked still.

    Call it inside a write transaction.
    """
    row = _find(kind, row_id)
    if row is None:
        return False
    row.parked_at, row.error, row.attempts, row.due_at = None, None, 0, now()
    return True


def discard(kind: Kind, row_id: int) -> bool:
    """Delete the row; whether it was parked still. Call it inside a write transaction."""
    row = _find(kind, row_id)
    if row is not None:
        db.session.delete(row)
    return row is not None


def _newest(table: type[T]) -> Select[T]:
    newest = (table.parked_at.desc(), table.id.desc())
    return select(table).where(table.parked_at.is_not(None)).order_by(*newest).limit(MOST)


def _find(kind: Kind, row_id: int) -> OutboxEvent | OutboxReaction | None:
    row: OutboxEvent | OutboxReaction | None
    if kind == "event":
        row = db.session.get(OutboxEvent, row_id, with_for_update=True)
    else:
        row = db.session.get(OutboxReaction, row_id, with_for_update=True)
    return row if row is not None and row.parked_at is not None else None


def _parked(row: OutboxEvent | OutboxReaction) -> Parked:
    assert row.parked_at is not None  # noqa: S101  asked for
    kind: Kind = "reaction" if isinstance(row, OutboxReaction) else "event"
    return Parked(
        kind,
        row.id,
        row.reaction if isinstance(row, OutboxReaction) else row.event,
        row.trace,
        row.attempts,
        row.created_at,
        row.parked_at,
        scrub(row.error or "")[:500],
    )
