"""Turns: a loop that has much to do lets the worker's other greenlets run now and then."""

import time

_TURN_S = 0.003
_LONGEST_TURN_S = 0.02
_PAUSE_S = 1e-6


class Turn:
    """The time that one loop takes before the others have theirs.

    ``sleep(0)`` would not do: gevent polls no descriptor then; a sleep above zero does.
    """

    def __init__(self) -> None:
        self._ends_at = 0.0

    def begin(self) -> None:
        """The loop has just waited: its turn begins now."""
        self._ends_at = time.perf_counter() + _TURN_S

    def end_when_due(self) -> None:
        """Let the others run if the turn is over; the next one is as long as they took, at most.

        Beside views that compute, a turn of always the same length would be a small part.
        """
        paused_at = time.perf_counter()
        if paused_at > self._ends_at:
            time.sleep(_PAUSE_S)
            resumed_at = time.perf_counter()
            turn_s = min(max(_TURN_S, resumed_at - paused_at), _LONGEST_TURN_S)
            self._ends_at = resumed_at + turn_s
