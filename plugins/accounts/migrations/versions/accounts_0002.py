"""Sessions know when and where they were seen; links, and identities at providers."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "accounts_0002"
down_revision = "accounts_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The release before this one may still write while this one runs.
    op.add_column(
        "account_user",
        sa.Column("invited", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("account_session", sa.Column("seen_at", UtcDateTime(), nullable=True))
    op.add_column("account_session", sa.Column("address", sa.String(64), nullable=True))
    op.create_table(
        "account_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_link"),
        sa.UniqueConstraint("token_hash", name="uq_account_link_token_hash"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account_user.id"],
            name="fk_account_link_user_id_account_user",
            ondelete="CASCADE",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_account_link_user_id", "account_link", ["user_id"])
    op.create_index("ix_account_link_expires_at", "account_link", ["expires_at"])
    op.create_table(
        "account_identity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_identity"),
        sa.UniqueConstraint("issuer", "subject", name="uq_account_identity_issuer_subject"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account_user.id"],
            name="fk_account_identity_user_id_account_user",
            ondelete="CASCADE",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_account_identity_user_id", "account_identity", ["user_id"])


def downgrade() -> None:
    op.drop_table("account_identity")
    op.drop_table("account_link")
    autoincrement = {"sqlite_autoincrement": True}
    with op.batch_alter_table("account_session", table_kwargs=autoincrement) as session:
        session.drop_column("address")
        session.drop_column("seen_at")
    with op.batch_alter_table("account_user", table_kwargs=autoincrement) as user:
        user.drop_column("invited")
