"""Alembic's entry: runs one chain on the connection that `core.migrations` opened."""

from alembic import context

from core.database import Model
from core.migrations import Chain

chain: Chain = context.config.attributes["chain"]

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Model.metadata,
    version_table=chain.version_table,
    include_object=chain.owns,
    render_as_batch=True,
    compare_server_default=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
