"""The hub: one per worker process; the only Redis subscriber, and the fan-out to the browsers.

::

    Redis ──notice──► listen ──► Versions (the rule of stamps) ──► Fanout ──► Stream ──► browser

1. It subscribes first and loads the versions after, so no notice falls between the two.
2. It runs in one thread, which under the gevent worker is a greenlet.
"""

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from gevent.monkey import get_original
from redis.exceptions import RedisError

from core import frames
from core.bus import Bus, Notice, Snapshot
from core.clock import Clock
from core.comparison import Comparison
from core.errors import BusUnavailable, InvalidStamp, Problem, TooMany, Unavailable
from core.explain.traces import Told, Traces
from core.fanout import Fanout
from core.keys import KeyParts, key_text
from core.settings import Settings
from core.sightings import Sightings
from core.sockets import Connections, can_own_sockets
from core.stamps import Stamp
from core.streams import Announcement, Stream
from core.subscription import Subscription
from core.telemetry.metrics import Metrics
from core.telemetry.spans import Spans
from core.versions import Arrival, Versions
from core.watchers import Watchers

log = logging.getLogger("coursewire.hub")
access_log = logging.getLogger("coursewire.access")

_LOOK_S = 0.25
_FIRST_RETRY_S = 0.1
_LONGEST_RETRY_S = 2.0
_BROWSERS_PER_SECOND = 500
"""How many browsers refetch per second after something that concerns them all."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How far a hub has heard (``None``: Redis is away), and how often Redis was away before."""

    stamp: Stamp | None
    outages: int


