"""Alembic's entry: runs one chain on the connection that `core.migrations` opened."""

from typing import Any, Literal

from alembic import context

from core.database import Model, UtcDateTime
from core.migrations import Chain

chain: Chain = context.config.attributes["chain"]


def render_item(kind: str, item: object, autogen: Any) -> str | Literal[False]:
    """How a new revision spells our own column type."""
    if kind == "type" and isinstance(item, UtcDateTime):
        autogen.imports.add("from core.database import UtcDateTime")
        return "UtcDateTime()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Model.metadata,
    version_table=chain.version_table,
    include_object=chain.owns,
    render_as_batch=True,
    compare_server_default=True,
    render_item=render_item,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
