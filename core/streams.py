"""One browser's stream, fed by the hub and read by a WSGI server as a generator.

A slow reader holds a *set of stale keys*, never a queue of messages: what it has not been told yet
is merged into one frame.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from core import frames
from core.keys import KeyParts
from core.stamps import Stamp


@dataclass
class _Pending:
    """What the browser has not been told yet."""

    keys: dict[str, None]
    cause: str
    trace: str
    spread_ms: int
    stamp: Stamp | None


class Stream:
    """What one browser watches, and what it is still to be told.

    ``keys`` maps the text form to the tuple form. The stream ends at ``ends_at`` (monotonic
    seconds), when the session that opened it expires. Every method may be called from any thread.
    """

    def __init__(
        self,
        keys: Mapping[str, KeyParts],
        access_key: str | None,
        *,
        heartbeat_s: float,
        ends_at: float | None = None,
    ) -> None:
        self.keys = keys
        self.access_key = access_key
        self.started_at = time.monotonic()
        self.frames_sent = 0
        self._heartbeat_s = heartbeat_s
        self._ends_at = ends_at
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._states: list[bytes] = []
        self._pending: _Pending | None = None
        self._bye: bytes | None = None

    def say_stale(
        self, keys: Mapping[str, None], cause: str, trace: str, spread_ms: int, stamp: Stamp | None
    ) -> None:
        """Tell the browser to refetch *keys*; merged with what it has not been told yet."""
        with self._lock:
            if self._pending is None:
                self._pending = _Pending(dict(keys), cause, trace, spread_ms, stamp)
            else:
                self._pending.keys.update(keys)
                self._pending.cause, self._pending.trace = cause, trace
                self._pending.spread_ms = max(self._pending.spread_ms, spread_ms)
                self._pending.stamp = stamp
        self._wake.set()

    def say_state(self, event: str) -> None:
        """Tell the browser that the bus is ``degraded`` or ``restored``."""
        with self._lock:
            self._states.append(frames.frame(event, {}))
        self._wake.set()

    def say_bye(self, reason: str, retry_ms: int) -> None:
        """End the stream; the first reason stands."""
        with self._lock:
            self._bye = self._bye or frames.bye(reason, retry_ms)
        self._wake.set()

    def read(self, first: bytes, stamp_now: Callable[[], Stamp | None]) -> Iterator[bytes]:
        """The encoded frames, *first* at once; waits cooperatively, and holds no resource.

        *stamp_now* says how far the hub has heard; a beat carries it, after everything up to there.
        """
        yield first
        self.frames_sent += 1
        next_beat = time.monotonic() + self._heartbeat_s
        ended = False
        while not ended:
            self._wake.wait(max(0.0, next_beat - time.monotonic()))
            self._wake.clear()
            if self._ends_at is not None and time.monotonic() >= self._ends_at:
                self.say_bye("access", 0)
            stamp = stamp_now()
            taken, ended = self._take()
            for encoded in taken:
                yield encoded
                self.frames_sent += 1
            if time.monotonic() >= next_beat and not ended:
                next_beat = time.monotonic() + self._heartbeat_s
                yield frames.beat(stamp)
                self.frames_sent += 1

    def _take(self) -> tuple[list[bytes], bool]:
        """What is to be sent now, and whether it is the last."""
        with self._lock:
            taken, self._states = self._states, []
            pending, self._pending = self._pending, None
            bye = self._bye
        if pending is not None:
            keys = [self.keys[key] for key in pending.keys]
            taken.append(
                frames.stale(keys, pending.cause, pending.trace, pending.spread_ms, pending.stamp)
            )
        if bye is not None:
            taken.append(bye)
        return taken, bye is not None
