"""The reporter: tells Redis every few seconds what this worker counted, and shows the sum of all.

Whoever scrapes meets any worker of any machine, so each must be able to answer for all. What is
shown is only what Redis has: a worker that added its own untold numbers to the sum would show more
than the next one does, and a counter that goes down looks like a restart.

A report whose answer is lost is told again under its number, unchanged, and Redis adds it once
(``report.lua``); what is counted meanwhile waits for the next. While Redis is away nothing is lost.
"""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from core.bus import Bus
from core.errors import BusUnavailable
from core.telemetry.metrics import Metrics
from core.telemetry.tallies import SampleName
from core.telemetry.totals import Totals, add_up, encode_gauges, encode_name

log = logging.getLogger("coursewire.telemetry")

REPORT_S = 5.0
_FIRST_S = 0.5


@dataclass(frozen=True, slots=True)
class _Report:
    """What is told under one number, and the counters and gauges as they stood then."""

    number: int
    increments: dict[str, float]
    counted: dict[SampleName, float]
    gauges: dict[SampleName, float]


class Reporter:
    """The reports of one worker.

    *measure* is called before a report by the one worker that measures what all share; it may wait
    for the database.
    """

    def __init__(self, metrics: Metrics, bus: Bus, measure: Callable[[bool], None]) -> None:
        self._metrics = metrics
        self._bus = bus
        self._measure = measure
        self._works: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._id = self.name = ""
        self._number = 0
        self._told: dict[SampleName, float] = {}
        self._pending: _Report | None = None
        self.measures = False
        """Whether this is the worker that measures what all share."""

    def every_report(self, work: Callable[[], None]) -> None:
        """Do *work* too before each report; it may wait for Redis. Call it before `start`."""
        self._works.append(work)

    def start(self) -> None:
        """Begin to report, in the background."""
        self._introduce()
        self._thread = threading.Thread(target=self._run_for_ever, name="coursewire-reporter")
        self._thread.daemon = True
        self._thread.start()

    def stop(self) -> None:
        """Report for the last time."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self.tell(last=True)

    def tell(self, *, last: bool = False) -> bool:
        """Report now; whether Redis has all that was counted. Waits for Redis, and no longer."""
        with self._lock:
            self._introduce()
            try:
                if self._pending is not None:
                    self._send(self._pending, last=False)
                measured = self.measures
                self._send(self._next(), last=last)
                if self.measures and not measured:
                    self._send(self._next(), last=last)
            except BusUnavailable as error:
                log.debug("Not reported yet: %s", error)
                return False
            return True

    def totals(self) -> Totals:
        """What all workers have counted; with no worker, what this one has, while Redis is away."""
        if self.tell():
            try:
                growing, gauges = self._bus.totals()
                totals = add_up(growing, gauges, self._metrics.declared)
            except BusUnavailable as error:
                log.debug("The totals cannot be read: %s", error)
            else:
                known, _ = self._metrics.samples()
                return Totals(totals.workers, dict.fromkeys(known, 0.0) | totals.samples)
        self._measure(True)
        known, own = self._metrics.samples()
        return Totals(0, known | own)

    def _introduce(self) -> None:
        """A name of its own; made here, since a worker is a fork of the process that loaded it."""
        if not self._id:
            self.name = f"{socket.gethostname()}:{os.getpid()}"
            self._id = f"{self.name}:{secrets.token_hex(4)}"

    def _next(self) -> _Report:
        self._measure(self.measures)
        counted, gauges = self._metrics.samples()
        increments = {
            encode_name(name): value - self._told.get(name, 0.0)
            for name, value in counted.items()
            if value != self._told.get(name)
        }
        self._number += 1
        self._pending = _Report(self._number, increments, counted, gauges)
        return self._pending

    def _send(self, report: _Report, *, last: bool) -> None:
        told = "" if last else encode_gauges(report.gauges)
        self.measures = self._bus.report(self._id, report.number, told, report.increments)
        self._told, self._pending = report.counted, None

    def _run_for_ever(self) -> None:
        wait_s = _FIRST_S
        while not self._stopping.wait(wait_s):
            wait_s = REPORT_S
            try:
                for work in self._works:
                    work()
                self.tell()
            except Exception:
                log.exception("A report failed; the next one is tried")
