"""The budget: which share of a worker's time the guard may take."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_MOST_SAVED_S = 0.25
"""So much work may be done at once after a quiet time: the first suspects need not wait."""


class Budget:
    """Credit that grows by *share* seconds each second, and is spent by working.

    With a share of 1 it never asks for a rest.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._clock = clock
        self._credit_s = _MOST_SAVED_S
        self._counted_at = self._clock()
        self.spent_s = 0.0

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Charge for the time until the exit."""
        began = self._clock()
        try:
            yield
        finally:
            worked_s = self._clock() - began
            self._credit_s -= worked_s
            self.spent_s += worked_s

    @property
    def rest_s(self) -> float:
        """How long to rest before the next piece of work."""
        moment = self._clock()
        earned_s = (moment - self._counted_at) * self._share
        self._counted_at = moment
        self._credit_s = min(_MOST_SAVED_S, self._credit_s + earned_s)
        if self._share >= 1 or self._credit_s >= 0:
            return 0.0
        return -self._credit_s / self._share
