"""What the tests of core share: an app with the plugin `tests.core.notes` and no other."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings
from sqlalchemy import insert

from core import Settings, create_app, db
from core.database import writing
from core.migrations import upgrade_all
from core.runtime import Runtime
from tests.conftest import dispose, settings_for
from tests.core import notes
from tests.servers import RedisServer, redis_server

hypothesis_settings.register_profile("core", deadline=None)
hypothesis_settings.load_profile("core")

OWNER, VIEWER, STRANGER = 1, 2, 3
"""Users: one may edit book 7, one may view it, one may not."""
BOOK, SHELF = 7, 70

MakeApp = Callable[..., Flask]
ClientFor = Callable[..., FlaskClient]


@pytest.fixture(scope="session")
def notes_sqlite(tmp_path_factory: pytest.TempPathFactory, valkey: str) -> Path:
    """An SQLite database with the tables of core and notes."""
    folder = tmp_path_factory.mktemp("notes")
    file = folder / "notes.sqlite3"
    _prepare(settings_for(f"sqlite:///{file}", valkey, folder))
    return file


@pytest.fixture(scope="session")
def notes_postgresql(
    tmp_path_factory: pytest.TempPathFactory, postgresql_url: str, valkey: str
) -> str:
    """The address of a PostgreSQL database with the tables of core and notes."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE notes")
    url = postgresql_url.replace("/postgres", "/notes")
    _prepare(settings_for(url, valkey, tmp_path_factory.mktemp("notes-postgresql")))
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of this test's own, with one book."""
    yield from database_of_kind(request, request.param)


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The same, where the kind of database is not the point."""
    yield from database_of_kind(request, "sqlite")


@pytest.fixture
def only_postgresql_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The same, where two write transactions must be open at once."""
    yield from database_of_kind(request, "postgresql")


def database_of_kind(request: pytest.FixtureRequest, kind: str) -> Iterator[str]:
    """The database of a test: a copy of the file, or the one on the server, emptied."""
    if kind == "sqlite":
        file = request.getfixturevalue("tmp_path") / "notes.sqlite3"
        shutil.copy(request.getfixturevalue("notes_sqlite"), file)
        yield f"sqlite:///{file}"
        return
    url: str = request.getfixturevalue("notes_postgresql")
    yield url
    names = "outbox_event, outbox_reaction, action_answer"
    names += "".join(f", {table}" for table in notes.metadata.tables)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {names} RESTART IDENTITY".encode())


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Valkey that only this test uses, and may do anything to."""
    with redis_server("valkey") as server:
        yield server


@pytest.fixture
def make_app(valkey: str, tmp_path: Path) -> Iterator[MakeApp]:
    """Makes apps with notes alone; `fill` writes the book that most tests are about."""
    made: list[Flask] = []
    prefix = f"test-{uuid4().hex[:12]}"

    def make(database_url: str, *, fill: bool = False, **chosen: Any) -> Flask:
        settings = settings_for(database_url, valkey, tmp_path)
        defaults = {"plugins": (), "redis_prefix": prefix}
        app = create_app(settings.model_copy(update={**defaults, **chosen}), [notes.plugin])
        made.append(app)
        if fill:
            _fill(app)
        return app

    yield make
    open_streams = [runtime_of(app).hub.streams for app in made]
    for app in made:
        runtime_of(app).stop()
        dispose(app)
    assert not any(open_streams), "streams were left open"


@pytest.fixture
def notes_app(make_app: MakeApp, database_url: str) -> Flask:
    """The app on SQLite and on PostgreSQL; nothing runs in the background."""
    return make_app(database_url, fill=True)


@pytest.fixture
def quick_app(make_app: MakeApp, sqlite_url: str) -> Flask:
    """The app on SQLite alone, where the kind of database is not the point."""
    return make_app(sqlite_url, fill=True)


@pytest.fixture
def owner(quick_app: Flask) -> FlaskClient:
    """One who may edit the book."""
    return client_of(quick_app, OWNER)


@pytest.fixture
def viewer(quick_app: Flask) -> FlaskClient:
    """One who may view the book."""
    return client_of(quick_app, VIEWER)


@pytest.fixture
def stranger(quick_app: Flask) -> FlaskClient:
    """One who may not see the book."""
    return client_of(quick_app, STRANGER)


@pytest.fixture
def nobody(quick_app: Flask) -> FlaskClient:
    """One who is not signed in."""
    return client_of(quick_app, None)


def runtime_of(app: Flask) -> Runtime:
    """The runtime of *app*."""
    runtime: Runtime = app.extensions["coursewire"]
    return runtime


def client_of(app: Flask, user_id: int | None = OWNER) -> FlaskClient:
    """A client signed in as this user."""
    client = app.test_client()
    if user_id is not None:
        client.set_cookie("user", str(user_id))
    return client


def _prepare(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"plugins": ()}), [notes.plugin])
    upgrade_all(app)
    with app.app_context():
        notes.metadata.create_all(db.engine)
    runtime_of(app).stop()
    dispose(app)


def _fill(app: Flask) -> None:
    access = [
        {"book_id": BOOK, "user_id": user, "access": a} for user, a in ((OWNER, 2), (VIEWER, 1))
    ]
    with app.app_context(), writing() as session:
        session.execute(insert(notes.reader), access)
        session.execute(insert(notes.shelf), [{"shelf_id": SHELF, "book_id": BOOK}])
