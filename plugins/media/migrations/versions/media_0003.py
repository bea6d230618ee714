"""The trash, and the version of a file that was replaced."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "media_0003"
down_revision = "media_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("media", sa.Column("trashed_at", UtcDateTime(), nullable=True))
    op.create_index("ix_media_trashed_at", "media", ["trashed_at"])
    op.add_column(
        "media", sa.Column("version", sa.Integer(), nullable=False, server_default=sa.text("1"))
    )
    with op.batch_alter_table("media", table_kwargs={"sqlite_autoincrement": True}) as media:
        media.alter_column("version", server_default=None)


def downgrade() -> None:
    op.drop_index("ix_media_trashed_at", "media")
    with op.batch_alter_table("media", table_kwargs={"sqlite_autoincrement": True}) as media:
        media.drop_column("version")
        media.drop_column("trashed_at")
