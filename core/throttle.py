"""How often something may be tried: counted in Redis for all workers together.

1. A try is counted before it is made, and given back when it succeeds. Who sends a thousand at once
   has not got a thousand for free.
2. A window begins with its first try and ends by itself. Tries that were refused do not lengthen
   it, so nobody can keep somebody else out for longer by trying more.
3. While Redis is away each worker counts for itself: there are then as many tries as workers, and
   never none at all, and never no limit.
4. Redis holds hashes of what is counted, under the secret key: no address, and no e-mail.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from typing import TypeVar

from limits.storage import MemoryStorage, RedisStorage, Storage

from core.bus import Bus
from core.errors import BusUnavailable, TooMany

T = TypeVar("T")

log = logging.getLogger("coursewire.throttle")


@dataclass(frozen=True)
class Limit:
    """At most ``tries`` within ``per_s`` seconds of the first, for each of those counted."""

    name: str
    tries: int
    per_s: int


@dataclass(frozen=True)
class Tries:
    """What was counted; `give_back` when it succeeded."""

    throttle: "Throttle"
    counted: tuple[tuple[Limit, str], ...]

    def give_back(self) -> None:
        """These were no failures: they count no longer."""
        for limit, whom in self.counted:
            self.throttle.count(limit, whom, -1)


class Throttle:
    """The counters of one app."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._secret = bus.settings.secret_key.encode()
        self._redis = RedisStorage(
            "redis://",  # where it is says the pool
            connection_pool=bus.client.connection_pool,
            key_prefix=f"{{{bus.settings.redis_prefix}}}:tries",
        )
        self._own: MemoryStorage | None = None
        self._lock = threading.Lock()
        self._alone = False

    def take(self, detail: str, *counted: tuple[Limit, str]) -> Tries:
        """Count one try for each of *counted*; raises `TooMany` with *detail* above a limit."""
        for limit, whom in counted:
            if self.count(limit, whom, 1) > limit.tries:
                raise TooMany(detail, retry_after_s=self._wait_s(limit, whom))
        return Tries(self, counted)

    def count(self, limit: Limit, whom: str, amount: int) -> int:
        """Add *amount* to the tries of *whom*; what they are now. Waits for Redis, briefly."""
        name = self._name(limit, whom)
        return self._either(lambda storage: storage.incr(name, limit.per_s, amount))

    def _wait_s(self, limit: Limit, whom: str) -> int:
        name = self._name(limit, whom)
        ends_at = self._either(lambda storage: storage.get_expiry(name))
        return max(1, min(limit.per_s, round(ends_at - time.time()) + 1))

    def _either(self, work: Callable[[Storage], T]) -> T:
        """What *work* finds in Redis; in this worker's memory while Redis is away."""
        try:
            found = self._bus.lend(lambda: work(self._redis))
        except BusUnavailable as error:
            if not self._alone:
                log.warning("Tries are counted by each worker for itself: %s", error)
            self._alone = True
            with self._lock:
                self._own = self._own or MemoryStorage()
            return work(self._own)
        self._alone = False
        return found

    def _name(self, limit: Limit, whom: str) -> str:
        content = whom.encode("utf-8", "surrogatepass")
        return f"{limit.name}:{blake2b(content, key=self._secret[:64], digest_size=16).hexdigest()}"


def network_of(address: str) -> str:
    """What is counted as one sender: an IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return parsed.exploded[:19]