class Hub:
    """The fan-out of one worker.

    *draining* is asked fifteen times in a beat's interval; once it says so, every stream ends with
    ``bye`` and no new one is taken. *owes* says whether something committed before a moment is not
    published yet: browsers are told that Redis is back once that is done.
    """

    def __init__(
        self,
        bus: Bus,
        settings: Settings,
        draining: Callable[[], bool] = lambda: False,
        owes: Callable[[datetime], bool] = lambda _since: False,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        spans: Spans | None = None,
    ) -> None:
        self._bus = bus
        self._settings = settings
        self._metrics = metrics or Metrics()
        self._draining = draining
        self._owes = owes
        self._clock = clock or Clock()
        self._back_since: datetime | None = None
        self.outages = 0
        self._away_since: float | None = None
        self._away_s = 0.0
        # The system's, not gevent's, which is ten times slower: nothing switches while holding it.
        self._lock = get_original("_thread", "RLock")()
        self._watchers = Watchers()
        self._overhearing = 0
        self.sightings = Sightings(bus, self._metrics, settings.sightings_share)
        self._fanout = Fanout(
            self._watchers,
            self._lock,
            settings.heartbeat_s,
            lambda: self.stamp,
            self._metrics,
            self.sightings.choose,
            self._drain_when_told,
            spans,
        )
        self._versions: Versions | None = None
        self._connected = False
        self._comparison = Comparison(bus.probe, settings.heartbeat_s, self._clock, self._metrics)
        self._unsettled = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.loaded = threading.Event()
        self.connections: Connections | None = None
        self.traces = Traces()
        self._noticed: Callable[[Notice], None] = lambda _notice: None
        self._wrote: Callable[[str], None] | None = None

    @property
    def connected(self) -> bool:
        """Whether notices arrive."""
        return self._connected

    @property
    def stamp(self) -> Stamp | None:
        """Everything up to here has been heard; ``None`` while Redis is away.

        It may stamp a read that begins now: Redis is at this point or further.
        """
        with self._lock:
            return self._versions.stamp if self._versions is not None and self._connected else None

    @property
    def heard(self) -> Heard:
        """How far everything has been heard, and how often Redis was away before."""
        with self._lock:
            return Heard(self.stamp, self.outages)

    @property
    def settled(self) -> bool:
        """Whether notices arrive, and what was committed while they did not is published."""
        with self._lock:
            return self._connected and self._back_since is None

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._watchers) - self._overhearing

    @property
    def away_s(self) -> float:
        """For how many seconds, all in all, no notices arrived since it began to listen."""
        since = self._away_since
        return self._away_s + (self._clock.monotonic() - since if since is not None else 0.0)

    @property
    def watched_keys(self) -> int:
        """How many keys are watched here."""
        return len(self._watchers.keys)

    def audience(self, key: str) -> int:
        """How many streams here watch *key*."""
        return self._watchers.audience(key)

    def listen(self, noticed: Callable[[Notice], None], wrote: Callable[[str], None]) -> None:
        """Tell the freshness guard too of every notice, and of what other workers wrote.

        Call it before `start`. Both are called in the hub's thread, and must not wait.
        """
        self._noticed, self._wrote = noticed, wrote

    def start(self) -> None:
        """Begin to listen, in the background, and to own sockets where that can be."""
        self._away_since = self._clock.monotonic()
        if can_own_sockets():
            self.connections = Connections(self.leave, self._settings.stall_s)
        for target in (self._listen_for_ever, self._settle_for_ever, self._fanout.run):
            thread = threading.Thread(target=target, name=f"coursewire-{target.__name__}")
            thread.daemon = True
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End every stream and stop listening; returns when the threads have ended."""
        self._stopping.set()
        self._unsettled.set()
        self.drain()
        self._fanout.stop()
        for thread in self._threads:
            thread.join(timeout=5)
        if self.connections is not None:
            self.connections.close()

    def end(self, streams: list[Stream], reason: str) -> None:
        """Say ``bye`` to *streams*; they come back at once, and meet the guards again."""
        self._fanout.end(streams, reason, 0)

    def doubt(self) -> None:
        """Redis failed somebody: find out within a second whether it is away."""
        self._comparison.doubt()

    def tell_finding(self, key: KeyParts, text: str) -> None:
        """Tell the browsers that watch *key* that it is stale, and that nothing named it."""
        self._fanout.tell_watchers(key_text(key), frames.finding(key, text))

    def owe(self) -> None:
        """Something that was just committed could not be published: until it is, no cache is used.

        A read without a stamp may have shown it already, and nothing kept holds it.
        """
        with self._lock:
            if self._connected:
                self._back_since = self._clock.now()
        self._unsettled.set()

    @contextmanager
    def overheard(self, stream: Stream) -> Iterator[None]:
        """Meanwhile tell *stream*, which is no browser's, of its keys; it is in no count or log."""
        with self._lock:
            self._watchers.add(stream)
            self._fanout.add(stream)
            self._overhearing += 1
        try:
            yield
        finally:
            with self._lock:
                self._watchers.remove(stream)
                self._fanout.remove(stream)
                self._overhearing -= 1

    def drain(self) -> None:
        """Say ``bye`` to every browser; each comes back after a wait of its own."""
        with self._lock:
            streams = list(self._watchers)
        self._fanout.end(streams, "drain", _spread_ms(len(streams)))

    def refusal(self, access_key: str | None, address: str) -> Problem | None:
        """Why one more stream of this user, from this network address, is not opened."""
        settings = self._settings
        refused = self._metrics.streams_refused.add
        if self._draining():
            refused("draining")
            return Unavailable("This server is about to end. Come back; another one answers.")
        if len(self._watchers) >= settings.streams_per_worker:
            refused("worker")
            return Unavailable("Too many streams are open here. Come back in a moment.")
        if self._watchers.of_user(access_key) >= settings.streams_per_user:
            refused("user")
            return TooMany("You have too many streams open. Close some tabs or devices.")
        if self._watchers.of_address(address) >= settings.streams_per_address:
            refused("address")
            return TooMany("Too many streams are open from your network. Come back in a moment.")
        return None

    def join(self, stream: Stream) -> tuple[Stamp | None, bool]:
        """Begin to tell *stream* of its keys; returns the hub's stamp, and whether it is connected.

        Call it before the verdict: whatever comes after the stamp reaches the stream.
        """
        with self._lock:
            self._watchers.add(stream)
            self._fanout.add(stream)
            self._metrics.streams_opened.add()
            return self.stamp, self.settled

    def leave(self, stream: Stream) -> None:
        """Forget *stream*; harmless when repeated. Called from gevent's loop too: never waits."""
        with self._lock:
            known = self._watchers.remove(stream)
            self._fanout.remove(stream)
        if known:
            self._metrics.streams_ended.add(stream.ended)
            access_log.info(
                "stream %s keys=%d seconds=%.1f frames=%d",
                stream.label,
                len(stream.keys),
                time.monotonic() - stream.started_at,
                stream.frames_sent,
                extra={"path": "/live", "address": stream.address, "ended": stream.ended},
            )

    def is_current(self, key: str, stamp: Stamp | None) -> bool:
        """Whether data for *key*, stamped so, is current as far as this hub has heard."""
        with self._lock:
            return self._versions is not None and self._versions.is_current(key, stamp)

    def same_generation(self, stamp: Stamp | None) -> bool:
        """Whether *stamp* is of the generation that this hub hears."""
        with self._lock:
            known = self._versions.stamp.generation if self._versions is not None else None
            return stamp is not None and stamp.generation == known

    def _listen_for_ever(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._listen()
                failures = 0
            except Exception as error:
                if not isinstance(error, RedisError | OSError | BusUnavailable):
                    log.exception("The hub failed; it connects anew")
                was_connected = self._connected
                self._disconnected(error)
                failures = 1 if was_connected else failures + 1
            longest = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2 ** min(failures, 8))
            self._stopping.wait(random.uniform(0, longest))  # noqa: S311  jitter, not a secret

    def _listen(self) -> None:
        channels = [self._bus.channel]
        if self._wrote is not None:
            channels.append(self._bus.writes_channel)
        if self._settings.sightings_share:
            channels.append(self._bus.seen_channel)
        heard = Subscription(self._bus, channels, self._settings.redis_timeout_s * 4)
        try:
            self._comparison.begin()
            self._bus.probe()
            self._resume()
            self._hear(heard)
        finally:
            heard.close()

    def _hear(self, subscription: Subscription) -> None:
        while not self._stopping.is_set():
            message = subscription.next(min(1.0, self._settings.heartbeat_s))
            if message is not None:
                self._message(*message)
            if self._comparison.is_due:
                self._compare()

    def _message(self, channel: str, data: str) -> None:
        if channel == self._bus.channel:
            self._notice(data)
        elif channel == self._bus.seen_channel:
            self.sightings.hear(data)
        elif self._wrote is not None:
            self._wrote(data)

    def _notice(self, data: str) -> None:
        try:
            stamp, notice = decode_notice(data)
        except (InvalidStamp, ValueError, KeyError, TypeError) as error:
            log.warning("A notice that cannot be read came over %s: %s", self._bus.channel, error)
            self._resume()
            return
        with self._lock:
            assert self._versions is not None  # noqa: S101  resumed before it hears
            if notice.reset:
                arrival = self._versions.reset(stamp)
            else:
                arrival = self._versions.arrive(stamp, notice.keys)
            if arrival is Arrival.NEXT:
                self._noticed(notice)
                self._tell(notice, stamp, self.traces.heard(notice, stamp))
        if arrival is Arrival.NEXT:
            self._metrics.notices_heard.add(notice.cause)
            if notice.at is not None:
                self._metrics.notice_heard_seconds.add(time.time() - notice.at)
        elif arrival is Arrival.GAP:
            self._metrics.notices_missed.add()
            log.warning("A notice is missing before %s; reading the versions anew", stamp)
            self._resume()

    def _tell(self, notice: Notice, stamp: Stamp, told: Told) -> None:
        """A reset stands for events that cannot be told: some may have taken access away."""
        spread_ms = _spread_ms(len(self._watchers)) if notice.reset else 0
        named = None if notice.reset else notice.keys
        lost = self._watchers.losing_access(notice.keys)
        if notice.reset:
            lost = [stream for stream in self._watchers if stream.access_key is not None]
        if named is not None:
            self._fanout.end(lost, "access", 0, _access(stamp))
        if named is None or self._watchers.are_watched(named):
            announcement = Announcement(
                notice.cause, notice.trace, stamp, spread_ms, notice.at, told
            )
            self._fanout.announce(named, announcement)
        else:
            self._metrics.notices_unwatched.add()
        if named is None:
            self._fanout.end(lost, "access", spread_ms)

    def versions_of(self, snapshot: Snapshot) -> Versions:
        """What answers stamps from *snapshot* on."""
        return Versions(snapshot, kept=self._settings.versions_kept)

    def _resume(self) -> None:
        """Load the versions; whoever shows something older than they say is told so."""
        snapshot = self._bus.snapshot()
        fresh = self.versions_of(snapshot)
        with self._lock:
            before = self._versions.stamp if self._versions is not None else None
            self._versions = fresh
            came_back, self._connected = not self._connected, True
            self._away_s, self._away_since = self.away_s, None
            self._tell_changed_since(before, fresh)
            if came_back:
                self._back_since = self._clock.now()
        if came_back:
            if before is not None:
                log.info("Redis is back, at %s", fresh.stamp)
            self._say_restored()
            self._unsettled.set()
        self.loaded.set()

    def _say_restored(self) -> None:
        """Tell the browsers to stop polling, once all that was committed before is published."""
        since = self._back_since
        if since is None or self._owes(since):
            return
        with self._lock:
            if self._connected and self._back_since is since:
                self._back_since = None
                self._fanout.tell_all("restored")

    def _tell_changed_since(self, before: Stamp | None, fresh: Versions) -> None:
        changed = [key for key in self._watchers.keys if not fresh.is_current(key, before)]
        same = before is not None and before.generation == fresh.stamp.generation
        spread_ms = _spread_ms(len(self._watchers))
        cause = "resume" if same else "reset"
        lost = [
            stream
            for stream in self._watchers
            if stream.access_key is not None and not fresh.is_current(stream.access_key, before)
        ]
        if same:
            self._fanout.end(lost, "access", spread_ms, _access(fresh.stamp))
        if changed:
            self._fanout.announce(changed, Announcement(cause, "", fresh.stamp, spread_ms))
        if not same:
            self._fanout.end(lost, "access", spread_ms)

    def _compare(self) -> None:
        if self._comparison.finds_loss(self.stamp):
            self._resume()

    def _disconnected(self, error: Exception) -> None:
        with self._lock:
            if not self._connected:
                return
            self._connected = False
            self._away_since = self._clock.monotonic()
            self._back_since = None
            self.outages += 1
            self._fanout.tell_all("degraded")
        log.warning("Redis is away: %s", error)

    def _settle_for_ever(self) -> None:
        """Look whether all is published, for as long as something was not; then sleep."""
        while not self._stopping.is_set():
            self._unsettled.wait()
            self._unsettled.clear()
            while self._back_since is not None and not self._stopping.wait(_LOOK_S):
                try:
                    self._say_restored()
                except Exception:
                    log.exception("It could not be looked for what is owed; it is tried again")

    def _drain_when_told(self) -> None:
        if self._draining():
            self.drain()


def _access(stamp: Stamp) -> Announcement:
    """What is said to streams that end because their user may do something else as of *stamp*.

    All they show may depend on that, and their notice does not name it. They come back with
    *stamp*, so it must be said before they go; and before the notice itself, since a browser that
    hears only the first of two frames with one stamp takes it for all there is.
    """
    return Announcement("access", "", stamp)


def _spread_ms(browsers: int) -> int:
    return browsers * 1000 // _BROWSERS_PER_SECOND


def decode_notice(text: str) -> tuple[Stamp, Notice]:
    """What the channel carries: a stamp, and a notice.

    Raises `InvalidStamp`, `ValueError`, `KeyError` or `TypeError` for anything else.
    """
    head, _, body = text.partition(" ")
    data = json.loads(body)
    keys: Iterable[str] = data["keys"]
    at = data.get("at")
    notice = Notice(
        tuple(keys),
        data["cause"],
        data["trace"],
        reset=bool(data.get("reset")),
        at=float(at) if at is not None else None,
        why=str(data.get("why", "")),
    )
    return Stamp.parse(head), notice
