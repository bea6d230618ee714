"""What a worker remembers of sessions and of guards' answers, under the rule of stamps.

Whatever may change what a user may see names the user's access key, ``access:<user id>``: a role
changed, a session ended, an account disabled. So one rule serves both: an answer stamped *s* holds
while the hub has heard of no access notice for that user after *s*. While Redis is away nothing
holds, and the database is asked.

What was remembered before Redis was away is forgotten: a loss of access that could not be published
then changed no number yet, so that an old stamp looks current when Redis is back.

A refusal is never remembered, so a guard need not hear of what gives access, only of what takes it
away. An action's guard never asks here: it decides inside the action's own transaction.
"""

from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, TypeVar

from core.access import Access, Me
from core.hub import Heard, Hub
from core.keys import access_key
from core.stamps import Stamp

T = TypeVar("T")

MOST_SESSIONS = 10_000
MOST_ANSWERS = 100_000


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    value: T
    user_id: int
    stamp: Stamp
    outages: int


class Shelf(Generic[T]):
    """A bounded memory of values, each of one user; the least recently used go first."""

    def __init__(self, hub: Hub, most: int) -> None:
        self._hub = hub
        self._most = most
        self._kept: OrderedDict[Hashable, _Kept[T]] = OrderedDict()

    def get(self, name: Hashable) -> T | None:
        """The value of *name*, when the hub says that it holds."""
        kept = self._kept.get(name)
        if kept is None:
            return None
        current = self._hub.is_current(access_key(kept.user_id), kept.stamp)
        if not current or kept.outages != self._hub.outages:
            self._kept.pop(name, None)
            return None
        with suppress(KeyError):  # another thread may have pushed it out meanwhile
            self._kept.move_to_end(name)
        return kept.value

    def put(self, name: Hashable, value: T, user_id: int, heard: Heard) -> None:
        """Keep *value*, read in a transaction begun after *heard*; nothing while Redis is away."""
        if heard.stamp is None:
            return
        self._kept.pop(name, None)
        self._kept[name] = _Kept(value, user_id, heard.stamp, heard.outages)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


class Memory:
    """The sessions (by `session_name`) and the guards' answers that one worker remembers."""

    def __init__(self, hub: Hub) -> None:
        self.sessions: Shelf[Me] = Shelf(hub, MOST_SESSIONS)
        self.answers: Shelf[Access] = Shelf(hub, MOST_ANSWERS)


def session_name(token: str) -> bytes:
    """What is kept of a session's token: a dump of the memory signs nobody in."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
