"""The freshness guard of one worker: what it is told by those who read and write.

1. It is told of answers and writes by those who make them, which costs them a few microseconds;
   everything else is done in the background, by `core.freshness.inquiry`.
2. All its queues are bounded. What does not fit is dropped and counted: it looks for mistakes, it
   is not what keeps screens fresh.
3. A write is told to the other workers too: the screens that it leaves stale may be theirs.
4. An answer that was being read while a write committed is a suspect as well::

       reader   BEGIN ── reads ───────────────── answer is noted: the write is newer than BEGIN
       writer              commits ── suspects: none yet
"""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Flask, g, has_app_context

from core.access import Access, Me
from core.bus import Notice
from core.database import db, reading
from core.freshness.answers import Answer, Answers
from core.freshness.budget import Budget
from core.freshness.findings import Finding, ToldFinding
from core.freshness.inbox import Inbox
from core.freshness.inquiry import FINDING, Inquiry
from core.freshness.observation import Sight, Wrote, observe
from core.freshness.questions import (
    GONE,
    GrantQuestion,
    KeyQuestion,
    Question,
    ReadBodies,
    Seen,
    content_of,
)
from core.freshness.statements import CLOCK, OWN_TABLES
from core.freshness.waste import Waste
from core.freshness.writes import OUTSIDE, Fact, Write
from core.guards import Guard
from core.hub import Heard
from core.queries import Key

if TYPE_CHECKING:
    from core.cache import Found
    from core.runtime import Runtime
    from core.transactions import Work

log = logging.getLogger("coursewire.freshness")

_MOST_STRICT, _MOST_HEALING = 10_000, 200


@dataclass(frozen=True)
class Report:
    """What the guard of one worker has seen so far.

    ``verdicts`` count judged suspects by `Verdict`; ``dropped`` suspects and writes that did not
    fit; ``waste`` has, per (event, namespace), how often it was read again because of that event,
    and how often that was for nothing.
    """

    mode: str
    verdicts: dict[str, int]
    findings: tuple[Finding, ...]
    healed: int
    dropped: int
    answers: int
    spent_s: float
    waste: dict[tuple[str, str], tuple[int, int]]


