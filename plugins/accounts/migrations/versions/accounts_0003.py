"""The language that somebody chose."""

import sqlalchemy as sa
from alembic import op

revision = "accounts_0003"
down_revision = "accounts_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account_user", sa.Column("language", sa.String(20), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("account_user", table_kwargs={"sqlite_autoincrement": True}) as user:
        user.drop_column("language")
