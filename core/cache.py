"""The cache: one read of the database, however many ask.

::

    memory of the worker ─ miss ─► flight ─► Redis ─ body ─────────────────► answer
                                     │         ├─── lease ─► read ─► keep ─► answer
          others who ask meanwhile ──┘         └─── taken ─► wait, ask again

1. A body is current by the rule of stamps or it is not used; its age plays no part.
2. A lease and the stamp of what is read under it come from one script, and the read begins after.
3. Nobody waits while holding a database connection.
4. Each language has bodies of its own, under a lease of its own: nothing is made in a language
   that nobody looks in. One key makes them all stale.
5. While Redis is away, and until what was committed meanwhile is published, nothing kept is used:
   those who ask at the same time share a read of the database, and that is all.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from core.bodies import Bodies
from core.bus import Bus, Recalled
from core.clock import Clock
from core.database import release_session
from core.errors import BadRequest, BusUnavailable
from core.flights import Flights
from core.hub import Heard, Hub
from core.keys import access_key
from core.memory import Memory
from core.queries import Key
from core.settings import Settings
from core.stamps import Stamp
from core.telemetry.metrics import Metrics

Read = Callable[[], Bodies]

_FIRST_WAIT_S = 0.005
_LONGEST_WAIT_S = 0.05
_LEASES_AWAITED = 2
_LARGEST_SHARE = 4
"""No body takes more than one part in so many of what Redis keeps."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a key shows, current at ``stamp``; without one while Redis is away.

    ``ahead``: it may show more than is published, so what is kept elsewhere may show less.
    ``source`` is where it came from: “memory” (of this worker), “redis” or “database”.
    """

    bodies: Bodies
    stamp: Stamp | None
    ahead: bool = False
    source: str = "database"


class Cache:
    """The bodies that this worker remembers, and those that all workers of one build share."""

    def __init__(
        self,
        bus: Bus,
        hub: Hub,
        memory: Memory,
        settings: Settings,
        build: str,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._bus = bus
        self._metrics = metrics or Metrics()
        self._hub = hub
        self._memory = memory
        self._settings = settings
        self._build = build
        self._clock = clock or Clock()
        self._flights: Flights[Found] = Flights(self._clock)
        self._stamps: Flights[Stamp | None] = Flights(self._clock)

    @property
    def shared(self) -> dict[tuple[str, ...], float]:
        """How often one answer served several: bodies, and stamps of Redis."""
        return {("body",): self._flights.shared, ("stamp",): self._stamps.shared}

    def find(self, key: Key, floor: Stamp | None, read: Read, *, bypass: bool = False) -> Found:
        """What *key* shows at *floor* or later: what is kept, or what *read* returns.

        *read* begins a transaction of its own. *bypass* asks for nothing kept: the one who asks
        has committed something that is not published yet. Raises `BadRequest` for a floor that
        Redis itself has not reached, and whatever *read* raises.
        """
        found = self._find(key, floor, read, bypass=bypass)
        self._metrics.cache_answers.labels(found.source).inc()
        return found

    def _find(self, key: Key, floor: Stamp | None, read: Read, *, bypass: bool) -> Found:
        release_session()
        try:
            floor = self._reachable(floor)
        except BusUnavailable:
            bypass = True  # what is kept here may be older than the floor
        if not self._settings.cache_bytes:
            return self._read_now(read)
        if bypass or not self._hub.settled:
            found = self._flights.share((key.kept_as, "now"), lambda: self._read_now(read))
            return replace(found, ahead=not self._hub.settled)
        remembered = self._remembered(key, floor)
        if remembered is not None:
            return remembered
        found = self._flights.share(
            key.kept_as,
            lambda: self._remembered(key, floor) or self._find_shared(key, read),
        )
        if found.stamp is None or found.stamp.reaches(floor):
            return found
        return self._find_shared(key, read)  # the one who led the flight had a lower floor

    def _reachable(self, floor: Stamp | None) -> Stamp | None:
        """*floor*; in place of one of another generation, where Redis is.

        ::

            one who asks   floor a-41 ───────────────────► asks
            Redis              is at a-41 ── loses all ──── is at b-0
            this worker    has heard a-40 and none of that: what it remembers is below a-41
        """
        heard = self._hub.stamp
        if floor is None or (heard is not None and heard.reaches(floor)):
            return floor
        here = self._stamp_of_redis()
        if here is None:
            raise BusUnavailable("nobody can say whether the floor is reached")
        if floor.generation != here.generation:
            return here
        if not here.reaches(floor):
            raise BadRequest(
                f"Live-Floor {floor} is above the newest stamp, {here}. Send one you were given."
            )
        return floor

    def _remembered(self, key: Key, floor: Stamp | None) -> Found | None:
        """What this worker has, if it is current as far as the hub has heard."""
        heard = self._hub.stamp
        if heard is None or not heard.reaches(floor) or not self._hub.settled:
            return None
        bodies = self._memory.bodies.get(key.kept_as)
        return None if bodies is None else Found(bodies, heard, source="memory")

    def _find_shared(self, key: Key, read: Read) -> Found:
        """What all workers share, or a read for all of them; as new as Redis is now.

        It may stand still for as long as a lease lasts, when the one who held it has died.
        """
        keys, name = _depends_on(key), f"{self._build}:{key.kept_as}"
        wait_s, waited_since = _FIRST_WAIT_S, None
        until = self._clock.monotonic() + _LEASES_AWAITED * self._settings.lease_s
        try:
            while self._clock.monotonic() < until:
                outages = self._hub.outages
                recalled = self._bus.recall(name, keys, self._settings.lease_s)
                found = self._unpacked(recalled) or self._made(name, recalled, read)
                if found is not None:
                    heard = Heard(recalled.stamp, outages)
                    size = found.bodies.size
                    self._memory.bodies.put(key.kept_as, found.bodies, keys, heard, size)
                    return found
                waited_since = waited_since or self._clock.monotonic()
                self._clock.sleep(wait_s)
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        except BusUnavailable:
            self._hub.doubt()
        finally:
            if waited_since is not None:
                waited_s = self._clock.monotonic() - waited_since
                self._metrics.lease_wait_seconds.observe(waited_s)
        return self._read_now(read)

    def _unpacked(self, recalled: Recalled) -> Found | None:
        if recalled.body is None:
            return None
        return Found(Bodies.unpack(recalled.body), recalled.stamp, source="redis")

    def _made(self, name: str, recalled: Recalled, read: Read) -> Found | None:
        """Read under the lease; ``None`` without one, and when it was lost meanwhile."""
        if recalled.lease is None:
            return None
        lost = False
        try:
            bodies = read()
            lost = not self._keep(name, recalled, bodies.pack())
        except BaseException:
            self._release(name, recalled)
            raise
        return None if lost else Found(bodies, recalled.stamp)

    def _keep(self, name: str, made: Recalled, packed: str) -> bool:
        """Give others what was read under the lease; whether that was held until now."""
        budget_bytes = self._settings.cache_bytes
        if len(packed) > budget_bytes // _LARGEST_SHARE:
            self._release(name, made)
            return True
        try:
            return self._bus.keep(name, made, packed, budget_bytes, self._settings.cache_ttl_s)
        except BusUnavailable:
            self._hub.doubt()
            return True

    def _release(self, name: str, made: Recalled) -> None:
        try:
            self._bus.release(name, made)
        except BusUnavailable:
            self._hub.doubt()

    def _read_now(self, read: Read) -> Found:
        """Read the database, whatever is kept; the stamp first."""
        stamp = self._stamp_of_redis()
        return Found(read(), stamp)

    def _stamp_of_redis(self) -> Stamp | None:
        """Where Redis is; asked once for all who ask now, since connections to it are few."""

        def ask() -> Stamp | None:
            try:
                return self._bus.stamp()
            except BusUnavailable:
                return None

        return self._stamps.share("stamp", ask)


def _depends_on(key: Key) -> tuple[str, ...]:
    """The keys whose notices make the bodies of *key* stale: for one user's, their access too."""
    return (key.text,) if key.owner_id is None else (key.text, access_key(key.owner_id))
