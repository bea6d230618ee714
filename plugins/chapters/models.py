"""Chapters, and the links from them to videos.

Positions count from 0 without gaps. They are read and written only under the lock on the course
(`plugins.courses.public.lock_course`). On SQLite too (which has to be told) no id is given twice:
the button of an old screen must not reach a new row.
"""

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core import Model


class Chapter(Model):
    """A chapter; it never changes its course."""

    __tablename__ = "chapter"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    position: Mapped[int]


class ChapterMedia(Model):
    """A link: this video stands here in this chapter. A linked video cannot be removed."""

    __tablename__ = "chapter_media"
    __table_args__ = (
        UniqueConstraint("chapter_id", "media_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    chapter_id: Mapped[int] = mapped_column(ForeignKey("chapter.id", ondelete="CASCADE"))
    media_id: Mapped[int] = mapped_column(ForeignKey("media.id", ondelete="RESTRICT"), index=True)
    position: Mapped[int]
