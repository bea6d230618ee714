"""Uploads in parts: their sessions, the state of a file, and its hash."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "media_0002"
down_revision = "media_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("media", table_kwargs={"sqlite_autoincrement": True}) as media:
        media.add_column(sa.Column("problem", sa.Text(), nullable=True))
        media.add_column(sa.Column("sha256", sa.String(64), nullable=True))
        media.add_column(sa.Column("fingerprint", sa.String(64), nullable=True))
        media.drop_constraint(op.f("ck_media_storage_key"), type_="check")
        media.create_check_constraint(
            op.f("ck_media_storage_key"), "source = 'upload' OR storage_key IS NULL"
        )
        media.create_check_constraint(
            op.f("ck_media_ready"),
            "status <> 'ready' OR source = 'url' OR storage_key IS NOT NULL",
        )
    op.create_index("ix_media_sha256", "media", ["sha256"])
    op.create_index("ix_media_fingerprint", "media", ["fingerprint"])
    op.create_table(
        "media_upload",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("media_id", sa.Integer(), nullable=False),
        sa.Column("replaces", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("last_modified_ms", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("part_bytes", sa.Integer(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("received_bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("told_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_media_upload"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account_user.id"],
            name="fk_media_upload_user_id_account_user",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["media_id"], ["media.id"], name="fk_media_upload_media_id_media", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_media_upload_user_id_state", "media_upload", ["user_id", "state"])
    op.create_index("ix_media_upload_media_id", "media_upload", ["media_id"])
    op.create_index("ix_media_upload_told_at", "media_upload", ["told_at"])


def downgrade() -> None:
    op.drop_table("media_upload")
    op.execute("DELETE FROM media WHERE source = 'upload' AND storage_key IS NULL")
    op.drop_index("ix_media_fingerprint", "media")
    op.drop_index("ix_media_sha256", "media")
    with op.batch_alter_table("media", table_kwargs={"sqlite_autoincrement": True}) as media:
        media.drop_constraint(op.f("ck_media_ready"), type_="check")
        media.drop_constraint(op.f("ck_media_storage_key"), type_="check")
        media.create_check_constraint(
            op.f("ck_media_storage_key"), "(source = 'upload') = (storage_key IS NOT NULL)"
        )
        media.drop_column("fingerprint")
        media.drop_column("sha256")
        media.drop_column("problem")
