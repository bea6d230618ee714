"""Rounds: what plugins do every few seconds, in each worker.

1. A round comes round in every worker, so it first looks whether there is anything to do, and
   whether another worker does it.
2. All of a worker's rounds share one thread (under gevent a greenlet): one that waits delays the
   others, and nobody else.
3. A round may wait for Redis or the database, but never for one while it holds the other.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Flask

log = logging.getLogger("coursewire.rounds")

ROUND_S = 5.0


@dataclass(frozen=True)
class Round:
    """A function of a plugin; ``label`` (``status.measure_when_due``) names it in logs."""

    plugin: str
    function: Callable[[], None]

    @property
    def label(self) -> str:
        """Its name, unique in the app."""
        return f"{self.plugin}.{self.function.__name__}"


class Rounds:
    """The rounds of one worker, one after the other."""

    def __init__(self, app: Flask, rounds: Sequence[Round]) -> None:
        self._app = app
        self._rounds = tuple(rounds)
        self._failing: set[str] = set()
        self._thread: threading.Thread | None = None
        self.stopping = threading.Event()
        """Whoever waits inside a round waits no longer than until this is set."""

    def start(self) -> None:
        """Come round in the background, first after `ROUND_S`; nothing where nobody has a round."""
        if self._rounds:
            self._thread = threading.Thread(target=self._run_for_ever, name="coursewire-rounds")
            self._thread.daemon = True
            self._thread.start()

    def stop(self) -> None:
        """Come round no more; returns when the round at hand has ended, or after five seconds."""
        self.stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def run(self) -> None:
        """Come round now. A round that fails is logged when it begins to, and hinders no other."""
        for each in self._rounds:
            with self._app.app_context():
                try:
                    each.function()
                except Exception as error:
                    if each.label not in self._failing:
                        log.exception("Round %s failed; it comes again", each.label, exc_info=error)
                    self._failing.add(each.label)
                else:
                    self._failing.discard(each.label)

    def _run_for_ever(self) -> None:
        while not self.stopping.wait(ROUND_S):
            self.run()
