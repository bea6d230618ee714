"""Migrations: each plugin has its own chain and version table, so a removed one breaks nobody.

SQLite rebuilds a table to alter it. With foreign keys on, dropping the old table deletes every row
that refers to it by cascade; so they are off, outside any transaction, while a chain runs, and
checked before it is committed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from core.current import current_runtime
from core.database import Model, db
from core.errors import CoursewireError
from core.plugin import Plugin

_LOCK = 0x636F7572
"""The advisory lock of PostgreSQL under which one release at a time migrates."""


@dataclass(frozen=True)
class Chain:
    """The migrations of core or of one plugin, and the tables they own."""

    name: str
    folder: Path
    module: str

    @property
    def version_table(self) -> str:
        """The table that holds the chain's current revision."""
        return f"alembic_version_{self.name}"

    @property
    def tables(self) -> frozenset[str]:
        """The names of the tables whose models this chain's package declares."""
        prefix = self.module + "."
        return frozenset(
            mapper.local_table.name  # type: ignore[attr-defined]  # no model maps a join
            for mapper in Model.registry.mappers
            if f"{mapper.class_.__module__}.".startswith(prefix)
        )

    def owns(self, item: Any, name: str | None, kind: str, *_: object) -> bool:
        """Alembic's ``include_object``: only this chain's tables, and what hangs on them."""
        table = name if kind == "table" else item.table.name
        return table in self.tables

    def config(self, connection: Connection | None = None) -> Config:
        """Alembic's configuration of this chain."""
        config = Config()
        config.set_main_option("script_location", _escaped(Path(__file__).parent))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", _escaped(self.folder / "versions"))
        config.attributes.update(connection=connection, chain=self)
        return config

    def current(self, connection: Connection) -> str | None:
        """The revision that the database is at."""
        options = {"version_table": self.version_table}
        return MigrationContext.configure(connection, opts=options).get_current_revision()


def chains(plugins: Sequence[Plugin]) -> list[Chain]:
    """Core's chain, then those of *plugins*, in their order; a plugin without tables has none."""
    found = [Chain("core", Path(__file__).parent, "core")]
    return [*found, *(chain for chain in map(_chain_of, plugins) if chain.folder.is_dir())]


def upgrade_all(app: Flask) -> None:
    """Bring every chain to its head; changes nothing when it is there already."""
    with app.app_context():
        _make_sqlite_folder(app)
        for chain in chains(current_runtime().registry.plugins):
            with migrating() as connection:
                command.upgrade(chain.config(connection), "head")


def behind() -> list[str]:
    """The names of the chains that are not at their head. Needs an app context."""
    with db.engine.connect() as connection:
        return [
            chain.name
            for chain in chains(current_runtime().registry.plugins)
            if chain.current(connection) != _head(chain)
        ]


@contextmanager
def migrating() -> Iterator[Connection]:
    """A connection to migrate on: alone, in one transaction, foreign keys checked at its end."""
    with db.engine.connect() as opened:
        sqlite = opened.dialect.name == "sqlite"
        if sqlite:
            _raw(opened).execute("PRAGMA foreign_keys=OFF")
        connection = opened.execution_options(coursewire_write=True)
        try:
            with connection.begin():
                if not sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
                yield connection
                if sqlite:
                    _check_foreign_keys(connection)
        finally:
            if sqlite:
                _raw(opened).execute("PRAGMA foreign_keys=ON")


def find_chain(name: str) -> Chain:
    """The chain called *name*, which may have no revision yet.

    Raises `CoursewireError`, naming those there are.
    """
    plugins = current_runtime().registry.plugins
    known = {chain.name: chain for chain in (*chains(()), *map(_chain_of, plugins))}
    if name not in known:
        raise CoursewireError(f"No chain is called '{name}'. There are: {', '.join(known)}.")
    return known[name]


def _chain_of(plugin: Plugin) -> Chain:
    return Chain(plugin.name, Path(plugin.root_path) / "migrations", plugin.import_name)


@cache
def _head(chain: Chain) -> str | None:
    return ScriptDirectory.from_config(chain.config()).get_current_head()


def _check_foreign_keys(connection: Connection) -> None:
    broken = connection.execute(text("PRAGMA foreign_key_check")).all()
    if broken:
        table, row_id, parent, _ = broken[0]
        raise CoursewireError(
            f"The migration leaves {len(broken)} rows that refer to nothing, first {table} row "
            f"{row_id} to {parent}. It was rolled back; correct the migration."
        )


def _make_sqlite_folder(app: Flask) -> None:
    url = make_url(current_runtime().settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        database = Path(db.engine.url.database or "")
        (Path(app.instance_path) / database).parent.mkdir(parents=True, exist_ok=True)


def _raw(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
