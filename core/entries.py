"""Entries: what a plugin keeps in Redis for a while, and nowhere else; `Plugin.entries`.

For what is true only as long as somebody says so again (who is here), and is no row of a table. An
entry is a text under a name; a group is the entries that one key shows.

1. A read knows no clock: an entry stands until somebody takes it out, also once its time is over.
   So a query that reads entries is as pure as one that reads rows, and what it shows changes only
   by what is told.
2. What changed is told by an event, which whoever changed it emits. Redis and the database know no
   common transaction, so the change carries a mark until it is told::

       request   puts ── mark ── emits, commits ── told: the mark goes
       another   puts ── mark ── dies
       round                          10 s later: the mark is still there, so it emits

3. While Redis is away nothing is known, and nothing fails. A worker that had to say so tells of
   those groups once Redis is back: what it showed was less than there was.
4. Wait for Redis before the database is asked, or after; never in between.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, TypeVar

from core.bus import Bus
from core.errors import BusUnavailable

T = TypeVar("T")

MOST_ENTRIES = 500
"""Of one group; further ones are not put."""

LONGEST_TTL_S = 3_600
MOST_CHARACTERS = 1_000
"""Of a group's name, an entry's name, and a value; each."""

_TELL_WITHIN_S = 10
_MOST_AT_ONCE = 100
_MOST_UNKNOWN = 1_000
_KEPT_S = 86_400
"""Of a plugin that is no longer there nobody clears up."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A group of which somebody has to tell that it changed; ``mark`` says which change."""

    group: str
    mark: str


@dataclass(frozen=True, slots=True)
class Change:
    """The entries of a group before and after, by name; alike, ``owed`` is ``None``."""

    before: Mapping[str, str]
    after: Mapping[str, str]
    owed: Owed | None


class Entries:
    """The entries of one plugin, in one worker. Each method waits for Redis, and no longer."""

    def __init__(self, bus: Bus, plugin: str) -> None:
        self._bus = bus
        self._prefix = f"{{{bus.settings.redis_prefix}}}:plugin:{plugin}:"
        self._ends, self._owed = f"{self._prefix}ends", f"{self._prefix}owed"
        self._entry, self._overdue, self._told = map(self._script, ("entry", "overdue", "told"))
        self._unknown: set[str] = set()

    def put(self, group: str, name: str, value: str, ttl_s: float) -> Change | None:
        """Let *name* stand for *value* until *ttl_s* have passed; again for longer.

        ``None`` while Redis is away: nothing was put. Where there is a change, emit what makes the
        keys stale that show it, and call `told` once that is committed.
        """
        if not value or not 0 < ttl_s <= LONGEST_TTL_S:
            raise ValueError(f"An entry needs a value, and 0 to {LONGEST_TTL_S} s to live.")
        return self._change(group, name, value, ttl_s)

    def take(self, group: str, name: str) -> Change | None:
        """Take *name* out, if it is there; otherwise as `put`."""
        return self._change(group, name, "", 1)

    def read(self, group: str) -> dict[str, str] | None:
        """The values by name; ``None`` while Redis is away."""
        key = self._key_of(group)
        found: Any = self._ask(lambda: self._bus.client.hgetall(key))
        if found is None and len(self._unknown) < _MOST_UNKNOWN:
            self._unknown.add(group)
        return found  # type: ignore[no-any-return]

    def overdue(self) -> list[Owed]:
        """Take out what is over, and return all that has to be told; for a round.

        Whoever is given something tells it and calls `told`; otherwise it is given out again, to
        any worker. Nothing while Redis is away.
        """
        arguments = [f"{self._prefix}in:", _TELL_WITHIN_S * 1000, _MOST_AT_ONCE, _KEPT_S * 1000]
        keys = [self._ends, self._owed]
        flat = self._ask(lambda: self._overdue(keys=keys, args=arguments))
        if flat is None:
            return []
        found = [Owed(group, mark) for group, mark in zip(flat[::2], flat[1::2], strict=True)]
        unknown = self._unknown - {owed.group for owed in found}
        return [*found, *(Owed(group, "") for group in sorted(unknown))]

    def told(self, owed: Sequence[Owed]) -> None:
        """The events that tell of *owed* are committed; what changed since stays owed."""
        self._unknown -= {each.group for each in owed}
        marks = [part for each in owed if each.mark for part in (each.group, each.mark)]
        if marks:
            self._ask(lambda: self._told(keys=[self._owed], args=marks))

    def _change(self, group: str, name: str, value: str, ttl_s: float) -> Change | None:
        if max(map(len, (name, value))) > MOST_CHARACTERS or "\n" in name or not name:
            raise ValueError(f"A name is one line, and has at most {MOST_CHARACTERS} characters.")
        keys = [self._key_of(group), self._ends, self._owed]
        limits = [int(ttl_s * 1000), _TELL_WITHIN_S * 1000, MOST_ENTRIES, _KEPT_S * 1000]
        answer = self._ask(lambda: self._entry(keys=keys, args=[group, name, value, *limits]))
        if answer is None:
            return None
        before, after, mark = answer
        return Change(_by_name(before), _by_name(after), Owed(group, mark) if mark else None)

    def _key_of(self, group: str) -> str:
        if not group or "\n" in group or len(group) > MOST_CHARACTERS:
            raise ValueError(f"A group is one line of at most {MOST_CHARACTERS} characters.")
        return f"{self._prefix}in:{group}"

    def _ask(self, work: Callable[[], T]) -> T | None:
        try:
            return self._bus.lend(work)
        except BusUnavailable:
            return None

    def _script(self, name: str) -> Any:
        text = (files("core") / "lua" / f"{name}.lua").read_text()
        return self._bus.client.register_script(text)


def _by_name(flat: Sequence[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
