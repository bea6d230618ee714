"""Which tables a SQL statement touches.

1. What SQLAlchemy compiled is known exactly: its tree is walked for tables, subqueries, CTEs, joins
   and eager loads included. Text that might name a table touches everything.
2. The analysis is of the compiled form, which SQLAlchemy itself caches: it is made once for each
   kind of statement, not for each execution.
3. What the database does by itself (cascades, triggers, views) is not in the statement:
   see `core.freshness.schema`.
"""

import re
from dataclasses import dataclass
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from sqlalchemy import Column, Table, TextClause
from sqlalchemy.sql import visitors
from sqlalchemy.sql.dml import Delete, UpdateBase
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.sql.expression import TableClause
from sqlalchemy.sql.functions import FunctionElement

Tables: TypeAlias = frozenset[str]

EVERYTHING = "*"
"""Stands among tables for all of them."""

CLOCK = "@clock"
"""Stands among the tables of a read that asked for the time, or for chance."""

OWN_TABLES = frozenset({"outbox_event", "outbox_reaction", "action_answer"})
"""Core's bookkeeping, which no screen shows."""

_NOTHING: Tables = frozenset()
_ALL: Tables = frozenset({EVERYTHING})

_CONTROL = re.compile(
    r"\s*(begin|commit|rollback|savepoint|release|pragma|set|show|start|end|explain|analyze|vacuum)\b",
    re.IGNORECASE,
)
_READ = re.compile(r"\s*(select|values|table)\b", re.IGNORECASE)
_MAY_NAME_A_TABLE = re.compile(
    r"\b(select|from|join|table|into|insert|update|delete|replace|merge|call|execute)\b",
    re.IGNORECASE,
)
_CLOCKS = frozenset(
    {
        "now", "current_timestamp", "current_date", "current_time", "localtimestamp", "localtime",
        "clock_timestamp", "statement_timestamp", "transaction_timestamp", "random",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Touched:
    """What one statement touches.

    ``deletes`` are those of ``writes`` from which rows may go, so that the database may cascade.
    ``clock``: what it returns depends on the moment, or on chance.
    """

    reads: Tables = _NOTHING
    writes: Tables = _NOTHING
    deletes: Tables = _NOTHING
    clock: bool = False


_UNTOUCHED = Touched()
_ANYTHING = Touched(reads=_ALL, writes=_ALL, deletes=_ALL)
_known: "WeakKeyDictionary[Any, Touched]" = WeakKeyDictionary()


def touched_by(statement: str, compiled: Any | None) -> Touched:
    """What *statement* touches; *compiled* is SQLAlchemy's form of it, if it has one."""
    if compiled is None:
        return _of_text(statement)
    found = _known.get(compiled)
    if found is None:
        found = _known[compiled] = _of_compiled(statement, compiled)
    return found


def overlap(reads: Tables, writes: Tables) -> Tables:
    """The tables through which *writes* may have changed what *reads* found."""
    reads -= {CLOCK}
    if EVERYTHING in reads:
        return writes
    return reads if EVERYTHING in writes else reads & writes


def _of_text(statement: str) -> Touched:
    if _CONTROL.match(statement):
        return _UNTOUCHED
    if _READ.match(statement):
        return Touched(reads=_ALL)
    return _ANYTHING


def _of_compiled(statement: str, compiled: Any) -> Touched:
    if isinstance(compiled.statement, TextClause):
        return _of_text(statement)
    if not hasattr(compiled, "compile_state"):
        return _ANYTHING  # DDL
    roots = [compiled.statement]
    if compiled.compile_state is not None:
        # The ORM's own statement has no eager loads yet; the one it was compiled to has.
        roots.append(compiled.compile_state.statement)
    reads: set[str] = set()
    writes: set[str] = set()
    deletes: set[str] = set()
    clock = False
    for element in (element for root in roots for element in visitors.iterate(root)):
        if isinstance(element, UpdateBase):
            targets = _named(element.table)
            writes |= targets
            if isinstance(element, Delete):
                deletes |= targets
        elif isinstance(element, TextClause):
            if _MAY_NAME_A_TABLE.search(element.text):
                reads.add(EVERYTHING)
        elif isinstance(element, FunctionElement):
            clock = clock or getattr(element, "name", "").lower() in _CLOCKS
        else:
            reads |= _named(element)
    return Touched(
        frozenset(reads - OWN_TABLES), frozenset(writes - OWN_TABLES), frozenset(deletes), clock
    )


def _named(element: Any) -> set[str]:
    """The table that *element* is, or that it is a column of."""
    if isinstance(element, Column | ColumnClause):
        element = element.table
        if not isinstance(element, TableClause):
            return set()  # a column of a subquery, whose own tables are met by themselves
    if isinstance(element, Table | TableClause):
        return {element.name}
    if hasattr(element, "left") and hasattr(element, "right") and hasattr(element, "onclause"):
        return _named(element.left) | _named(element.right)
    return set()
