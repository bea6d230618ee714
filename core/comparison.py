"""The comparison with Redis, which finds a lost last notice: no later number betrays it.

::

    Redis      publishes 41 ─────────────► answers "41"
    channel           └─ 41 on its way ─────────┐
    this hub   at 40 ─────── asks ──► told 41 ──┴─► hears 41

So being behind at the moment of the answer proves nothing; a little later it does.
"""

import logging
from collections.abc import Callable

from core.clock import Clock
from core.errors import BusUnavailable
from core.stamps import Stamp
from core.telemetry.metrics import Metrics

log = logging.getLogger("coursewire.hub")

_LATE_S = 0.5


class Comparison:
    """How far one hub has heard, beside where Redis is; for the thread that hears.

    *probe* asks Redis where it is, and raises `BusUnavailable`. It is asked once in *interval_s*,
    and at once after a doubt, which any thread may have.
    """

    def __init__(
        self, probe: Callable[[], Stamp], interval_s: float, clock: Clock, metrics: Metrics
    ) -> None:
        self._probe = probe
        self._interval_s = interval_s
        self._clock = clock
        self._metrics = metrics
        self._compared_at = 0.0
        self._expected: Stamp | None = None
        self._expected_at = 0.0
        self._doubted = False
        self._failed = False

    def begin(self) -> None:
        """Forget what was asked before: a new subscription has begun."""
        self._expected, self._failed = None, False
        self._compared_at = self._clock.monotonic()

    def doubt(self) -> None:
        """Redis failed somebody: ask it without waiting for the interval."""
        self._doubted = True

    @property
    def is_due(self) -> bool:
        """Whether `finds_loss` should be asked now."""
        if self._doubted or self._expected is not None:
            return True
        return self._clock.monotonic() - self._compared_at > self._interval_s

    def finds_loss(self, here: Stamp | None) -> bool:
        """Whether something was published that this hub, at *here*, will not hear any more.

        Raises `BusUnavailable` when Redis does not answer, the second time in a row: one late
        answer is no outage.
        """
        self._compared_at = self._clock.monotonic()
        if self._expected is None:
            return self._ask(here)
        if self._clock.monotonic() - self._expected_at <= _LATE_S:
            return False
        expected, self._expected = self._expected, None
        if here is not None and here.reaches(expected):
            return False
        self._metrics.notices_missed.add()
        log.warning("A notice up to %s was lost; reading the versions anew", expected)
        return True

    def _ask(self, here: Stamp | None) -> bool:
        self._doubted = False
        try:
            self._expected = self._probe()
        except BusUnavailable:
            if self._failed:
                raise
            self._doubted = self._failed = True
            return False
        self._failed = False
        self._expected_at = self._clock.monotonic()
        if here is None or self._expected.reaches(here):
            return False
        log.warning("Redis fell back from %s to %s", here, self._expected)
        self._expected = None
        return True
