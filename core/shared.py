"""What the workers of one site tell each other, by way of Redis, of sessions and guards' answers.

A browser may come to a worker that has not met its user yet. Another one has: the database need not
be asked again. What is told carries the stamp that it was read at and the keys that it depends on,
and who hears it judges it by what its own hub has heard, as it judges what it remembers itself.

1. Names are hashes, also of the session's token: a dump of Redis signs nobody in. Whoever could
   write to Redis signs nobody in either: what is told is sealed with the secret key.
2. Nothing is told or believed while Redis is away, and until what was committed meanwhile is
   published.
3. Connections to Redis are few. Those who ask while one asks are asked for together, next::

    A  asks ──► Redis ──────► has it
    B     waits ─────────────┐
    C        waits ──────────┴──► Redis, once ──► both have theirs
"""

import json
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from hmac import compare_digest
from typing import Any, Generic, TypeVar

from core.bus import Bus
from core.database import release_session
from core.errors import BusUnavailable
from core.hub import Heard, Hub
from core.settings import Settings
from core.shelves import Shelf
from core.stamps import Stamp

T = TypeVar("T")

_SEAL_BYTES = 16
_SEAL_LENGTH = 2 * _SEAL_BYTES


@dataclass(frozen=True)
class Spelling(Generic[T]):
    """How a kind of value, and its names, are written for others; ``write`` returns plain JSON."""

    kind: str
    name: Callable[[Any], str]
    write: Callable[[T], Any]
    read: Callable[[Any], T]


@dataclass
class _Batch:
    """Names that are asked for together; ``found`` is there once it has ``landed``."""

    names: dict[str, None] = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)
    landed: threading.Event = field(default_factory=threading.Event)


class Shared:
    """The texts that the workers of one build share, by name, within the budget of the cache."""

    def __init__(self, bus: Bus, hub: Hub, settings: Settings, build: str) -> None:
        self._bus = bus
        self._hub = hub
        self._settings = settings
        self._build = build
        self._secret = sha256(settings.secret_key.encode()).digest()
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._next = _Batch()
        self._owed: dict[str, str] = {}
        self._giving = False

    @property
    def open(self) -> bool:
        """Whether anything is told and believed now."""
        return self._settings.cache_bytes > 0 and self._hub.settled

    def name(self, kind: str, name: str) -> str:
        """What *name* is called in Redis."""
        return self._hash(f"{self._build}:{kind}:{name}")

    def find(self, name: str) -> str | None:
        """What somebody has given as *name*, if its seal is ours. Waits for Redis."""
        with self._lock:
            batch = self._next
            leads = not batch.names
            batch.names[name] = None
        if leads:
            self._ask_for(batch)
        else:
            batch.landed.wait()
        text = batch.found.get(name)
        if text is None:
            return None
        seal, content = text[:_SEAL_LENGTH], text[_SEAL_LENGTH:]
        return content if compare_digest(seal, self._hash(name + content)) else None

    def give(self, name: str, content: str) -> None:
        """Let others find *content*. Waits for Redis, unless another one gives it along."""
        with self._lock:
            self._owed[name] = self._hash(name + content) + content
            if self._giving:
                return
            self._giving = True
        try:
            while owed := self._take():
                self._bus.store(owed, self._settings.cache_bytes, self._settings.cache_ttl_s)
        except BusUnavailable:
            self._hub.doubt()
        finally:
            with self._lock:
                self._giving = False

    def _ask_for(self, batch: _Batch) -> None:
        try:
            with self._asking:
                self._close(batch)
                batch.found = self._bus.fetch(tuple(batch.names))
        except BusUnavailable:
            self._hub.doubt()
        finally:
            self._close(batch)
            batch.landed.set()

    def _close(self, batch: _Batch) -> None:
        """Let nobody join *batch* any more."""
        with self._lock:
            if self._next is batch:
                self._next = _Batch()

    def _take(self) -> dict[str, str]:
        with self._lock:
            owed, self._owed = self._owed, {}
            return owed

    def _hash(self, text: str) -> str:
        content = text.encode("utf-8", "surrogatepass")
        return blake2b(content, key=self._secret, digest_size=_SEAL_BYTES).hexdigest()


class SharedShelf(Shelf[T]):
    """A memory that asks other workers for what it lacks, and tells them what it got."""

    def __init__(self, hub: Hub, most: int, shared: Shared, spelling: Spelling[T]) -> None:
        super().__init__(hub, most)
        self._shared = shared
        self._spelling = spelling

    def get(self, name: Hashable) -> T | None:
        """The value of *name*, when the hub says that it holds. Holds no connection meanwhile."""
        value = super().get(name)
        if value is None and self._shared.open:
            release_session()
            self._learn(name)
            value = super().get(name)
        return value

    def put(
        self, name: Hashable, value: T, keys: tuple[str, ...], heard: Heard, size: int = 1
    ) -> None:
        """Keep *value*, read in a transaction begun after *heard*, and tell the others."""
        super().put(name, value, keys, heard, size)
        if heard.stamp is None or heard.outages != self._hub.outages or not self._shared.open:
            return
        told = [str(heard.stamp), keys, self._spelling.write(value)]
        self._shared.give(self._name(name), json.dumps(told, separators=(",", ":")))

    def _learn(self, name: Hashable) -> None:
        outages = self._hub.outages
        content = self._shared.find(self._name(name))
        if content is not None:
            stamp, keys, written = json.loads(content)
            heard = Heard(Stamp.parse(stamp), outages)
            super().put(name, self._spelling.read(written), tuple(keys), heard)

    def _name(self, name: Hashable) -> str:
        return self._shared.name(self._spelling.kind, self._spelling.name(name))
