"""What the log shows."""

from datetime import datetime

from pydantic import BaseModel


class LogRow(BaseModel):
    """One thing that was done; ``name`` is ``None`` for a command, or an account that is gone."""

    id: int
    at: datetime
    user_id: int | None
    name: str | None
    course_id: int | None
    course_title: str | None
    action: str | None
    event: str
    ids: dict[str, int | list[int]]
    trace: str


class LogPage(BaseModel):
    """One page, the newest first; ``page`` is the last one when fewer are left."""

    rows: list[LogRow]
    total: int
    page: int
    pages: int
