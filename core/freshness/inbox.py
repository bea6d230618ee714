"""The inbox: what the freshness guard was told, and has not taken in yet."""

import threading
from collections import deque
from typing import Any

from core.freshness.questions import Question
from core.freshness.writes import Write


class Inbox:
    """Writes, and answers that were being read meanwhile; at most *most* of each.

    What does not fit pushes out the oldest, and is counted. Any thread may tell; one takes.
    """

    def __init__(self, most: int) -> None:
        self._lock = threading.Lock()
        self._writes: deque[tuple[Write, bool]] = deque(maxlen=most)
        self._late: deque[tuple[Question, float]] = deque(maxlen=most)
        self._told = threading.Event()
        self._done = threading.Event()
        self._done.set()
        self.last_write_at = 0.0
        self.dropped = 0

    def tell_write(self, write: Write, *, local: bool) -> None:
        """A write was committed; *local*: by this worker."""
        self.last_write_at = write.at
        self._push(self._writes, (write, local))

    def tell_late(self, question: Question, began: float) -> None:
        """The answer to *question* was read since *began*, and something was written meanwhile."""
        self._push(self._late, (question, began))

    def take(self) -> tuple[list[tuple[Write, bool]], list[tuple[Question, float]]]:
        """All of it: writes, with whether they are local, and questions, with when they began."""
        with self._lock:
            writes, late = list(self._writes), list(self._late)
            self._writes.clear()
            self._late.clear()
        return writes, late

    def wait_for_more(self) -> None:
        """Wait until something is told, or `wake` is called."""
        self._told.wait()
        self._told.clear()

    def wake(self) -> None:
        """End `wait_for_more`."""
        self._told.set()

    def settle(self) -> bool:
        """All that was taken is dealt with; whether nothing came meanwhile."""
        with self._lock:
            if self._writes or self._late:
                return False
            self._done.set()
            return True

    def wait_until_settled(self, timeout_s: float) -> bool:
        """Wait until all that was told is dealt with; whether it is."""
        return self._done.wait(timeout_s)

    def _push(self, queue: deque[Any], item: Any) -> None:
        with self._lock:
            self.dropped += len(queue) == queue.maxlen
            queue.append(item)
            self._done.clear()
        self._told.set()
