"""What one worker knows of the versions of keys, and the rule that stamps follow.

    Data stamped s is current for key k if and only if the generation is the same, and
    max(version of k, version of each prefix of k, horizon if k is unknown) <= s.

Pure: no Redis, no clock. The hub feeds it.
"""

from collections.abc import Iterable
from enum import Enum

from core.bus import Snapshot
from core.keys import prefixes
from core.stamps import Stamp


class Arrival(Enum):
    """How a notice fits what is known already."""

    NEXT = "next"
    KNOWN = "known"
    GAP = "gap"


class Versions:
    """The versions that a hub holds: those loaded at its start, and every notice since."""

    def __init__(self, snapshot: Snapshot, *, kept: int) -> None:
        self._generation = snapshot.stamp.generation
        self._sequence = snapshot.stamp.sequence
        self._horizon = snapshot.horizon
        self._versions = dict(snapshot.versions)
        self._kept = kept

    @property
    def stamp(self) -> Stamp:
        """Everything up to here is known."""
        return Stamp(self._generation, self._sequence)

    @property
    def horizon(self) -> int:
        """No unknown key has a version above this."""
        return self._horizon

    def arrive(self, stamp: Stamp, keys: Iterable[str]) -> Arrival:
        """Take in the notice numbered *stamp*.

        Numbers are contiguous. ``KNOWN`` (a repetition) and ``GAP`` (a number is missing, or the
        generation is another) change nothing; after a gap the hub loads a new snapshot.
        """
        if stamp.generation != self._generation or stamp.sequence > self._sequence + 1:
            return Arrival.GAP
        if stamp.sequence <= self._sequence:
            return Arrival.KNOWN
        self._sequence = stamp.sequence
        for key in keys:
            self._versions[key] = stamp.sequence
        if len(self._versions) > self._kept + self._kept // 4:
            self._trim()
        return Arrival.NEXT

    def reset(self, stamp: Stamp) -> Arrival:
        """Take in a notice that voids everything before *stamp*."""
        arrival = self.arrive(stamp, ())
        if arrival is Arrival.NEXT:
            self._versions.clear()
            self._horizon = stamp.sequence
        return arrival

    def version(self, key: str) -> int:
        """The number below which data for *key* is stale."""
        versions = self._versions
        newest = 0 if key in versions else self._horizon
        for name in prefixes(key):
            number = versions.get(name, 0)
            newest = max(newest, number)
        return newest

    def is_current(self, key: str, stamp: Stamp | None) -> bool:
        """Whether data for *key*, stamped so, is current; without a stamp it never is.

        A stamp from the future (of a worker that is ahead of this one) is current.
        """
        if stamp is None or stamp.generation != self._generation:
            return False
        return self.version(key) <= stamp.sequence

    def _trim(self) -> None:
        newest = sorted(self._versions.items(), key=lambda item: item[1], reverse=True)
        self._horizon = max(self._horizon, newest[self._kept][1])
        self._versions = dict(newest[: self._kept])
