"""Courses and their members."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "courses_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "course",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_course"),
        sa.CheckConstraint("status IN ('draft', 'published')", name=op.f("ck_course_status")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "course_member",
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("course_id", "user_id", name="pk_course_member"),
        sa.ForeignKeyConstraint(
            ["course_id"],
            ["course.id"],
            name="fk_course_member_course_id_course",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account_user.id"],
            name="fk_course_member_user_id_account_user",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "role IN ('owner', 'editor', 'viewer')", name=op.f("ck_course_member_role")
        ),
    )
    op.create_index("ix_course_member_user_id", "course_member", ["user_id"])


def downgrade() -> None:
    op.drop_table("course_member")
    op.drop_table("course")
