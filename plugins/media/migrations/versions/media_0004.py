"""Descriptions, captions, what became of a file's versions, and what a browser tells of a file."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "media_0004"
down_revision = "media_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "media", sa.Column("description", sa.Text(), nullable=False, server_default=sa.text("''"))
    )
    with op.batch_alter_table("media", table_kwargs={"sqlite_autoincrement": True}) as media:
        media.alter_column("description", server_default=None)
    op.add_column("media_upload", sa.Column("poster_key", sa.String(64), nullable=True))
    op.add_column("media_upload", sa.Column("duration_s", sa.Double(), nullable=True))
    op.add_column("media_upload", sa.Column("width", sa.Integer(), nullable=True))
    op.add_column("media_upload", sa.Column("height", sa.Integer(), nullable=True))
    op.create_table(
        "media_caption",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("media_id", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("cues", sa.Integer(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_media_caption"),
        sa.UniqueConstraint("media_id", "language", name="uq_media_caption_media_id_language"),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.id"], name="fk_media_caption_media_id_media", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "media_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("media_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("mime_type", sa.String(80), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_media_version"),
        sa.UniqueConstraint("media_id", "number", name="uq_media_version_media_id_number"),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.id"], name="fk_media_version_media_id_media", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["created_by"],
            ["account_user.id"],
            name="fk_media_version_created_by_account_user",
            ondelete="SET NULL",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_media_version_created_by", "media_version", ["created_by"])
    # Of the versions before, nothing was kept; when the present file came is known for a first one.
    op.execute(
        "INSERT INTO media_version (media_id, number, mime_type, size_bytes, duration_s, sha256,"
        " created_at, created_by) SELECT id, version, COALESCE(mime_type, ''),"
        " COALESCE(size_bytes, 0), duration_s, sha256, created_at, created_by FROM media"
        " WHERE storage_key IS NOT NULL AND version = 1"
    )


def downgrade() -> None:
    op.drop_table("media_version")
    op.drop_table("media_caption")
    for name in ("height", "width", "duration_s", "poster_key"):
        op.drop_column("media_upload", name)
    with op.batch_alter_table("media", table_kwargs={"sqlite_autoincrement": True}) as media:
        media.drop_column("description")
