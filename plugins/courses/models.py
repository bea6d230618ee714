"""Courses, and who works on them."""

from datetime import datetime
from typing import Literal, TypeAlias

from sqlalchemy import CheckConstraint, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core import Model, UtcDateTime, now

CourseStatus: TypeAlias = Literal["draft", "published"]
Role: TypeAlias = Literal["owner", "editor", "viewer"]


class Course(Model):
    """A course. Its row is also the lock under which anything ordered inside it changes."""

    __tablename__ = "course"
    __table_args__ = (
        CheckConstraint("status IN ('draft', 'published')", name="status"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[CourseStatus] = mapped_column(String(16), default="draft")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class CourseMember(Model):
    """The role of one user in one course."""

    __tablename__ = "course_member"
    __table_args__ = (CheckConstraint("role IN ('owner', 'editor', 'viewer')", name="role"),)

    course_id: Mapped[int] = mapped_column(
        ForeignKey("course.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("account_user.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[Role] = mapped_column(String(16))
