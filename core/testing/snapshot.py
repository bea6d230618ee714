"""A snapshot of the site's database, to begin anew from."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.database import db
from core.testing.site import Site


class Snapshot:
    """The database as it is now. Raises `AssertionError` where it is not SQLite."""

    def __init__(self, site: Site) -> None:
        self._site = site
        if not site.runtime.settings.database_url.startswith("sqlite:///"):
            raise AssertionError("conforms() needs a site on SQLite, as the fixture `site` is.")
        self._kept = sqlite3.connect(":memory:")
        with self._theirs() as database:
            database.backup(self._kept)

    def restore(self) -> None:
        """Make the database again what it was, under SQLite's own locks."""
        self._site.settle()
        with self._theirs() as database:
            self._kept.backup(database)

    def forget(self) -> None:
        """Let the copy go, and every memory of what was tried."""
        self._kept.close()
        self._site.runtime.bus.reset("refresh", "conformance")
        self._site.settle()

    @contextmanager
    def _theirs(self) -> Iterator[sqlite3.Connection]:
        with self._site.app.app_context():
            db.session.remove()
            with db.engine.connect() as connection:
                database: Any = connection.connection.driver_connection
                yield database
