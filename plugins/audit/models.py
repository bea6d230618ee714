"""What was done, one row for each event of an action."""

from datetime import datetime

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from core import Model, UtcDateTime, now


class AuditEntry(Model):
    """One event: ids only, so that no text that somebody wrote outlives its removal here.

    Neither user nor course are foreign keys: what was done stays known when they are gone.
    ``action`` is ``None`` for a command of the operator's.
    """

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    user_id: Mapped[int | None] = mapped_column(index=True)
    course_id: Mapped[int | None]
    action: Mapped[str | None] = mapped_column(String(200))
    event: Mapped[str] = mapped_column(String(100))
    ids: Mapped[dict[str, int | list[int]]] = mapped_column(JSON)
    trace: Mapped[str] = mapped_column(String(32))

    __table_args__ = (
        Index("ix_audit_entry_course_id_id", "course_id", "id"),
        {"sqlite_autoincrement": True},
    )
