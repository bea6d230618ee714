"""How often one user or network may ask something of one worker: counted in its own memory.

1. Nobody waits to be counted, and nothing changes while Redis is away: there are then as many as
   before. Several workers allow several times as much; that is for `core.throttle` to do better,
   where it matters.
2. A window begins with its first request and ends by itself; what is refused does not lengthen it.
3. What `limits` keeps in memory is looked through every few milliseconds, all of it; this is
   looked through only when it has grown to `_MOST`.
"""

import math
from dataclasses import dataclass
from itertools import islice

from core.clock import Clock
from core.errors import TooMany
from core.throttle import Limit

_MOST = 20_000


@dataclass(slots=True)
class _Window:
    ends_at: float
    count: int = 0


class Rates:
    """The counters of one worker."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._windows: dict[tuple[str, str], _Window] = {}

    def count(self, limit: Limit, whom: str, detail: str) -> None:
        """Count *whom* once; raises `TooMany` with *detail* above the limit."""
        now = self._clock.monotonic()
        window = self._windows.get((limit.name, whom))
        if window is None or window.ends_at <= now:
            self._windows.pop((limit.name, whom), None)  # the newest stand last
            self._make_room()
            window = self._windows[limit.name, whom] = _Window(now + limit.per_s)
        window.count += 1
        if window.count > limit.tries:
            raise TooMany(detail, retry_after_s=max(1, math.ceil(window.ends_at - now)))

    def __len__(self) -> int:
        """How many windows are remembered."""
        return len(self._windows)

    def _make_room(self) -> None:
        """Forget the quarter that began first; most of those windows are over."""
        if len(self._windows) >= _MOST:
            for name in list(islice(self._windows, _MOST // 4)):
                del self._windows[name]
