"""Samples of what the workers count, and findings."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "status_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "status_sample",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("taken_at", UtcDateTime(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("parked", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_status_sample"),
    )
    op.create_table(
        "status_finding",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.Column("plugin", sa.String(100), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("put_away_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_status_finding"),
        sa.UniqueConstraint("digest", name="uq_status_finding_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_status_finding_put_away_at", "status_finding", ["put_away_at"])


def downgrade() -> None:
    op.drop_table("status_finding")
    op.drop_table("status_sample")
