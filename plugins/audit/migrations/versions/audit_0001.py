"""What was done."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "audit_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("course_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(200), nullable=True),
        sa.Column("event", sa.String(100), nullable=False),
        sa.Column("ids", sa.JSON(), nullable=False),
        sa.Column("trace", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entry"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_entry_at", "audit_entry", ["at"])
    op.create_index("ix_audit_entry_user_id", "audit_entry", ["user_id"])
    op.create_index("ix_audit_entry_course_id_id", "audit_entry", ["course_id", "id"])


def downgrade() -> None:
    op.drop_table("audit_entry")
