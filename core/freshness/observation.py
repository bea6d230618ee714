"""What reads and transactions touch, noted while their statements run.

A read is noted for the greenlet or thread that observes it (a context variable), a write for its
database connection: it counts once that connection has committed, whoever used it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, event

from core.freshness.statements import CLOCK, Tables, touched_by

Reads: TypeAlias = Mapping[str, Tables]
"""The tables of each part, by its name; those of the host under the empty one."""

_PENDING, _DONE = "coursewire_pending_writes", "coursewire_done_writes"


@dataclass
class Sight:
    """What one read touched: tables by the name of the part that read them, ``""`` the host.

    Among them stands `CLOCK` where it asked for the time, through SQL or `core.now`.
    """

    tables: dict[str, set[str]] = field(default_factory=dict)
    part: str = ""

    @property
    def reads(self) -> Reads:
        """The tables of each part that read any."""
        return {part: frozenset(tables) for part, tables in self.tables.items() if tables}

    def note(self, tables: Iterable[str]) -> None:
        """Note *tables* as read by the part at hand."""
        self.tables.setdefault(self.part, set()).update(tables)


@dataclass
class Wrote:
    """The tables that one transaction wrote; from ``deletes`` rows may have gone."""

    tables: set[str] = field(default_factory=set)
    deletes: set[str] = field(default_factory=set)


_sight: ContextVar[Sight | None] = ContextVar("coursewire_sight", default=None)


@contextmanager
def observing() -> Iterator[Sight]:
    """Note what is read meanwhile in this context."""
    sight = Sight()
    token = _sight.set(sight)
    try:
        yield sight
    finally:
        _sight.reset(token)


@contextmanager
def as_part(name: str) -> Iterator[None]:
    """Note what is read meanwhile as that of the part *name*; nothing unless observed."""
    sight = _sight.get()
    if sight is None:
        yield
        return
    before, sight.part = sight.part, name
    try:
        yield
    finally:
        sight.part = before


def note_clock() -> None:
    """Note that the read at hand, if one is observed, asked for the time."""
    sight = _sight.get()
    if sight is not None:
        sight.note([CLOCK])


def observe(engine: Engine, committed: Callable[[Wrote], None]) -> None:
    """Observe every statement of *engine* from now on.

    *committed* is told of each transaction that wrote, right after its commit, in the thread or
    greenlet that gives the connection back.
    """

    @event.listens_for(engine, "checkin")
    def tell(_connection: object, record: Any) -> None:
        done = record.info.pop(_DONE, None)
        if done is not None:
            committed(done)

    event.listen(engine, "before_cursor_execute", _note)
    event.listen(engine, "commit", _keep)
    event.listen(engine, "rollback", _forget)


def _note(
    connection: Connection,
    _cursor: object,
    statement: str,
    _parameters: object,
    context: Any,
    _many: object,
) -> None:
    touched = touched_by(statement, getattr(context, "compiled", None))
    if touched.writes:
        pending = connection.info.get(_PENDING)
        if pending is None:
            pending = connection.info[_PENDING] = Wrote()
        pending.tables |= touched.writes
        pending.deletes |= touched.deletes
    sight = _sight.get()
    if sight is not None:
        sight.note(touched.reads)
        if touched.clock:
            sight.note([CLOCK])


def _keep(connection: Connection) -> None:
    """SQLAlchemy calls this before it commits: it is true once the connection comes back."""
    pending = connection.info.pop(_PENDING, None)
    if pending is not None:
        done = connection.info.setdefault(_DONE, Wrote())
        done.tables |= pending.tables
        done.deletes |= pending.deletes


def _forget(connection: Connection) -> None:
    connection.info.pop(_PENDING, None)
