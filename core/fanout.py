"""The fan-out: from a notice to the frames of every browser that watches one of its keys.

One loop sends everything, in the order it was announced, so a beat's stamp never overtakes a notice
that it covers. Notices that wait while a round is under way are merged as sets of keys. Every few
milliseconds the loop lets the worker's other greenlets run.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec

from core import frames
from core.stamps import Stamp
from core.streams import Announcement, Stream
from core.turns import Turn
from core.watchers import WatchedKey, Watchers

log = logging.getLogger("coursewire.hub")

P = ParamSpec("P")

BEAT_SLOTS = 60
"""Into how many parts the beats of an interval are spread."""

_SLICE = 64


@dataclass
class _Stale:
    """Keys to announce; ``named`` is ``None`` for every watched key."""

    named: dict[str, None] | None
    announcement: Announcement

    def merge(self, named: Sequence[str] | None, announcement: Announcement) -> None:
        """Announce *named* in the same round."""
        self.announcement = announcement
        if named is None or self.named is None:
            self.named = None
        else:
            self.named.update(dict.fromkeys(named))


@dataclass
class _Frame:
    """A frame for every stream."""

    encoded: bytes


@dataclass
class _End:
    """The last frame for some streams, perhaps after one that names all they watch."""

    streams: list[Stream] = field(default_factory=list)
    encoded: bytes = b""
    announcement: Announcement | None = None


class Fanout:
    """Sends to the streams of one worker; its loop is one thread, a greenlet under gevent.

    *lock* guards *watchers*; nothing switches to another greenlet while holding it. *stamp_now* is
    how far the hub has heard.
    """

    def __init__(
        self,
        watchers: Watchers,
        lock: threading.RLock,
        heartbeat_s: float,
        stamp_now: Callable[[], Stamp | None],
    ) -> None:
        self._watchers = watchers
        self._lock = lock
        self._heartbeat_s = heartbeat_s
        self._stamp_now = stamp_now
        self._waiting: list[_Stale | _Frame | _End] = []
        self._wake = threading.Event()
        self._stopping = False
        self._slots: list[set[Stream]] = [set() for _ in range(BEAT_SLOTS)]
        self._next_slot = 0
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
        with self._lock:
            self._waiting.append(_End(streams, frames.bye(reason, retry_ms), announcement))
        self._wake.set()

    def add(self, stream: Stream) -> None:
        """Give *stream* its place among the beats, a whole interval from now."""
        stream.beat_slot = (self._next_slot - 1) % BEAT_SLOTS
        self._slots[stream.beat_slot].add(stream)

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
            self._wake.wait(max(0.0, next_beat - time.monotonic()))
            self._wake.clear()
            self._turn.begin()
            stamp = self._send_waiting()
            if self._stopping:
                return
            while time.monotonic() >= next_beat:
                next_beat += tick_s
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
                for stream in self._everybody():
                    self._do(stream, stream.send_state, item.encoded)
            else:
                for stream in item.streams:
                    if item.announcement is not None and stream.keys:
                        encoded = item.announcement.frame(stream.keys)
                        self._do(stream, stream.send_stale, encoded, stream.keys, item.announcement)
                    self._do(stream, stream.end, item.encoded)
        return stamp

    def _everybody(self) -> list[Stream]:
        with self._lock:
            return list(self._watchers)

    def _send_stale(self, item: _Stale) -> None:
        with self._lock:
            named = self._watchers.keys if item.named is None else item.named
            groups = self._watchers.watching(named)
        for keys, streams in groups.items():
            self._send_group(streams, item.announcement.frame(keys), keys, item.announcement)

    def _send_group(
        self,
        streams: Sequence[Stream],
        encoded: bytes,
        keys: tuple[WatchedKey, ...],
        announcement: Announcement,
    ) -> None:
        """The hot loop: a bare ``write`` for each browser that takes data."""
        write, size = os.write, len(encoded)
        for start in range(0, len(streams), _SLICE):
            for stream in streams[start : start + _SLICE]:
                try:
                    written = write(stream.fd, encoded)
                except OSError:
                    # Slow, gone, or read by a generator: the stream itself knows which.
                    self._do(stream, stream.send_stale, encoded, keys, announcement)
                    continue
                stream.frames_sent += 1
                if written != size:
                    self._do(stream, stream.sent_partly, encoded[written:])
            self._turn.end_when_due()

    def _beat(self, stamp: Stamp | None) -> None:
        slot = self._slots[self._next_slot]
        self._next_slot = (self._next_slot + 1) % BEAT_SLOTS
        if not slot:
            return
        encoded = frames.beat(stamp)
        moment = time.monotonic()
        for stream in list(slot):
            if stream.ends_at is not None and moment >= stream.ends_at:
                self._do(stream, stream.end, frames.bye("access", 0))
            else:
                self._do(stream, stream.send, encoded)

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
