"""Traces: what one worker did with the notices that it heard last."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.explain.why import Why
from core.stamps import Stamp

if TYPE_CHECKING:
    from core.bus import Notice

MOST = 500


class Told:
    """What one worker did with one notice; the times are seconds since the epoch.

    ``streams`` is how many browsers were told here, the last of them at ``written`` (``None``
    while it waits, and where nobody watches). ``painted`` has the milliseconds from the commit to
    the paint, for each browser that was asked and has reported; see `core.sightings`.
    """

    __slots__ = ("heard", "notice", "painted", "stamp", "streams", "written")

    def __init__(self, notice: "Notice", stamp: Stamp, heard: float) -> None:
        self.notice = notice
        self.stamp = stamp
        self.heard = heard
        self.streams = 0
        self.painted: list[int] = []
        self.written: float | None = None

    @property
    def why(self) -> Why:
        """The origin of the notice; it is decoded only when somebody asks."""
        return Why.decode(self.notice.why) if self.notice.why else Why()

    def wrote(self, streams: int) -> None:
        """So many browsers have been told."""
        self.streams += streams
        self.written = time.time()


class Traces:
    """The last notices that a worker heard, newest first; bounded."""

    def __init__(self, most: int = MOST) -> None:
        self._lock = threading.Lock()
        self._told: deque[Told] = deque(maxlen=most)

    def __iter__(self) -> Iterator[Told]:
        with self._lock:
            return iter(list(reversed(self._told)))

    def heard(self, notice: "Notice", stamp: Stamp) -> Told:
        """Note *notice*, heard now."""
        told = Told(notice, stamp, time.time())
        self._told.append(told)
        return told

    def of(self, trace: str) -> list[Told]:
        """The notices of one trace, oldest first: one for each event of the action."""
        return [told for told in reversed(list(self)) if told.notice.trace == trace]

    def at(self, stamp: Stamp) -> Told | None:
        """The notice with this stamp, if it is among the last ones."""
        for told in self:
            if told.stamp.sequence <= stamp.sequence:
                return told if told.stamp == stamp else None
        return None

    def since(self, sequence: int) -> list[Told]:
        """Those with a higher number, newest first."""
        return [told for told in self if told.stamp.sequence > sequence]
