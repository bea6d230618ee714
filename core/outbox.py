"""The outbox: what is committed and still owed.

No row's id is ever given twice, which SQLite has to be told::

    request    writes row 5 ── publishes ── deletes 5
    sweeper         claims 5 ── publishes ───────────────────────────── deletes 5
    another                                   writes a row: 5 again? lost
"""

from datetime import datetime

from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Model, UtcDateTime, now


class OutboxEvent(Model):
    """One event to publish; written in the action's own transaction, deleted once published.

    Until ``due_at`` it belongs to whoever wrote or claimed it; then any sweeper may take it.
    ``keys`` are the text forms that the handlers named before the commit. A row that cannot be
    published is parked (``parked_at``) after a reset was published in its place.
    """

    __tablename__ = "outbox_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    event: Mapped[str] = mapped_column(String(100))
    payload: Mapped[dict[str, object]] = mapped_column(JSON)
    keys: Mapped[list[str]] = mapped_column(JSON)
    trace: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    parked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("ix_outbox_event_owed", "parked_at", "due_at"),
        {"sqlite_autoincrement": True},
    )


class OutboxReaction(Model):
    """One reaction to run after the commit; deleted by the transaction in which it ran."""

    __tablename__ = "outbox_reaction"

    id: Mapped[int] = mapped_column(primary_key=True)
    reaction: Mapped[str] = mapped_column(String(200))
    event: Mapped[str] = mapped_column(String(100))
    payload: Mapped[dict[str, object]] = mapped_column(JSON)
    trace: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    attempts: Mapped[int] = mapped_column(default=0)
    parked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("ix_outbox_reaction_owed", "parked_at", "due_at"),
        {"sqlite_autoincrement": True},
    )


class ActionAnswer(Model):
    """The answer to an action sent with an ``Idempotency-Key``; the same key gets it again."""

    __tablename__ = "action_answer"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    idempotency_key: Mapped[str] = mapped_column(String(128))
    request_hash: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, object] | None] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

    __table_args__ = (Index("uq_action_answer_key", "user_id", "idempotency_key", unique=True),)
