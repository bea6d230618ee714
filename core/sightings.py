"""Sightings: what browsers say of when a write stood on their screens, and freshness in nines.

::

    notice of a sampled write ──► "reports" in the frame of some browsers, its witnesses
                                                        │ painted, or why not
    each worker   the worst of its witnesses ◄──────────┘ POST /live/seen, on whatever worker
                         │ after a minute
                         ▼
    Redis ──► the worst of all workers ──► one worker counts the write: fresh within 1, 2, 10, 60 s

1. *F_write(T)* is the share of writes after which every eligible witness showed them within T;
   *F_pair(T)* the share of (write, witness) pairs. The clock starts at the commit.
2. A witness that says nothing counts as stale: unknown is stale.
3. Nobody looks at a hidden page, or at one that was left: these are not eligible, and say so.
4. A write has at most 50 witnesses in each worker, drawn by lot, or their reports would cost more
   than the write. Its own browser is one like any other.
"""

import json
import logging
import math
import random
import secrets
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from core.bus import Bus, Notice
from core.errors import BusUnavailable
from core.explain.traces import Told
from core.keys import prefixes
from core.telemetry.metrics import Metrics
from core.telemetry.tallies import Tally
from core.watchers import WatchedKey

if TYPE_CHECKING:
    from core.streams import Stream

log = logging.getLogger("coursewire.sightings")

State = Literal["painted", "left", "hidden", "failed"]

WITHIN_S = (1, 2, 10, 60)
"""The T of F(T)."""

WITNESSES = 50
"""Of one write, in one worker."""

SETTLED_S = 65.0
"""So long after the notice a worker takes what it has not heard as never."""

_JUDGED_S = 10.0
"""So long after that every other worker has told its worst."""

_MOST_AWAITED = 10_000


def new_stream_id() -> str:
    """What a browser calls its stream by when it reports; nobody else can guess it."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one browser says of one write.

    ``lag_s`` is from the commit to the paint, without the frame's way to the browser, which no
    clock of ours sees; it means something only for ``painted``.
    """

    trace: str
    state: State
    lag_s: float = 0.0


@dataclass(slots=True)
class _Awaited:
    """One write in one worker: whom it asked, and what they said."""

    since: float
    told: list[Told]
    asked: dict[str, int] = field(default_factory=dict)
    """By stream: frames that it has not reported on yet."""
    worst_s: dict[str, float] = field(default_factory=dict)
    """By stream: the longest lag that it reported; infinite for a failure."""
    excused: set[str] = field(default_factory=set)

    def pairs(self) -> list[float]:
        """The lag of each eligible pair, in seconds; infinite for those that are not known."""
        eligible = self.asked.keys() - self.excused
        return [
            math.inf if self.asked[stream] > 0 else self.worst_s.get(stream, math.inf)
            for stream in eligible
        ]


