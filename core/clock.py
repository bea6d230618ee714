"""The clock: what the time is, and how a worker waits for a while or for another of its threads.

Handed in where waiting and deadlines are part of what must be right, so that a test may let an hour
pass at once, and run what waits for each other in any order.
"""

import threading
import time
from datetime import datetime
from typing import Protocol

from core.database import now


class Happening(Protocol):
    """What somebody else will say has happened; a `threading.Event` is one."""

    def set(self) -> None:
        """It has happened: whoever waits goes on."""

    def wait(self) -> object:
        """Returns once it has happened."""


class Clock:
    """The time of this machine."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def now(self) -> datetime:
        """The time now, aware, in UTC."""
        return now()

    def sleep(self, duration_s: float) -> None:
        """Let the others run for so long."""
        time.sleep(duration_s)

    def event(self) -> Happening:
        """Something that has not happened yet."""
        return threading.Event()
