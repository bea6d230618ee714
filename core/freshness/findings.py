"""Findings: what the guard has proven, in words that say what to write."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self, TypeAlias

from core.freshness.statements import EVERYTHING


@dataclass(frozen=True)
class MissedInvalidation:
    """A committed write changed an answer, and nothing named its key.

    ``by`` is who wrote (“action 'chapters.link_media'”), ``events`` the classes of what it emitted,
    ``tables`` those through which the change came. ``key`` is a text form, and ``namespace`` that
    of its query (of a guard's answer: ``access``). ``owner`` is the query, part or guard that did
    not hear, of ``plugin``, and ``heard`` what it is stale on. ``line`` is what to write.
    """

    by: str
    events: tuple[str, ...]
    tables: tuple[str, ...]
    namespace: str
    key: str
    owner: str
    plugin: str
    heard: tuple[str, ...]
    trace: str
    line: str

    @property
    def kind(self) -> tuple[object, ...]:
        """What two findings of one mistake have in common."""
        return (self.by, self.events, self.owner)

    @property
    def fields(self) -> dict[str, object]:
        """What a program wants of it, beside the words."""
        return {
            "finding": "missed invalidation",
            "by": self.by,
            "events": self.events,
            "tables": self.tables,
            "key": self.key,
            "owner": self.owner,
            "plugin": self.plugin,
            "trace": self.trace,
        }

    def __str__(self) -> str:
        what = f"what '{self.key}' shows"
        if self.namespace == "access":
            what = f"what user {self.key.partition(':')[2]} may do ('{self.key}')"
        emitted = f"emitted {_and(self.events)}" if self.events else "emitted no event"
        heard = f"is stale on {_and(self.heard)}" if self.heard else "is stale on no event"
        return (
            f"Missed invalidation: {self.by} changed {what}, and nothing named that key.\n"
            f"  It {emitted}, and wrote {_tables(self.tables)}.\n"
            f"  {self.owner} of the plugin '{self.plugin}' reads that, and {heard}.\n"
            f"  Write: {self.line}\n"
            f"  Trace: {self.trace}"
        )


@dataclass(frozen=True)
class ClockRead:
    """A query whose result depends on the moment, or on chance: no event can say that it changed.

    ``owner`` is the query or part, of ``plugin``; ``key`` the text form that was read.
    """

    namespace: str
    key: str
    owner: str
    plugin: str

    @property
    def kind(self) -> tuple[object, ...]:
        """What two findings of one mistake have in common."""
        return (self.owner,)

    @property
    def fields(self) -> dict[str, object]:
        """What a program wants of it, beside the words."""
        return {
            "finding": "clock read",
            "key": self.key,
            "owner": self.owner,
            "plugin": self.plugin,
        }

    def __str__(self) -> str:
        return (
            f"Clock read: {self.owner} of the plugin '{self.plugin}' answers differently from one "
            f"moment to the next ('{self.key}').\n"
            "  No event says that time has passed, so screens and caches keep the old answer.\n"
            "  Write: return the point in time itself, and let the template's filter or the "
            "browser compare it with now; or emit an event when the time comes."
        )


Finding: TypeAlias = MissedInvalidation | ClockRead


@dataclass(frozen=True)
class ToldFinding:
    """What the workers tell each other of a finding: its key, words, and the trace of the action.

    ``trace`` is ``None`` where no action is to blame.
    """

    key: str
    text: str
    trace: str | None

    @classmethod
    def of(cls, found: Finding) -> Self:
        """What to tell of *found*."""
        trace = found.trace if isinstance(found, MissedInvalidation) else None
        return cls(found.key, str(found), trace)

    def encode(self) -> str:
        """One line."""
        return json.dumps([self.key, self.text, self.trace])

    @classmethod
    def decode(cls, line: str) -> Self:
        """What `encode` wrote; ``ValueError`` or ``TypeError`` where it was something else."""
        return cls(*json.loads(line))


def _and(names: Iterable[str]) -> str:
    *head, last = dict.fromkeys(names)
    return f"{', '.join(head)} and {last}" if head else last


def _tables(tables: tuple[str, ...]) -> str:
    if not tables or EVERYTHING in tables:
        return "by SQL as text, which may touch any table"
    return _and(tables)