class Sightings:
    """The sightings of one worker's streams.

    Thread-safe. *share* is how many of all writes are sampled; which ones, every worker knows from
    the trace alone.
    """

    def __init__(self, bus: Bus, metrics: Metrics, share: float) -> None:
        self._bus = bus
        self._metrics = metrics
        self._below = math.ceil(share * 2**32)
        self._lock = threading.Lock()
        self._awaited: dict[str, _Awaited] = {}
        self._unjudged: dict[str, float] = {}
        self._untold: dict[str, float] = {}
        self._name = ""

    def samples(self, notice: Notice) -> bool:
        """Whether the browsers are asked about the write of *notice*."""
        if not self._below or notice.at is None or notice.reset:
            return False
        try:
            return int(notice.trace[:8], 16) < self._below
        except ValueError:
            return False

    def choose(
        self, groups: Mapping[tuple[WatchedKey, ...], Sequence["Stream"]], told: Sequence[Told]
    ) -> "dict[Stream, tuple[str, ...]]":
        """The witnesses of the sampled ones of *told*, with the traces that each reports on.

        *groups* are the streams that are told, by the keys that are named to them.
        """
        sampled = [each for each in told if self.samples(each.notice)]
        if not sampled:
            return {}
        found: dict[Stream, tuple[str, ...]] = {}
        for keys, streams in groups.items():
            asked = tuple(dict.fromkeys(e.notice.trace for e in sampled if _concerns(e, keys)))
            if asked:
                found.update(dict.fromkeys((s for s in streams if s.id), asked))
        if len(found) > WITNESSES:
            drawn = random.sample(list(found), WITNESSES)  # a lot, and no secret
            found = {stream: found[stream] for stream in drawn}
        self._await(found, sampled)
        return found

    def _await(self, witnesses: "Mapping[Stream, tuple[str, ...]]", sampled: list[Told]) -> None:
        moment = time.monotonic()
        with self._lock:
            for stream, traces in witnesses.items():
                for trace in traces:
                    awaited = self._awaited.get(trace)
                    if awaited is None:
                        if len(self._awaited) >= _MOST_AWAITED:
                            continue
                        about = [each for each in sampled if each.notice.trace == trace]
                        awaited = self._awaited[trace] = _Awaited(moment, about)
                    awaited.asked[stream.id] = awaited.asked.get(stream.id, 0) + 1

    def seen(self, stream_id: str, sightings: Iterable[Sighting]) -> bool:
        """Note what a browser saw; ``False`` when its stream is not one of this worker's."""
        known = False
        with self._lock:
            for sighting in sightings:
                awaited = self._awaited.get(sighting.trace)
                if awaited is None or awaited.asked.get(stream_id, 0) <= 0:
                    continue
                known = True
                awaited.asked[stream_id] -= 1
                self._note(awaited, stream_id, sighting)
        return known

    def _note(self, awaited: _Awaited, stream_id: str, sighting: Sighting) -> None:
        if sighting.state in ("left", "hidden"):
            awaited.excused.add(stream_id)
            return
        lag_s = sighting.lag_s if sighting.state == "painted" else math.inf
        awaited.worst_s[stream_id] = max(lag_s, awaited.worst_s.get(stream_id, 0.0))
        if sighting.state == "painted":
            self._metrics.painted_seconds.add(lag_s)
            for told in awaited.told:
                told.painted.append(round(lag_s * 1000))

    def hear(self, text: str) -> None:
        """What another worker was told by a browser whose stream may be one of ours."""
        try:
            stream_id, rows = json.loads(text)
            sightings = [Sighting(trace, state, lag_s) for trace, state, lag_s in rows]
        except (ValueError, TypeError) as error:
            log.warning("Sightings that cannot be read came over Redis: %s", error)
            return
        self.seen(stream_id, sightings)

    def forward(self, stream_id: str, sightings: Collection[Sighting]) -> None:
        """Tell the other workers; while Redis is away nobody learns of it: unknown is stale."""
        rows = [[each.trace, each.state, each.lag_s] for each in sightings]
        try:
            self._bus.tell_seen(json.dumps([stream_id, rows], separators=(",", ":")))
        except BusUnavailable as error:
            log.debug("Sightings were not forwarded: %s", error)

    def settle(self, moment: float | None = None) -> None:
        """Count what is due: the pairs of this worker, and writes of which all workers have told.

        Called every few seconds, outside of any request; waits for Redis, and no longer.
        """
        moment = time.monotonic() if moment is None else moment
        with self._lock:
            due = [t for t, a in self._awaited.items() if moment - a.since >= SETTLED_S]
            settled = {trace: self._awaited.pop(trace) for trace in due}
        for trace, awaited in settled.items():
            lags = awaited.pairs()
            for lag_s in lags:
                self._count(lag_s, self._metrics.sighted_pairs, self._metrics.fresh_pairs)
            if lags:
                self._untold[trace] = max(lags)
                self._unjudged[trace] = moment + _JUDGED_S
        for trace, worst_s in list(self._untold.items()):
            if self._tell_worst(trace, worst_s):
                del self._untold[trace]
        for trace in [t for t, at in self._unjudged.items() if moment >= at]:
            del self._unjudged[trace]
            self._judge(trace)

    def _tell_worst(self, trace: str, worst_s: float) -> bool:
        self._name = self._name or secrets.token_hex(8)
        try:
            self._bus.tell_worst(trace, self._name, worst_s)
        except BusUnavailable as error:
            log.debug("The worst lag of a write was not told yet: %s", error)
            return False
        return True

    def _judge(self, trace: str) -> None:
        """Whoever comes first takes what all have told, and counts the write, once.

        What this worker could not tell until now, it counts itself: rather twice than never.
        """
        own = [self._untold.pop(trace)] if trace in self._untold else []
        try:
            worst = self._bus.take_worst(trace) + own
        except BusUnavailable as error:
            log.debug("A write cannot be judged, which counts as stale: %s", error)
            worst = [math.inf]
        if worst:
            self._count(max(worst), self._metrics.sighted_writes, self._metrics.fresh_writes)

    def _count(self, lag_s: float, of: Tally, fresh: Tally) -> None:
        of.add()
        for within_s in WITHIN_S:
            fresh.add(str(within_s), by=1 if lag_s <= within_s else 0)


def _concerns(told: Told, keys: Iterable[WatchedKey]) -> bool:
    named = set(told.notice.keys)
    return any(named.intersection(prefixes(key.text)) for key in keys)
