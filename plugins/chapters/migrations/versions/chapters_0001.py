"""Chapters and their links to videos."""

import sqlalchemy as sa
from alembic import op

revision = "chapters_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chapter",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chapter"),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name="fk_chapter_course_id_course", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_chapter_course_id", "chapter", ["course_id"])
    op.create_table(
        "chapter_media",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chapter_id", sa.Integer(), nullable=False),
        sa.Column("media_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chapter_media"),
        sa.UniqueConstraint("chapter_id", "media_id", name="uq_chapter_media_chapter_id_media_id"),
        sa.ForeignKeyConstraint(
            ["chapter_id"],
            ["chapter.id"],
            name="fk_chapter_media_chapter_id_chapter",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["media_id"],
            ["media.id"],
            name="fk_chapter_media_media_id_media",
            ondelete="RESTRICT",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_chapter_media_media_id", "chapter_media", ["media_id"])


def downgrade() -> None:
    op.drop_table("chapter_media")
    op.drop_table("chapter")
