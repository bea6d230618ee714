"""The files of the library."""

import unicodedata
from datetime import datetime
from typing import Literal, TypeAlias

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, validates

from core import Model, UtcDateTime, now

MediaKind: TypeAlias = Literal["video"]
MediaSource: TypeAlias = Literal["upload", "url"]
MediaStatus: TypeAlias = Literal["ready"]


class Media(Model):
    """A video: an upload in our storage, or the address of one elsewhere.

    ``title_folded`` is what search and sort compare, since databases disagree about letter case
    beyond ASCII. ``use_count`` is kept by the plugins that link videos (`public.count_uses`); that
    a used video stays is guaranteed by their foreign keys, not by the count.
    """

    __tablename__ = "media"
    __table_args__ = (
        CheckConstraint("source IN ('upload', 'url')", name="source"),
        CheckConstraint("(source = 'url') = (url IS NOT NULL)", name="url"),
        CheckConstraint("(source = 'upload') = (storage_key IS NOT NULL)", name="storage_key"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    title_folded: Mapped[str] = mapped_column(Text)
    kind: Mapped[MediaKind] = mapped_column(String(16), default="video")
    source: Mapped[MediaSource] = mapped_column(String(16))
    status: Mapped[MediaStatus] = mapped_column(String(16), default="ready")
    url: Mapped[str | None] = mapped_column(Text)
    storage_key: Mapped[str | None] = mapped_column(String(64), unique=True)
    poster_key: Mapped[str | None] = mapped_column(String(64), unique=True)
    mime_type: Mapped[str | None] = mapped_column(String(80))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    duration_s: Mapped[float | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    use_count: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    created_by: Mapped[int | None] = mapped_column(
        ForeignKey("account_user.id", ondelete="SET NULL"), index=True
    )

    @validates("title")
    def _fold(self, _name: str, title: str) -> str:
        self.title_folded = folded(title)
        return title


def folded(text: str) -> str:
    """*text* without differences of letter case and of compatible spellings."""
    return unicodedata.normalize("NFKC", text).casefold()
