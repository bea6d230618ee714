"""What the database does by itself on top of a statement: cascades, triggers, views."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Engine, inspect, text

from core.freshness.statements import EVERYTHING, OWN_TABLES, Tables

_SQLITE_TRIGGERS = "SELECT tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"
_OTHER_TRIGGERS = "SELECT event_object_table, NULL FROM information_schema.triggers"


@dataclass(frozen=True)
class Schema:
    """The tables that a delete or a write reaches beyond those it names, read once.

    ``cascades``: from a table to those whose rows go, or change, with its own. ``triggers``: from a
    table to those that its triggers name; all of them where their text cannot be read.
    """

    cascades: Mapping[str, Tables] = field(default_factory=dict)
    triggers: Mapping[str, Tables] = field(default_factory=dict)
    views: Tables = frozenset()

    @classmethod
    def load(cls, engine: Engine) -> "Schema":
        """The schema of the database behind *engine*; what was declared elsewhere is not asked."""
        inspector = inspect(engine)
        names = frozenset(inspector.get_table_names())
        views = frozenset(inspector.get_view_names())
        cascades: dict[str, set[str]] = {}
        for (_, table), foreign_keys in inspector.get_multi_foreign_keys().items():
            for foreign_key in foreign_keys:
                action = foreign_key["options"].get("ondelete", "").upper()
                if action not in ("", "RESTRICT", "NO ACTION"):
                    cascades.setdefault(foreign_key["referred_table"], set()).add(str(table))
        triggers: dict[str, set[str]] = {}
        query = _SQLITE_TRIGGERS if engine.dialect.name == "sqlite" else _OTHER_TRIGGERS
        with engine.connect() as connection:
            for table, body in connection.execute(text(query)):
                triggers.setdefault(table, set()).update(_named(body, names))
        return cls(
            {table: frozenset(others) for table, others in cascades.items()},
            {table: frozenset(others) for table, others in triggers.items()},
            views,
        )

    def written(self, tables: Iterable[str], deletes: Iterable[str]) -> Tables:
        """What a transaction changed that wrote *tables*, and deleted from *deletes*."""
        changed, gone = set(tables), set(deletes)
        waiting = [*changed]
        while waiting and EVERYTHING not in changed:
            table = waiting.pop()
            reached = set(self.triggers.get(table, ()))
            if table in gone:
                reached.update(self.cascades.get(table, ()))
            # What a trigger names it may delete from, and what is cascaded may cascade.
            fresh = {name for name in reached if name not in changed or name not in gone}
            changed |= fresh
            gone |= fresh
            waiting += fresh
        return frozenset({EVERYTHING} if EVERYTHING in changed else changed - OWN_TABLES)

    def read(self, tables: Tables) -> Tables:
        """What a read of *tables* depends on: a view may show anything."""
        return tables | {EVERYTHING} if tables & self.views else tables


def _named(body: str | None, names: Tables) -> set[str]:
    """The tables among *names* that the text of a trigger names."""
    if body is None:
        return {EVERYTHING}
    return {word.lower() for word in re.findall(r"\w+", body)} & names
