"""The fan-out: from a notice to the frames of every browser that watches one of its keys.

One loop sends everything, in the order it was announced, so a beat's stamp never overtakes a notice
that it covers. Notices that wait while a round is under way are merged as sets of keys. Every few
milliseconds the loop lets the worker's other greenlets run.
"""

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ParamSpec

from core import frames
from core.explain.traces import Told
from core.stamps import Stamp
from core.streams import Announcement, Stream
from core.telemetry.metrics import Metrics
from core.telemetry.spans import Spans
from core.turns import Turn
from core.watchers import WatchedKey, Watchers

log = logging.getLogger("coursewire.hub")

P = ParamSpec("P")
Groups = Mapping[tuple[WatchedKey, ...], Sequence[Stream]]
Witnesses = Mapping[Stream, tuple[str, ...]]

BEAT_SLOTS = 15
"""Into how many parts the beats of an interval are spread; each wakes a worker that is idle."""

_SLICE = 64


@dataclass
class _Stale:
    """Keys to announce; ``named`` is ``None`` for every watched key."""

    named: dict[str, None] | None
    announcement: Announcement
    told: list[Told] = field(default_factory=list)

    def merge(self, named: Sequence[str] | None, announcement: Announcement) -> None:
        """Announce *named* in the same round."""
        if self.announcement.told is not None:
            self.told.append(self.announcement.told)
        self.announcement = announcement
        if named is None or self.named is None:
            self.named = None
        else:
            self.named.update(dict.fromkeys(named))


@dataclass
class _Frame:
    """A frame for every stream, or for those that watch one key."""

    encoded: bytes
    key: str | None = None


@dataclass
class _End:
    """The last frame for some streams, perhaps after one that names all they watch."""

    streams: list[Stream] = field(default_factory=list)
    encoded: bytes = b""
    announcement: Announcement | None = None


