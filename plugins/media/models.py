"""The files of the library."""

import unicodedata
from datetime import datetime
from typing import Literal, TypeAlias

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from core import Model, UtcDateTime, now
from plugins.accounts.models import User

MediaKind: TypeAlias = Literal["video", "audio"]
MediaSource: TypeAlias = Literal["upload", "url"]
MediaStatus: TypeAlias = Literal["uploading", "processing", "ready", "failed"]
UploadState: TypeAlias = Literal["receiving", "checking", "done", "failed"]


class Media(Model):
    """A video: an upload in our storage, or the address of one elsewhere.

    An upload has a row, and can be linked, before its file is there: it has no ``storage_key``
    until every byte arrived and was checked. ``problem`` says in a sentence why one failed.
    ``sha256`` is that of the stored bytes; ``fingerprint`` that of their first and last ones, which
    a browser can know before it sends anything (`sessions.fingerprint_of`).

    ``title_folded`` is what search and sort compare, since databases disagree about letter case
    beyond ASCII. ``use_count`` is kept by the plugins that link videos (`public.count_uses`); that
    a used video stays is guaranteed by their foreign keys, not by the count.

    ``version`` counts the files that it has had: its address changes with the file, so that players
    notice. One that was ``trashed_at`` some time can be restored for ``trash_days``.
    """

    __tablename__ = "media"
    __table_args__ = (
        CheckConstraint("source IN ('upload', 'url')", name="source"),
        CheckConstraint("(source = 'url') = (url IS NOT NULL)", name="url"),
        CheckConstraint("source = 'upload' OR storage_key IS NULL", name="storage_key"),
        CheckConstraint(
            "status <> 'ready' OR source = 'url' OR storage_key IS NOT NULL", name="ready"
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    title_folded: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="")
    kind: Mapped[MediaKind] = mapped_column(String(16), default="video")
    source: Mapped[MediaSource] = mapped_column(String(16))
    status: Mapped[MediaStatus] = mapped_column(String(16), default="ready")
    problem: Mapped[str | None] = mapped_column(Text)
    url: Mapped[str | None] = mapped_column(Text)
    storage_key: Mapped[str | None] = mapped_column(String(64), unique=True)
    poster_key: Mapped[str | None] = mapped_column(String(64), unique=True)
    mime_type: Mapped[str | None] = mapped_column(String(80))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    fingerprint: Mapped[str | None] = mapped_column(String(64), index=True)
    duration_s: Mapped[float | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    version: Mapped[int] = mapped_column(default=1)
    use_count: Mapped[int] = mapped_column(default=0)
    trashed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    created_by: Mapped[int | None] = mapped_column(
        ForeignKey("account_user.id", ondelete="SET NULL"), index=True
    )
    captions: Mapped[list["Caption"]] = relationship(
        order_by="Caption.language", passive_deletes="all"
    )
    versions: Mapped[list["MediaVersion"]] = relationship(
        order_by="MediaVersion.number.desc()", passive_deletes="all"
    )
    creator: Mapped[User | None] = relationship()

    @validates("title")
    def _fold(self, _name: str, title: str) -> str:
        self.title_folded = folded(title)
        return title


class Caption(Model):
    """The captions of a video in one language, as `webvtt` wrote them; at most one is the default.

    The content is read where it is served, and nowhere else.
    """

    __tablename__ = "media_caption"
    __table_args__ = (UniqueConstraint("media_id", "language"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    media_id: Mapped[int] = mapped_column(ForeignKey("media.id", ondelete="CASCADE"))
    language: Mapped[str] = mapped_column(String(35))
    content: Mapped[str] = mapped_column(Text, deferred=True)
    sha256: Mapped[str] = mapped_column(String(64))
    cues: Mapped[int]
    is_default: Mapped[bool] = mapped_column(default=False)


class MediaVersion(Model):
    """A file that a video has or had: when it came, by whom, and what it was."""

    __tablename__ = "media_version"
    __table_args__ = (UniqueConstraint("media_id", "number"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    media_id: Mapped[int] = mapped_column(ForeignKey("media.id", ondelete="CASCADE"))
    number: Mapped[int]
    mime_type: Mapped[str] = mapped_column(String(80))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    duration_s: Mapped[float | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    created_by: Mapped[int | None] = mapped_column(
        ForeignKey("account_user.id", ondelete="SET NULL"), index=True
    )
    creator: Mapped[User | None] = relationship(lazy="joined")


class MediaUpload(Model):
    """A file on its way, in parts; only its owner may send them. Its id is a secret of theirs.

    What has arrived is the storage's to say; ``received_bytes`` is what others were last told, at
    ``told_at``. A row that is ``done`` or ``failed`` stays for a while, for a browser that has
    missed the answer. ``replaces``: the media has a file already, which stays until this one is
    checked. Length, size and poster are what the browser has seen in the file.
    """

    __tablename__ = "media_upload"
    __table_args__ = (Index("ix_media_upload_user_id_state", "user_id", "state"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("account_user.id", ondelete="CASCADE"))
    media_id: Mapped[int] = mapped_column(ForeignKey("media.id", ondelete="CASCADE"), index=True)
    replaces: Mapped[bool]
    name: Mapped[str] = mapped_column(String(255))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    last_modified_ms: Mapped[int] = mapped_column(BigInteger)
    fingerprint: Mapped[str] = mapped_column(String(64))
    part_bytes: Mapped[int]
    handle: Mapped[str] = mapped_column(Text)
    received_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    poster_key: Mapped[str | None] = mapped_column(String(64))
    duration_s: Mapped[float | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    state: Mapped[UploadState] = mapped_column(String(16), default="receiving")
    problem: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    told_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)


def folded(text: str) -> str:
    """*text* without differences of letter case and of compatible spellings."""
    return unicodedata.normalize("NFKC", text).casefold()