class FreshnessGuard:
    """Finds reads that a write changed and that nothing named.

    ``strict`` judges every suspect at once; ``heal`` within a share of the worker's time, the ones
    that matter most first, and heals what it proves; ``off`` does nothing.
    """

    def __init__(self, app: Flask, runtime: "Runtime", read: ReadBodies) -> None:
        self._app = app
        self._runtime = runtime
        self._read = read
        self.mode = runtime.settings.freshness
        self.strict = self.mode == "strict"
        self.running = False
        most = _MOST_STRICT if self.strict else _MOST_HEALING
        self._inbox = Inbox(most)
        self.waste = Waste()
        self._answers = Answers(self._holds, self._refilled)
        self._budget = Budget(1.0 if self.strict else runtime.settings.freshness_share)
        self._inquiry = Inquiry(
            app,
            runtime.hub,
            runtime.bus,
            runtime.registry,
            self._inbox,
            self._answers,
            self._holds,
            self._budget,
            most,
            strict=self.strict,
        )

    @property
    def findings(self) -> deque[Finding]:
        """What was proven, the newest last; the older ones are no longer kept."""
        return self._inquiry.findings

    @property
    def told(self) -> Sequence[ToldFinding]:
        """What is known of the findings of all workers, the newest last."""
        return tuple(self._inquiry.told)

    @property
    def found(self) -> int:
        """How many findings there were, also those no longer kept."""
        return self._inquiry.found

    def start(self) -> None:
        """Begin to observe the database, and to judge in the background; nothing when off."""
        if self.mode == "off":
            return
        with self._app.app_context():
            observe(db.engine, self._committed)
        self._runtime.hub.listen(self.waste_of, self._hear)
        self.running = True
        self._inquiry.start()

    def stop(self) -> None:
        """Stop judging; returns when the judgement at hand has ended."""
        self.running = False
        self._inquiry.stop()

    def saw(self, key: Key, me: Me | None, found: "Found", began: float, outages: int) -> None:
        """Somebody was answered *found*, which was looked for since *began*."""
        if not self.running or found.stamp is None:
            return
        if self._answers.is_noted(key.kept_as, found.bodies):
            return
        question = KeyQuestion(key, me if key.owner_id is not None else None, self._read)
        seen = Seen(content_of(found.bodies), found.bodies.reads, found.bodies)
        self._note(question, seen, Heard(found.stamp, outages), began)

    def saw_grant(
        self,
        guard: Guard,
        me: Me,
        values: dict[str, Any],
        access: Access,
        sight: Sight,
        heard: Heard,
        began: float,
    ) -> None:
        """A guard's answer is remembered from now on."""
        if self.running and heard.stamp is not None:
            question = GrantQuestion(guard, me, values, self._decide, self._still_shows)
            self._note(question, Seen((access,), sight.reads), heard, began)

    def committed(self, work: "Work") -> None:
        """The transaction of *work* is committed, and published as far as can be."""
        if not self.running or work.wrote is None or not work.wrote.tables:
            return
        facts = tuple(Fact.of(event) for event in work.events)
        named = frozenset(work.stale)
        self._add(_write(work.by, facts, work.wrote, named, work.trace))

    def wait(self, timeout_s: float) -> bool:
        """Wait until everything told so far is judged; whether it is. For tests, in strict mode."""
        return self._inbox.wait_until_settled(timeout_s)

    def report(self) -> Report:
        """What was seen so far."""
        return Report(
            self.mode,
            {verdict.value: count for verdict, count in self._inquiry.verdicts.items()},
            tuple(self.findings),
            self._inquiry.healed,
            self._inbox.dropped + self._inquiry.suspects.dropped,
            len(self._answers),
            self._budget.spent_s,
            {pair: (refills.read, refills.same) for pair, refills in self.waste.pairs.items()},
        )

    def waste_of(self, notice: Notice) -> None:
        """The hub heard *notice*."""
        self.waste.named(notice.keys, notice.cause)

    def _committed(self, wrote: Wrote) -> None:
        """A connection that wrote came back: for an action, or for something outside of all."""
        work: Work | None = g.get("coursewire_work") if has_app_context() else None
        if work is not None:
            work.wrote = wrote
        elif self.running:
            self._add(_write(OUTSIDE, (), wrote, frozenset(), ""))

    def _hear(self, data: str) -> None:
        """Another worker tells of its writes (or this one: then it knows them)."""
        token, _, rest = data.partition("\n")
        if token == self._inquiry.token:
            return
        try:
            for line in rest.splitlines():
                if line.startswith(FINDING):
                    self._inquiry.hear(ToldFinding.decode(line.removeprefix(FINDING)))
                else:
                    self._add(Write.decode(line), local=False)
        except (ValueError, KeyError, TypeError) as error:
            log.info("A worker of another release told of a write: %s", error)

    def _note(self, question: Question, seen: Seen, heard: Heard, began: float) -> None:
        if not self._answers.note(question, seen, heard):
            return
        if self.strict and any(CLOCK in tables for tables in seen.reads.values()):
            self._inquiry.tell_clock(question, seen)
        if self._inbox.last_write_at > began:
            self._inbox.tell_late(question, began)

    def _add(self, write: Write, *, local: bool = True) -> None:
        if not write.tables:
            return
        self._inbox.tell_write(write, local=local)

    def _holds(self, answer: Answer) -> bool:
        """Whether nothing has named *answer* since; nothing is known while Redis is away."""
        hub = self._runtime.hub
        if not hub.settled or hub.outages != answer.heard.outages:
            return False
        return all(hub.is_current(key, answer.heard.stamp) for key in answer.question.keys)

    def _refilled(self, before: Answer, same: bool) -> None:
        if isinstance(before.question, KeyQuestion):
            key = before.question.key
            self.waste.refilled(key.text, key.query.namespace, same=same)

    def _decide(self, guard: Guard, me: Me | None, values: Any) -> Access:
        with reading():
            return self._runtime.registry.grant(guard, me, values)

    def _still_shows(self, guard: Guard, me: Me, values: Mapping[str, Any]) -> bool:
        """Whether a query under *guard* has something to show, where any could be asked."""
        shown = []
        for query in self._runtime.registry.queries:
            if query.guard is guard and all(p.is_me or p.name in values for p in query.required):
                given = [me if p.is_me else values[p.name] for p in query.required]
                question = KeyQuestion(query.key(*given), me, self._read)
                shown.append(question.ask().content != GONE)
        return any(shown) or not shown


def _write(
    by: str, facts: tuple[Fact, ...], wrote: Wrote, named: frozenset[str], trace: str
) -> Write:
    tables = frozenset(wrote.tables) - OWN_TABLES
    return Write(by, facts, tables, frozenset(wrote.deletes), named, trace)
