"""The ledger: every commit, and all that every screen was told and showed; then the verdict.

A *cell* is one value on the screens (the title of a chapter, say), written by one writer only, who
counts upwards. So the numbers alone tell what is wrong::

    committed  1 2 3 4
    shown      1 2 4      complete: ends at 4; monotone: never falls
    shown      1 3        lost
    shown      1 3 2 4    went back
    told of it 2 4 4      the second 4 is extra: nothing was committed in between

The file is pure: it knows no network and, but for `Ledger.clock`, no time.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from core.stamps import Stamp


class State(Enum):
    """What the writer knows of its commit."""

    SENT = "sent"
    COMMITTED = "committed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass
class Commit:
    """One write: *value* into *cell*, which makes *keys* stale. ``stamp`` is that of its notice,
    where the answer told it.
    """

    cell: str
    value: int
    keys: frozenset[str]
    state: State = State.SENT
    stamp: Stamp | None = None
    at: float = 0.0

    @property
    def may_be_there(self) -> bool:
        """Whether a screen may show it."""
        return self.state is not State.REFUSED

    def names(self, key: str) -> bool:
        """Whether it makes *key* stale."""
        return any(key == name or key.startswith(f"{name}:") for name in self.keys)


@dataclass(frozen=True)
class Told:
    """A screen was told that *key* is stale, as of *stamp*, while it showed *since*."""

    screen: str
    key: str
    since: Stamp | None
    stamp: Stamp | None
    cause: str


@dataclass(frozen=True)
class Shown:
    """A screen showed *values* of *key*: the answer to a read that asked for *floor*."""

    screen: str
    key: str
    values: Mapping[str, int]
    stamp: Stamp | None
    floor: Stamp | None
    at: float


@dataclass
class Verdict:
    """What is wrong, one sentence each, and how long the slowest change took to the screens."""

    lost: list[str] = field(default_factory=list)
    went_back: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    below_floor: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    @property
    def faults(self) -> list[str]:
        """Everything that is wrong."""
        return [
            *self.lost, *self.went_back, *self.invented, *self.extra, *self.below_floor, *self.late,
        ]  # fmt: skip


@dataclass
class Ledger:
    """Takes entries from any thread. ``repeated`` is how many outbox rows may be published twice
    (a process died between publication and deletion): so many keys may be told without a cause.
    """

    clock: Callable[[], float] = time.monotonic
    repeated: int = 0
    starts: dict[str, int] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    _watched: dict[str, frozenset[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def watches(self, screen: str, keys: Iterable[str]) -> None:
        """*screen* shows *keys*, from the start to the end."""
        with self._lock:
            self._watched[screen] = frozenset(keys)

    def start(self, cell: str, value: int) -> None:
        """*cell* held *value* before the first entry."""
        self.starts[cell] = value

    def send(self, cell: str, value: int, keys: Iterable[str]) -> Commit:
        """A write is about to be sent; note in the result what came of it."""
        commit = Commit(cell, value, frozenset(keys))
        with self._lock:
            self.commits.append(commit)
        return commit

    def end(self, commit: Commit, state: State, stamp: Stamp | None = None) -> None:
        """The writer knows what came of *commit*."""
        with self._lock:
            commit.state, commit.stamp, commit.at = state, stamp, self.clock()

    def tell(
        self, screen: str, key: str, since: Stamp | None, stamp: Stamp | None, cause: str
    ) -> None:
        """*screen* was told that *key* is stale."""
        with self._lock:
            self.told.append(Told(screen, key, since, stamp, cause))

    def show(
        self,
        screen: str,
        key: str,
        values: Mapping[str, int],
        stamp: Stamp | None,
        floor: Stamp | None = None,
    ) -> None:
        """*screen* shows *values* from now on."""
        with self._lock:
            entry = Shown(screen, key, dict(values), stamp, floor, self.clock())
            self.shown.append(entry)

    def is_settled(self) -> bool:
        """Whether every screen shows the newest committed value of every cell it watches."""
        with self._lock:
            return not _Trial(self).verdict(bound_s=None).lost

    def verdict(self, bound_s: float) -> Verdict:
        """What is wrong; *bound_s* is the longest that a change may take to a screen."""
        with self._lock:
            return _Trial(self).verdict(bound_s)


class _Trial:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._series: dict[tuple[str, str], list[Shown]] = {}
        for entry in ledger.shown:
            self._series.setdefault((entry.screen, entry.key), []).append(entry)

    def verdict(self, bound_s: float | None) -> Verdict:
        found = Verdict()
        for screen, keys in self._ledger._watched.items():
            for key in keys:
                series = self._series.get((screen, key), [])
                self._judge_values(screen, key, series, found, bound_s)
                self._judge_floors(series, found)
        self._judge_tellings(found)
        return found

    def _judge_values(
        self, screen: str, key: str, series: list[Shown], found: Verdict, bound_s: float | None
    ) -> None:
        cells: dict[str, list[Commit]] = {}
        for commit in self._ledger.commits:
            if commit.names(key):
                cells.setdefault(commit.cell, []).append(commit)
        for cell, commits in cells.items():
            known = [c for c in commits if c.state is State.COMMITTED]
            newest = max((c.value for c in known), default=0)
            values = [entry.values.get(cell, 0) for entry in series]
            last = values[-1] if values else 0
            if last < newest:
                found.lost.append(f"{screen} shows {cell} = {last} of {key}; {newest} is committed")
            start = self._ledger.starts.get(cell, 0)
            allowed = {start, *(c.value for c in commits if c.may_be_there)}
            for before, after in zip([start, *values], values, strict=False):
                if after < before:
                    found.went_back.append(f"{screen}: {cell} of {key} from {before} to {after}")
                if after not in allowed and after != before:
                    found.invented.append(f"{screen}: {cell} of {key} = {after}, never committed")
            for commit in known:
                self._judge_delay(screen, key, commit, series, found, bound_s)

    def _judge_delay(
        self,
        screen: str,
        key: str,
        commit: Commit,
        series: list[Shown],
        found: Verdict,
        bound_s: float | None,
    ) -> None:
        seen = [e.at for e in series if e.values.get(commit.cell, 0) >= commit.value]
        if not seen or bound_s is None:
            return
        took_s = max(0.0, seen[0] - commit.at)
        found.slowest_s = max(found.slowest_s, took_s)
        if took_s > bound_s:
            found.late.append(
                f"{screen}: {commit.cell} = {commit.value} of {key} after {took_s:.1f} s"
            )

    def _judge_floors(self, series: list[Shown], found: Verdict) -> None:
        found.below_floor += [
            f"{e.screen} asked for {e.floor} or newer of {e.key} and got {e.stamp}"
            for e in series
            if e.stamp is not None and e.floor is not None
            if e.stamp.generation == e.floor.generation and not e.stamp.reaches(e.floor)
        ]

    def _judge_tellings(self, found: Verdict) -> None:
        last: dict[tuple[str, str], Stamp | None] = {}
        met: dict[tuple[str, str], set[str]] = {}
        for entry in self._ledger.told:
            watched = self._ledger._watched[entry.screen]
            before = last.get((entry.screen, entry.key))
            last[entry.screen, entry.key] = entry.stamp
            if entry.key not in watched:
                found.extra.append(f"{entry.screen} was told of {entry.key}, which it watches not")
            elif self._is_new_generation(entry, met):
                continue  # it may have read a page of the new generation before it was told
            elif not self._has_cause(entry, before):
                found.extra.append(
                    f"{entry.screen} was told of {entry.key} at {entry.stamp} ({entry.cause}) "
                    f"and showed {entry.since}: nothing was committed in between"
                )
        # One row published twice tells every screen that watches one of its keys once more.
        if len(found.extra) <= self._ledger.repeated * len(last):
            found.extra = []

    def _is_new_generation(self, entry: Told, met: dict[tuple[str, str], set[str]]) -> bool:
        """Whether this screen hears of this key for the first time since Redis lost its data."""
        if entry.stamp is None:
            return False
        generations = met.setdefault((entry.screen, entry.key), self._first_generation(entry))
        new = entry.stamp.generation not in generations
        generations.add(entry.stamp.generation)
        return new

    def _first_generation(self, entry: Told) -> set[str]:
        series = self._series.get((entry.screen, entry.key), [])
        return set(next(([e.stamp.generation] for e in series if e.stamp is not None), []))

    def _has_cause(self, entry: Told, before: Stamp | None) -> bool:
        """Whether anything was committed that this telling can be about."""
        stamps = [s for s in (entry.since, before) if s is not None]
        if entry.since is None or entry.stamp is None:
            return True
        if any(s.generation != entry.stamp.generation or s.reaches(entry.stamp) for s in stamps):
            return True  # void; or told or shown already, so that nobody reads again
        known = min(s.sequence for s in stamps)
        return any(
            c.stamp is None
            or (
                c.stamp.generation == entry.stamp.generation
                and known < c.stamp.sequence <= entry.stamp.sequence
            )
            for c in self._ledger.commits
            if c.may_be_there and c.names(entry.key)
        )
