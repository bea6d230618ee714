"""The library."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "media_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "media",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("title_folded", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("storage_key", sa.String(64), nullable=True),
        sa.Column("poster_key", sa.String(64), nullable=True),
        sa.Column("mime_type", sa.String(80), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("duration_s", sa.Double(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("use_count", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_media"),
        sa.UniqueConstraint("storage_key", name="uq_media_storage_key"),
        sa.UniqueConstraint("poster_key", name="uq_media_poster_key"),
        sa.ForeignKeyConstraint(
            ["created_by"],
            ["account_user.id"],
            name="fk_media_created_by_account_user",
            ondelete="SET NULL",
        ),
        sa.CheckConstraint("source IN ('upload', 'url')", name=op.f("ck_media_source")),
        sa.CheckConstraint("(source = 'url') = (url IS NOT NULL)", name=op.f("ck_media_url")),
        sa.CheckConstraint(
            "(source = 'upload') = (storage_key IS NOT NULL)", name=op.f("ck_media_storage_key")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_media_created_by", "media", ["created_by"])


def downgrade() -> None:
    op.drop_table("media")
