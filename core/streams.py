"""One browser's stream: what it watches, and what it is still to be told.

Two kinds carry frames: a socket that the hub owns (`sockets.py`, under gunicorn's gevent worker),
and the generator here, which any WSGI server can read.

A slow reader holds a *set of stale keys*, never a queue of messages: what it has not been told yet
is merged into one frame.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from core import frames
from core.explain.traces import Told
from core.keys import KeyParts
from core.stamps import Stamp
from core.watchers import WatchedKey

_MOST_WAITING = 8


@dataclass(frozen=True, slots=True)
class Announcement:
    """Why keys are to be refetched, and as of when.

    ``at`` is when the write was committed, in seconds since the epoch; ``told`` is where it is
    noted how many browsers have been told; ``reports`` are the traces that the browser is to report
    on, as in `core.sightings`.
    """

    cause: str
    trace: str
    stamp: Stamp | None
    spread_ms: int = 0
    at: float | None = None
    told: Told | None = None
    reports: tuple[str, ...] = ()

    def frame(self, keys: Sequence[WatchedKey]) -> bytes:
        """The encoded frame that names *keys*."""
        parts = [key.parts for key in keys]
        age_ms = None if self.at is None else max(0, round((time.time() - self.at) * 1000))
        return frames.stale(
            parts, self.cause, self.trace, self.spread_ms, self.stamp, age_ms, self.reports
        )


class Stream:
    """One browser's stream.

    ``wanted`` maps the text form to the tuple form of the keys to watch; once it has joined, they
    are in ``keys``. It ends at ``ends_at`` (seconds of `time.monotonic`), with the session that
    opened it. ``fd`` is a descriptor that takes data now, or -1. ``ended`` is why it ends, once it
    does: “left” unless we end it. ``id`` is what the browser calls it by in its reports; empty for
    one that makes none. Only the fan-out calls the ``send…`` methods, so frames keep their order.
    """

    __slots__ = (
        "access_key", "address", "beat_slot", "ended", "ends_at", "fd", "frames_sent", "id",
        "keys", "label", "started_at", "wanted",
    )  # fmt: skip

    def __init__(
        self,
        wanted: Mapping[str, KeyParts],
        access_key: str | None,
        *,
        ends_at: float | None = None,
        address: str = "",
        label: str = "-",
    ) -> None:
        self.wanted = wanted
        self.keys: tuple[WatchedKey, ...] = ()
        self.access_key = access_key
        self.ends_at = ends_at
        self.address = address
        self.label = label
        self.beat_slot = 0
        self.id = ""
        self.ended = "left"
        self.fd = -1
        self.started_at = time.monotonic()
        self.frames_sent = 0

    def send_stale(
        self, encoded: bytes, keys: Sequence[WatchedKey], announcement: Announcement
    ) -> None:
        """Tell the browser to refetch *keys*; *encoded* is the frame, should nothing be waiting."""
        raise NotImplementedError

    def sent_partly(self, rest: bytes) -> None:
        """The descriptor took less than a whole frame; *rest* is still to be sent."""
        raise NotImplementedError

    def send(self, encoded: bytes) -> None:
        """Send a frame about the stream itself."""
        raise NotImplementedError

    def send_state(self, encoded: bytes) -> None:
        """Send ``degraded`` or ``restored``, which must not be lost."""
        self.send(encoded)

    def end(self, encoded: bytes) -> None:
        """Send the last frame, and close."""
        raise NotImplementedError


class PulledStream(Stream):
    """A stream that a WSGI server reads as a generator; any thread may send to it."""

    __slots__ = ("_last", "_late", "_lock", "_waiting", "_wake")

    def __init__(
        self,
        wanted: Mapping[str, KeyParts],
        access_key: str | None,
        *,
        ends_at: float | None = None,
        address: str = "",
        label: str = "-",
    ) -> None:
        super().__init__(wanted, access_key, ends_at=ends_at, address=address, label=label)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._waiting: list[bytes] = []
        self._late = LateKeys()
        self._last = False

    def send_stale(
        self,
        encoded: bytes,  # noqa: ARG002  encoded anew, with what else is waiting
        keys: Sequence[WatchedKey],
        announcement: Announcement,
    ) -> None:
        """Tell the browser to refetch *keys*, together with what it has not been told yet."""
        with self._lock:
            if not self._last:
                self._late.add(keys, announcement)
        self._wake.set()

    def send(self, encoded: bytes) -> None:
        """Send a frame about the stream itself; of those not yet read, the newest few are kept."""
        with self._lock:
            if not self._last:
                self._waiting = [*self._waiting[1 - _MOST_WAITING :], encoded]
        self._wake.set()

    def end(self, encoded: bytes) -> None:
        """Send the last frame, and close; the first reason stands."""
        with self._lock:
            if not self._last:
                self._waiting = [encoded]
                self._last = True
        self._wake.set()

    def read(self, first: bytes) -> Iterator[bytes]:
        """The encoded frames, *first* at once; waits cooperatively, and holds no resource."""
        yield first
        self.frames_sent += 1
        ended = False
        while not ended:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                taken, self._waiting = self._waiting, []
                late, ended = self._late.take(), self._last
            for encoded in [late, *taken]:
                if encoded:
                    yield encoded
                    self.frames_sent += 1


class LateKeys:
    """The keys that a browser has not been told of yet, and the newest reason."""

    __slots__ = ("_announcement", "_keys", "_reports")

    def __init__(self) -> None:
        self._keys: dict[WatchedKey, None] = {}
        self._reports: tuple[str, ...] = ()
        self._announcement: Announcement | None = None

    def __bool__(self) -> bool:
        return self._announcement is not None

    def add(self, keys: Sequence[WatchedKey], announcement: Announcement) -> None:
        """Merge *keys* in."""
        self._keys.update(dict.fromkeys(keys))
        self._announcement = announcement
        if announcement.reports:
            reports = dict.fromkeys((*self._reports, *announcement.reports))
            self._reports = tuple(reports)[-_MOST_WAITING:]

    def take(self) -> bytes:
        """One frame with all of them, which are then told; nothing when there are none."""
        if self._announcement is None:
            return b""
        announcement = replace(self._announcement, reports=self._reports)
        encoded = announcement.frame(tuple(self._keys))
        self._keys, self._announcement, self._reports = {}, None, ()
        return encoded