class Fanout:
    """Sends to the streams of one worker; its loop is one thread, a greenlet under gevent.

    *lock* guards *watchers*; nothing switches to another greenlet while holding it. *stamp_now* is
    how far the hub has heard. *witnesses* chooses who is to report on what was told, and on which
    traces. *tick* is called before each of the `BEAT_SLOTS` of an interval, and must not wait.
    """

    def __init__(
        self,
        watchers: Watchers,
        lock: threading.RLock,
        heartbeat_s: float,
        stamp_now: Callable[[], Stamp | None],
        metrics: Metrics | None = None,
        witnesses: Callable[[Groups, Sequence[Told]], Witnesses] = lambda _groups, _told: {},
        tick: Callable[[], None] = lambda: None,
        spans: Spans | None = None,
    ) -> None:
        self._watchers = watchers
        self._lock = lock
        self._heartbeat_s = heartbeat_s
        self._stamp_now = stamp_now
        self._metrics = metrics or Metrics()
        self._witnesses = witnesses
        self._tick = tick
        self._spans = spans or Spans()
        self._waiting: list[_Stale | _Frame | _End] = []
        self._wake = threading.Event()
        self._stopping = False
        self._slots: list[set[Stream]] = [set() for _ in range(BEAT_SLOTS)]
        self._next_slot = 0
        self._soonest_end = math.inf
        self._turn = Turn()

    def announce(self, named: Sequence[str] | None, announcement: Announcement) -> None:
        """Tell every browser that watches what *named* names; ``None`` names every key."""
        with self._lock:
            last = self._waiting[-1] if self._waiting else None
            if isinstance(last, _Stale):
                last.merge(named, announcement)
            else:
                keys = None if named is None else dict.fromkeys(named)
                self._waiting.append(_Stale(keys, announcement))
        self._wake.set()

    def tell_all(self, event: str) -> None:
        """Send every browser a frame about the stream itself: ``degraded`` or ``restored``."""
        with self._lock:
            self._waiting.append(_Frame(frames.frame(event, {})))
        self._wake.set()

    def tell_watchers(self, key: str, encoded: bytes) -> None:
        """Send a frame to the browsers that watch *key*, or a key that it prefixes."""
        with self._lock:
            self._waiting.append(_Frame(encoded, key))
        self._wake.set()

    def end(
        self,
        streams: list[Stream],
        reason: str,
        retry_ms: int,
        announcement: Announcement | None = None,
    ) -> None:
        """Say ``bye`` to *streams*, and close them; with *announcement*, name all keys first."""
        if not streams:
            return
        for stream in streams:
            stream.ended = reason
        with self._lock:
            self._waiting.append(_End(streams, frames.bye(reason, retry_ms), announcement))
        self._wake.set()

    def add(self, stream: Stream) -> None:
        """Give *stream* its place among the beats, a whole interval from now."""
        stream.beat_slot = (self._next_slot - 1) % BEAT_SLOTS
        self._slots[stream.beat_slot].add(stream)
        if stream.ends_at is not None:
            self._soonest_end = min(self._soonest_end, stream.ends_at)

    def remove(self, stream: Stream) -> None:
        """Take *stream* out of the beats; harmless when repeated."""
        self._slots[stream.beat_slot].discard(stream)

    def stop(self) -> None:
        """End `run` once what waits is sent."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        """Send until stopped."""
        tick_s = self._heartbeat_s / BEAT_SLOTS
        next_beat = time.monotonic() + tick_s
        while True:
            wait_s = next_beat - time.monotonic()
            if not self._wake.wait(max(0.0, wait_s)) and wait_s > 0:
                self._metrics.loop_delay_seconds.add(time.monotonic() - next_beat)
            self._wake.clear()
            self._turn.begin()
            stamp = self._send_waiting()
            if self._stopping:
                return
            while time.monotonic() >= next_beat:
                next_beat += tick_s
                self._tick()
                if time.monotonic() >= self._soonest_end:
                    self._end_expired(stamp)
                self._beat(stamp)

    def _send_waiting(self) -> Stamp | None:
        """Returns how far the browsers have been told then, for the beats."""
        with self._lock:
            # Both at once: every notice up to the stamp is in this round or before, and none above.
            stamp, waiting, self._waiting = self._stamp_now(), self._waiting, []
        for item in waiting:
            if isinstance(item, _Stale):
                self._send_stale(item)
            elif isinstance(item, _Frame):
                self._send_frame(item)
            else:
                for stream in item.streams:
                    if item.announcement is not None and stream.keys:
                        encoded = item.announcement.frame(stream.keys)
                        self._do(stream, stream.send_stale, encoded, stream.keys, item.announcement)
                    self._do(stream, stream.end, item.encoded)
                self._metrics.frames_written.add("bye", by=len(item.streams))
        return stamp

    def _send_frame(self, item: _Frame) -> None:
        if item.key is None:
            everybody = self._everybody()
            for stream in everybody:
                self._do(stream, stream.send_state, item.encoded)
            self._metrics.frames_written.add("state", by=len(everybody))
            return
        with self._lock:
            groups = self._watchers.watching([item.key])
        for streams in groups.values():
            for stream in streams:
                self._do(stream, stream.send, item.encoded)
            self._metrics.frames_written.add("finding", by=len(streams))

    def _everybody(self) -> list[Stream]:
        with self._lock:
            return list(self._watchers)

    def _send_stale(self, item: _Stale) -> None:
        with self._lock:
            named = self._watchers.keys if item.named is None else item.named
            groups = self._watchers.watching(named)
        told = [each for each in (*item.told, item.announcement.told) if each is not None]
        origin = told[-1].why.span if told and self._spans.on else ""
        with self._spans.span("fan-out", item.announcement.trace, origin) as span:
            self._send_groups(item, groups, told)
            span.set(browsers=sum(map(len, groups.values())))

    def _send_groups(self, item: _Stale, groups: Groups, told: Sequence[Told]) -> None:
        witnesses = self._witnesses(groups, told)
        for keys, streams in groups.items():
            asked = [stream for stream in streams if stream in witnesses] if witnesses else []
            if asked:
                reports = witnesses[asked[0]]  # those of a group all report on the same
                announcement = replace(item.announcement, reports=reports)
                self._send_group(asked, announcement.frame(keys), keys, announcement)
            others = [s for s in streams if s not in witnesses] if asked else streams
            self._send_group(others, item.announcement.frame(keys), keys, item.announcement)
        browsers = sum(map(len, groups.values()))
        for each in told:
            each.wrote(browsers)
            if browsers and each.notice.at is not None:
                self._metrics.notice_written_seconds.add(time.time() - each.notice.at)

    def _send_group(
        self,
        streams: Sequence[Stream],
        encoded: bytes,
        keys: tuple[WatchedKey, ...],
        announcement: Announcement,
    ) -> None:
        """The hot loop: a bare ``write`` for each browser that takes data."""
        write, size, late = os.write, len(encoded), 0
        for start in range(0, len(streams), _SLICE):
            for stream in streams[start : start + _SLICE]:
                try:
                    written = write(stream.fd, encoded)
                except OSError:
                    # Slow, gone, or read by a generator: the stream itself knows which.
                    late += 1
                    self._do(stream, stream.send_stale, encoded, keys, announcement)
                    continue
                stream.frames_sent += 1
                if written != size:
                    self._do(stream, stream.sent_partly, encoded[written:])
            self._turn.end_when_due()
        self._metrics.frames_written.add("stale", by=len(streams) - late)
        if late:
            self._metrics.frames_late.add(by=late)

    def _beat(self, stamp: Stamp | None) -> None:
        slot = self._slots[self._next_slot]
        self._next_slot = (self._next_slot + 1) % BEAT_SLOTS
        if not slot:
            return
        encoded = frames.beat(stamp)
        streams = list(slot)
        for stream in streams:
            self._do(stream, stream.send, encoded)
        self._metrics.frames_written.add("beat", by=len(streams))

    def _end_expired(self, stamp: Stamp | None) -> None:
        """End the streams whose session is over; what they show is nobody's any more.

        All are looked at, whenever the first that was to end might have: not at each beat, and
        nothing is kept of a stream that has left.
        """
        moment = time.monotonic()
        ends = [(s.ends_at, s) for slot in self._slots for s in slot if s.ends_at is not None]
        over = [stream for ends_at, stream in ends if ends_at <= moment]
        later = (ends_at for ends_at, _ in ends if ends_at > moment)
        self._soonest_end = min(later, default=math.inf)
        announcement = Announcement("access", "", stamp)
        for stream in over:
            stream.ended = "expired"
            if stream.keys:
                encoded = announcement.frame(stream.keys)
                self._do(stream, stream.send_stale, encoded, stream.keys, announcement)
            self._do(stream, stream.end, frames.bye("access", 0))
        self._metrics.frames_written.add("bye", by=len(over))

    def _do(self, stream: Stream, send: Callable[P, None], *args: P.args, **kw: P.kwargs) -> None:
        """Send to one stream; whatever is wrong with it must not end the loop of all others."""
        try:
            send(*args, **kw)
        except Exception:
            log.exception("A stream failed and was dropped")
            with self._lock:
                self._watchers.remove(stream)
            self.remove(stream)
        self._turn.end_when_due()
