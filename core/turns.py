"""Turns: a loop that has much to do lets the worker's other greenlets run now and then."""

import time
from collections.abc import Callable

_TURN_S = 0.003
_LONGEST_TURN_S = 0.02
_PAUSE_S = 1e-6
_RAN_S = 0.0002
"""A pause that took longer than this let somebody run."""

_ANSWER_S = 0.0005
"""How long Redis or the database takes to answer, about."""

_LOOKS = 2
"""How often it is looked for another step of somebody who ran."""

_LONGEST_WAIT_S = 0.006


class Turn:
    """The time that one loop takes before the others have theirs.

    ``sleep(0)`` would not do: gevent polls no descriptor then; a sleep above zero does.

    Whoever ran may wait for Redis or the database next. With a turn between every two of its steps,
    a read of five would take as long as a round to thousands of browsers::

        loop     ─turn─       ─turn─         ─turn─
        request         asks          asks          answers      left to themselves
        request         asks ─ asks ─ answers                    given time for the answers

    So the others go on while they do something, for a few milliseconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._ends_at = 0.0

    def begin(self) -> None:
        """The loop has just waited: its turn begins now."""
        self._ends_at = self._clock() + _TURN_S

    def end_when_due(self) -> None:
        """Let the others run if the turn is over; the next one is as long as they took, at most.

        Beside views that compute, a turn of always the same length would be a small part.
        """
        paused_at = self._clock()
        if paused_at <= self._ends_at:
            return
        resumed_at = self._pause(paused_at)
        turn_s = min(max(_TURN_S, resumed_at - paused_at), _LONGEST_TURN_S)
        self._ends_at = resumed_at + turn_s

    def _pause(self, paused_at: float) -> float:
        """Returns when the others had nothing more to do, or had enough."""
        wait_s, before, looks = _PAUSE_S, paused_at, 0
        while True:
            self._sleep(wait_s)
            now = self._clock()
            if now - before - wait_s >= _RAN_S:
                looks = _LOOKS
            looks -= 1
            if looks < 0 or now - paused_at >= _LONGEST_WAIT_S:
                return now
            wait_s, before = _ANSWER_S, now
