"""What a worker remembers of sessions, guards' answers and bodies, under the rule of stamps.

Whatever may change what a user may see names the user's access key, ``access:<user id>``: a role
changed, a session ended, an account disabled. So one rule serves all: what was read at stamp *s*
holds while the hub has heard of no notice after *s* that names a key it depends on. While Redis is
away nothing holds, and the database is asked.

What was remembered before Redis was away is forgotten: a change that could not be published then
changed no number yet, so that an old stamp looks current when Redis is back.

A refusal is never remembered, so a guard need not hear of what gives access, only of what takes it
away. An action's guard never asks here: it decides inside the action's own transaction.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, TypeVar

from core.access import Access, Me
from core.bodies import Bodies
from core.hub import Heard, Hub
from core.stamps import Stamp

T = TypeVar("T")

MOST_SESSIONS = 10_000
MOST_ANSWERS = 100_000


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    value: T
    keys: tuple[str, ...]
    size: int
    stamp: Stamp
    outages: int


class Shelf(Generic[T]):
    """A memory of values of bounded size, each with the keys that it depends on.

    The least recently used go first.
    """

    def __init__(self, hub: Hub, most: int) -> None:
        self._hub = hub
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept[T]] = OrderedDict()
        self._size = 0

    def get(self, name: Hashable) -> T | None:
        """The value of *name*, when the hub says that it holds."""
        with self._lock:
            kept = self._kept.get(name)
            if kept is None:
                return None
            self._kept.move_to_end(name)
        if self._holds(kept):
            return kept.value
        with self._lock:
            if self._kept.get(name) is kept:
                self._drop(name)
        return None

    def put(
        self, name: Hashable, value: T, keys: tuple[str, ...], heard: Heard, size: int = 1
    ) -> None:
        """Keep *value*, read in a transaction begun after *heard*; nothing while Redis is away."""
        if heard.stamp is None:
            return
        with self._lock:
            if name in self._kept:
                self._drop(name)
            self._kept[name] = _Kept(value, keys, size, heard.stamp, heard.outages)
            self._size += size
            while self._size > self._most:
                self._drop(next(iter(self._kept)))

    def _holds(self, kept: _Kept[T]) -> bool:
        if kept.outages != self._hub.outages:
            return False
        return all(self._hub.is_current(key, kept.stamp) for key in kept.keys)

    def _drop(self, name: Hashable) -> None:
        self._size -= self._kept.pop(name).size


class Memory:
    """What one worker remembers: sessions (by `session_name`), guards' answers, and bodies."""

    def __init__(self, hub: Hub, most_bytes: int) -> None:
        self.sessions: Shelf[Me] = Shelf(hub, MOST_SESSIONS)
        self.answers: Shelf[Access] = Shelf(hub, MOST_ANSWERS)
        self.bodies: Shelf[Bodies] = Shelf(hub, most_bytes)


def session_name(token: str) -> bytes:
    """What is kept of a session's token: a dump of the memory signs nobody in."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
