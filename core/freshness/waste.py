"""Waste: keys that an event named although what they show stayed the same."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from core.keys import prefixes

_MOST_NAMES = 10_000
_MOST_PAIRS = 1_000


@dataclass(slots=True)
class Refills:
    """How often an answer was read again because of one event, and how often it was the same."""

    read: int = 0
    same: int = 0


class Waste:
    """Counts, per (event, namespace), what was read again for nothing, as far as this worker saw.

    It remembers the last cause of each name that a notice carried, and asks when an answer is
    refilled: so it costs no read of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._causes: OrderedDict[str, str] = OrderedDict()
        self.pairs: dict[tuple[str, str], Refills] = {}

    def named(self, keys: Sequence[str], cause: str) -> None:
        """Note a notice."""
        with self._lock:
            for key in keys:
                self._causes[key] = cause
                self._causes.move_to_end(key)
            while len(self._causes) > _MOST_NAMES:
                self._causes.popitem(last=False)

    def refilled(self, key: str, namespace: str, *, same: bool) -> None:
        """Note that *key* was read again, and whether it shows the same as before."""
        cause = self.cause_of(key)
        with self._lock:
            if cause is None or ((cause, namespace) not in self.pairs and self._is_full):
                return
            refills = self.pairs.setdefault((cause, namespace), Refills())
            refills.read += 1
            refills.same += same

    def cause_of(self, key: str) -> str | None:
        """What named *key*, or a prefix of it, last."""
        with self._lock:
            return next((self._causes[n] for n in prefixes(key) if n in self._causes), None)

    @property
    def _is_full(self) -> bool:
        return len(self.pairs) >= _MOST_PAIRS
