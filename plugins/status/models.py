"""What was measured lately, and what the freshness guards have found.

A screen must be a function of data, never of the clock or of a worker's memory. So what the workers
count becomes data here, a row at a time, and each row is an ordinary write.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core import Model, UtcDateTime, now


class Sample(Model):
    """What all workers had counted at ``taken_at``.

    Numbers are contiguous: two workers that measure at once both write the next one, and the
    second is refused.
    """

    __tablename__ = "status_sample"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    parked: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class FoundMistake(Model):
    """A finding of a freshness guard; ``digest`` is of its kind, so one mistake is one row.

    One that was put away stays, so that it is not written down again.
    """

    __tablename__ = "status_finding"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    found_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    plugin: Mapped[str] = mapped_column(String(100))
    text: Mapped[str] = mapped_column(Text)
    put_away_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_status_finding_put_away_at", "put_away_at"),
        {"sqlite_autoincrement": True},
    )
