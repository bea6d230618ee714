"""Flights: those who ask for the same thing at the same time share one answer.

::

    A  asks ── begins to read ──────── has it
    B            asks ── waits ────────┐ begins to read ─── has it
    C                 asks ── waits ───┴── shares B's ───── has it

An answer is shared only with those who asked before its read began. So each gets something no older
than their question, and no two reads of one thing run at once.
"""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from core.clock import Clock

T = TypeVar("T")


class _Flight(Generic[T]):
    """One read, and those who wait for it."""

    def __init__(self, before: "_Flight[T] | None", clock: Clock) -> None:
        self.before = before
        self.begun = False
        self.landed = clock.event()
        self.results: list[T] = []
        self.error: Exception | None = None


class Flights(Generic[T]):
    """The reads of one process that are under way, by the name of what they read."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._last: dict[Hashable, _Flight[T]] = {}
        self.shared = 0
        """How many have waited for another's answer."""

    def share(self, name: Hashable, read: Callable[[], T]) -> T:
        """What *read*, or that of another who asked for *name*, returns or raises.

        Waits for as long as that takes; hold no database connection meanwhile.
        """
        while True:
            with self._lock:
                last = self._last.get(name)
                leads = last is None or last.begun
                flight = _Flight(last, self._clock) if leads else last
                assert flight is not None  # noqa: S101  it is the last one, which is there
                self._last[name] = flight
            if leads:
                return self._lead(name, flight, read)
            self.shared += 1
            flight.landed.wait()
            if flight.error is not None:
                raise flight.error
            if flight.results:
                return flight.results[0]
            # The one who led it was killed: ask again.

    def _lead(self, name: Hashable, flight: _Flight[T], read: Callable[[], T]) -> T:
        try:
            if flight.before is not None:
                flight.before.landed.wait()
            with self._lock:
                flight.begun, flight.before = True, None
            result = read()
            flight.results.append(result)
            return result
        except Exception as error:
            flight.error = error
            raise
        finally:
            with self._lock:
                flight.begun = True
                if self._last.get(name) is flight:
                    del self._last[name]
            flight.landed.set()
