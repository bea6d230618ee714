"""The database: models, and sessions that begin when we say so.

1. SQLite waits for its write lock inside C, where every greenlet of the worker stands still. So the
   busy timeout is zero and the wait is ours: try, sleep (which lets the others run), try again.
2. Python's ``sqlite3`` begins transactions behind our back; it is told not to, and ``BEGIN`` or
   ``BEGIN IMMEDIATE`` is said here.
3. A read that must be no older than a stamp needs a session begun after that stamp: an identity map
   that was filled earlier answers from before it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import Connection, DateTime, Dialect, Engine, MetaData, TypeDecorator, event
from sqlalchemy.exc import DBAPIError, OperationalError, PendingRollbackError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from core.errors import CoursewireError, Unavailable
from core.freshness.observation import note_clock
from core.settings import Settings

_RETRY_S = 0.005
_WRITE = "coursewire_write"
_GAVE_WAY = ("40001", "40P01")
"""Serialization failure and deadlock (PostgreSQL, appendix A, class 40)."""


class Model(DeclarativeBase):
    """What every table's class inherits. Constraints have names, so migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class _Session(FlaskSession):
    """A session whose transaction, whenever it begins, begins as `writing` has said."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        bind = super().get_bind(*args, **kwargs)
        if _WRITE not in self.info:
            return bind
        # One and the same object each time: a session begins a transaction for each of its binds.
        if self.info[_WRITE] is None:
            self.info[_WRITE] = bind.execution_options(**{_WRITE: True})
        writable: Engine | Connection = self.info[_WRITE]
        return writable


db = SQLAlchemy(model_class=Model, disable_autonaming=True, session_options={"class_": _Session})


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time, always aware and always UTC, on databases that store no zone too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What is stored; raises `ValueError` for a naive time."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone. Use core.now().")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy's signature
        """What was stored, aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class AskedPool(QueuePool):
    """SQLAlchemy's pool, which also knows how many ask for a connection just now."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.asking = 0

    def connect(self) -> PoolProxiedConnection:
        """A connection; waits until one is free, at most ``database_timeout_s``."""
        self.asking += 1
        try:
            return super().connect()
        finally:
            self.asking -= 1


def now() -> datetime:
    """The time now, aware, in UTC."""
    note_clock()
    return datetime.now(UTC)


def init_database(app: Flask, settings: Settings) -> None:
    """Bind `db` to *app*, with the pool and the transactions of this module."""
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = _engine_options(settings)
    db.init_app(app)
    if settings.sqlite:
        with app.app_context():
            _own_sqlite_transactions(db.engine, settings.database_timeout_s)


@contextmanager
def reading() -> Iterator[Session]:
    """A read in a session and transaction of its own, begun now, and ended at the exit.

    Whatever this context's session held is released first, so a request never holds two
    connections, and none while it renders, waits, or streams. Raises `CoursewireError` inside a
    write transaction, which it would throw away.
    """
    release_session()
    try:
        yield db.session()
    finally:
        _remove_session()


def release_session() -> None:
    """Give back the connection of this context's session, if it holds one.

    Raises `CoursewireError` inside a write transaction.
    """
    if db.session.registry.has() and _WRITE in db.session.info:
        raise CoursewireError(
            "A read of its own cannot begin inside a write transaction. Call the query itself: "
            "it reads in the transaction at hand."
        )
    db.session.remove()


@contextmanager
def writing(*, at_first_use: bool = False) -> Iterator[Session]:
    """A write transaction of its own: committed at the exit, rolled back by an exception.

    *at_first_use*: it begins with the first statement, and until then holds neither a connection
    nor SQLite's write lock.
    """
    db.session.remove()
    try:
        session = db.session()
        session.info[_WRITE] = None
        if not at_first_use:
            session.connection()
        yield session
        session.flush()
        _commit(session)
    finally:
        _remove_session()


def _commit(session: Session) -> None:
    """Commit; a connection that dies right then leaves nobody knowing whether it was done."""
    try:
        session.commit()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise Unavailable(
            "The database stopped answering while it saved this. It may be saved or not: look "
            "before you send it again."
        ) from error


def _remove_session() -> None:
    """End the session of this context, also one whose connection died in the middle."""
    try:
        db.session.remove()
    except PendingRollbackError:
        db.session.rollback()
        db.session.remove()


def gave_way(error: DBAPIError) -> bool:
    """Whether PostgreSQL ended this transaction so that another one could go on; tried again, it
    may well succeed.
    """
    return getattr(error.orig, "sqlstate", None) in _GAVE_WAY


def _engine_options(settings: Settings) -> dict[str, Any]:
    # What users wrote stands in no error's text, and so in no log.
    if settings.sqlite:
        return {"hide_parameters": True, "connect_args": {"timeout": 0}}
    return {
        "hide_parameters": True,
        "poolclass": AskedPool,
        "pool_size": settings.database_pool_size,
        "max_overflow": 0,
        "pool_timeout": settings.database_timeout_s,
        "pool_pre_ping": True,
        "connect_args": {"connect_timeout": max(1, int(settings.database_timeout_s))},
    }


def _own_sqlite_transactions(engine: Engine, timeout_s: float) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        _patiently(lambda: connection.execute("PRAGMA journal_mode=WAL"), timeout_s)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(_WRITE, False)
        statement = "BEGIN IMMEDIATE" if write else "BEGIN"
        _patiently(lambda: connection.exec_driver_sql(statement), timeout_s)


def _patiently(statement: Any, timeout_s: float) -> None:
    """Run *statement*; while SQLite says "locked", let other greenlets run and try again."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            statement()
            return
        except Exception as error:
            if not _is_locked(error) or time.monotonic() > deadline:
                raise
        time.sleep(_RETRY_S)


def _is_locked(error: Exception) -> bool:
    cause = error.orig if isinstance(error, OperationalError) else error
    return getattr(cause, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
