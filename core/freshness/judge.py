"""The judge: reads a suspect again, and says whether it changed without being named.

::

    read again ─ same ─────────────────────────────────────────► unchanged
        │ differs
        ▼
    outbox: which rows are there now? ─ wait until they are published ─ ask Redis where it is ─
        wait until the hub has heard so far ─ named meanwhile? ─► named
        │ not named
        ▼
    read again ─ the same as the last time ────────────────────► missed
                 another answer each time ─────────────────────► clock

The outbox is looked at *after* the read. Whatever the read saw of other writes is committed, with
its row: that is either still there, or published and heard. So a correct write that happens at the
same time is never taken for a missed one.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from core.bus import Bus
from core.database import reading
from core.errors import BusUnavailable
from core.freshness.answers import Answer
from core.freshness.budget import Budget
from core.freshness.questions import Seen
from core.freshness.statements import CLOCK
from core.hub import Hub
from core.outbox import OutboxEvent

log = logging.getLogger("coursewire.freshness")

_SETTLE_S = 5.0
_PAUSE_S = 0.01
_TRIES = 4


class Verdict(Enum):
    """What came of judging a suspect."""

    UNCHANGED = "unchanged"
    NAMED = "named"
    MISSED = "missed"
    CLOCK = "clock"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Judgement:
    """The verdict, and what was seen last, where anything was."""

    verdict: Verdict
    seen: Seen | None = None


class Judge:
    """Judges one suspect at a time; needs an app context.

    Reading is charged to *budget*, waiting is not. *stopping* ends every wait at once.
    """

    def __init__(
        self,
        hub: Hub,
        bus: Bus,
        holds: Callable[[Answer], bool],
        budget: Budget,
        stopping: threading.Event,
    ) -> None:
        self._hub = hub
        self._bus = bus
        self._holds = holds
        self._budget = budget
        self._stopping = stopping

    def judge(self, answer: Answer) -> Judgement:
        """Whether *answer* is still true, and if it is not, whether somebody said so."""
        try:
            return self._judge(answer)
        except (SQLAlchemyError, BusUnavailable) as error:
            log.info("%s could not be judged: %s", answer.question.keys[0], error)
        except Exception:
            log.exception("%s could not be judged", answer.question.keys[0])
        return Judgement(Verdict.UNDECIDED)

    def _judge(self, answer: Answer) -> Judgement:
        last: Seen | None = None
        for _ in range(_TRIES):
            if not self._holds(answer):
                return Judgement(Verdict.NAMED)
            with self._budget.spending():
                seen = answer.question.ask()
            if not answer.question.is_stale(answer.content, seen.content):
                # Changed and back again, within moments: the clock, or two writes of others.
                return Judgement(Verdict.UNCHANGED if last is None else Verdict.UNDECIDED, seen)
            verdict = self._verdict_on(answer, seen, last)
            if verdict is not None:
                return Judgement(verdict, seen)
            last = seen
        return Judgement(Verdict.CLOCK, last)

    def _verdict_on(self, answer: Answer, seen: Seen, last: Seen | None) -> Verdict | None:
        """The verdict on what was *seen*, which differs; ``None``: look again."""
        if not self._settle():
            return Verdict.UNDECIDED
        if not self._holds(answer):
            return Verdict.NAMED
        if any(CLOCK in tables for tables in seen.reads.values()):
            return Verdict.CLOCK
        return Verdict.MISSED if last is not None and last.content == seen.content else None

    def _settle(self) -> bool:
        """Wait until all that is committed now is published, and heard here; whether it is."""
        until = time.monotonic() + _SETTLE_S
        owed = self._owed()
        while owed:
            if not self._pause(until):
                return False
            owed &= self._owed()
        published = self._bus.stamp()
        while (heard := self._hub.stamp) is None or not heard.reaches(published):
            if not self._pause(until):
                return False
        return True

    def _owed(self) -> set[int]:
        with self._budget.spending(), reading() as session:
            rows = session.scalars(select(OutboxEvent.id).where(OutboxEvent.parked_at.is_(None)))
            return set(rows)

    def _pause(self, until: float) -> bool:
        return not self._stopping.wait(_PAUSE_S) and time.monotonic() < until
