"""Writes: what one committed transaction changed, stated, and named."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.events import Event
from core.freshness.statements import Tables
from core.keys import prefixes

OUTSIDE = "a write outside any action"

_MOST_NAMED = 1_000


@dataclass(frozen=True, slots=True)
class Fact:
    """An event as the guard keeps it: ``name`` of its class, and its fields that are scalars."""

    wire_name: str
    name: str
    fields: Mapping[str, Any]

    @classmethod
    def of(cls, event: Event) -> "Fact":
        """What the guard keeps of *event*."""
        fields = {
            name: value for name, value in event if isinstance(value, int | str) and value != ""
        }
        return cls(event.wire_name, type(event).__name__, fields)


@dataclass(frozen=True, slots=True)
class Write:
    """One committed transaction: who wrote, which tables, what was emitted, what was named.

    ``by`` reads as in “action 'chapters.link_media'”. ``deletes`` are those of ``tables`` from
    which rows may have gone. ``named`` are the keys that its outbox rows named, after the second
    look too. ``at`` is when this worker was told, on the monotonic clock.
    """

    by: str
    events: tuple[Fact, ...]
    tables: Tables
    deletes: Tables
    named: frozenset[str]
    trace: str
    at: float = field(default_factory=time.monotonic)

    def names(self, keys: Sequence[str]) -> bool:
        """Whether one of *keys*, or a prefix of one, was named."""
        return any(prefix in self.named for key in keys for prefix in prefixes(key))

    def encode(self) -> str:
        """Its JSON, for the other workers."""
        return json.dumps(
            {
                "by": self.by,
                "events": [[fact.wire_name, fact.name, fact.fields] for fact in self.events],
                "tables": sorted(self.tables),
                "deletes": sorted(self.deletes),
                "named": sorted(self.named)[:_MOST_NAMED],
                "trace": self.trace,
            },
            separators=(",", ":"),
        )

    @classmethod
    def decode(cls, text: str) -> "Write":
        """The write again; raises `ValueError`, `KeyError` or `TypeError` for any other text."""
        data = json.loads(text)
        return cls(
            data["by"],
            tuple(Fact(*fact) for fact in data["events"]),
            frozenset(data["tables"]),
            frozenset(data["deletes"]),
            frozenset(data["named"]),
            data["trace"],
        )
