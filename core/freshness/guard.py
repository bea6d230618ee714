"""The freshness guard of one worker: what it is told, and what it does in the background.

1. It is told of answers and writes by those who make them, which costs them a few microseconds;
   everything else is done by one thread (under the gevent worker a greenlet), which holds at most
   one database connection, and none while it waits.
2. All its queues are bounded. What does not fit is dropped and counted: it looks for mistakes, it
   is not what keeps screens fresh.
3. A write is told to the other workers too: the screens that it leaves stale may be theirs.
4. An answer that was being read while a write committed is a suspect as well::

       reader   BEGIN ── reads ───────────────── answer is noted: the write is newer than BEGIN
       writer              commits ── suspects: none yet
"""

import logging
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Flask, g, has_app_context
from sqlalchemy.exc import SQLAlchemyError

from core.access import Access, Me
from core.bus import Notice
from core.database import db, reading
from core.errors import BusUnavailable
from core.freshness.advice import advise
from core.freshness.answers import Answer, Answers
from core.freshness.blame import blame, readers_of
from core.freshness.budget import Budget
from core.freshness.findings import ClockRead, Finding, MissedInvalidation
from core.freshness.judge import Judge, Judgement, Verdict
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
from core.freshness.schema import Schema
from core.freshness.statements import CLOCK, EVERYTHING, OWN_TABLES, Tables
from core.freshness.suspects import Suspect, Suspects
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
_MOST_RECENT = 64
_MOST_FINDINGS = 200
_MOST_KINDS = 1_000
_GATHER_S = 0.05
_SCHEMA_RETRY_S = 1.0


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
        self._token = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._nudge = threading.Event()
        self._quiet = threading.Event()
        self._quiet.set()
        self._thread: threading.Thread | None = None
        most = _MOST_STRICT if self.strict else _MOST_HEALING
        self._writes: deque[tuple[Write, bool]] = deque(maxlen=most)
        self._late: deque[tuple[Question, float]] = deque(maxlen=most)
        self._recent: deque[tuple[Write, Tables]] = deque(maxlen=_MOST_RECENT)
        self._last_write_at = 0.0
        self._schema: Schema | None = None
        self._schema_asked_at = 0.0
        self.waste = Waste()
        self.answers = Answers(self._holds, self._refilled)
        self._suspects = Suspects(most, runtime.hub.audience)
        self.budget = Budget(1.0 if self.strict else runtime.settings.freshness_share)
        self._judge = Judge(runtime.hub, runtime.bus, self._holds, self.budget, self._stopping)
        self.findings: deque[Finding] = deque(maxlen=_MOST_FINDINGS)
        self._verdicts: Counter[Verdict] = Counter()
        self._kinds: set[object] = set()
        self._healed = 0
        self._dropped = 0

    # What it is told, by those who read and write

    def start(self) -> None:
        """Begin to observe the database, and to judge in the background; nothing when off."""
        if self.mode == "off":
            return
        with self._app.app_context():
            observe(db.engine, self._committed)
        self._runtime.hub.listen(self.waste_of, self._hear)
        self.running = True
        self._thread = threading.Thread(target=self._run_for_ever, name="coursewire-freshness")
        self._thread.daemon = True
        self._thread.start()

    def stop(self) -> None:
        """Stop judging; returns when the judgement at hand has ended."""
        self.running = False
        self._stopping.set()
        self._nudge.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def saw(self, key: Key, me: Me | None, found: "Found", began: float, outages: int) -> None:
        """Somebody was answered *found*, which was looked for since *began*."""
        if not self.running or found.stamp is None:
            return
        if self.answers.is_noted(key.text, found.bodies):
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
        return self._quiet.wait(timeout_s)

    def report(self) -> Report:
        """What was seen so far."""
        return Report(
            self.mode,
            {verdict.value: count for verdict, count in self._verdicts.items()},
            tuple(self.findings),
            self._healed,
            self._dropped + self._suspects.dropped,
            len(self.answers),
            self.budget.spent_s,
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
        if token == self._token:
            return
        try:
            for line in rest.splitlines():
                self._add(Write.decode(line), local=False)
        except (ValueError, KeyError, TypeError) as error:
            log.info("A worker of another release told of a write: %s", error)

    def _note(self, question: Question, seen: Seen, heard: Heard, began: float) -> None:
        if not self.answers.note(question, seen, heard):
            return
        if self.strict and any(CLOCK in tables for tables in seen.reads.values()):
            self._tell_clock(question, seen)
        if self._last_write_at > began:
            self._push(self._late, (question, began))

    def _add(self, write: Write, *, local: bool = True) -> None:
        if not write.tables:
            return
        self._last_write_at = write.at
        self._push(self._writes, (write, local))

    def _push(self, queue: deque[Any], item: Any) -> None:
        with self._lock:
            self._dropped += len(queue) == queue.maxlen
            queue.append(item)
            self._quiet.clear()
        self._nudge.set()

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

    # What it does in the background

    def _run_for_ever(self) -> None:
        while not self._stopping.is_set():
            self._nudge.wait()
            self._nudge.clear()
            if not self.strict:
                self._stopping.wait(_GATHER_S)
            try:
                with self._app.app_context():
                    self._work()
            except Exception:
                log.exception("The freshness guard failed; it goes on")

    def _work(self) -> None:
        """Take in what was told, judge the weightiest suspect, and so on until nothing is left."""
        while not self._stopping.is_set():
            rest_s = self.budget.rest_s
            if rest_s and self._stopping.wait(rest_s):
                return
            schema = self._known_schema()
            if schema is None:
                return
            self._take_in(schema)
            suspect = self._suspects.take()
            if suspect is not None:
                self._weigh(suspect, schema)
                continue
            with self._lock:
                if not self._writes and not self._late:
                    self._quiet.set()
                    return

    def _known_schema(self) -> Schema | None:
        """What the database does by itself; ``None`` while it does not answer."""
        if self._schema is None and time.monotonic() - self._schema_asked_at > _SCHEMA_RETRY_S:
            self._schema_asked_at = time.monotonic()
            try:
                self._schema = Schema.load(db.engine)
            except SQLAlchemyError as error:
                log.warning("The freshness guard waits for the database: %s", error)
        return self._schema

    def _take_in(self, schema: Schema) -> None:
        with self._lock:
            writes, late = list(self._writes), list(self._late)
            self._writes.clear()
            self._late.clear()
        if not writes and not late:
            return
        self._tell_others([write for write, local in writes if local])
        with self.budget.spending():
            # What was named already is read again before anybody sees it.
            answers = [answer for answer in self.answers.all() if self._holds(answer)]
            for write, _ in writes:
                changed = schema.written(write.tables, write.deletes)
                self._recent.append((write, changed))
                self._suspects.search(write, changed, answers, schema)
            for question, began in late:
                answer = self.answers.get(question.name)
                for write, changed in self._recent:
                    if answer is not None and write.at > began:
                        self._suspects.search(write, changed, [answer], schema)

    def _tell_others(self, writes: Sequence[Write]) -> None:
        if not writes:
            return
        try:
            lines = [self._token, *(write.encode() for write in writes)]
            self._runtime.bus.tell_writes("\n".join(lines))
        except BusUnavailable as error:
            log.info("The other workers are not told of a write: %s", error)

    def _weigh(self, suspect: Suspect, schema: Schema) -> None:
        judgement = self._judge.judge(suspect.answer)
        self._verdicts[judgement.verdict] += 1
        guilty = judgement.verdict is Verdict.MISSED
        if guilty or judgement.verdict is Verdict.UNCHANGED:
            self._suspects.judged(suspect, guilty=guilty)
        if judgement.verdict is Verdict.CLOCK and judgement.seen is not None:
            self._tell_clock(suspect.answer.question, judgement.seen)
            self.answers.accept(suspect.answer, judgement.seen.content)
        elif guilty:
            self._tell_missed(suspect, judgement, schema)

    def _tell_missed(self, suspect: Suspect, judgement: Judgement, schema: Schema) -> None:
        answer, seen = suspect.answer, judgement.seen
        assert seen is not None  # noqa: S101  a verdict of this kind has seen something
        write, tables = suspect.cause
        reader = blame(
            readers_of(self._runtime.registry, answer.question),
            answer.bodies() if answer.bodies is not None else None,
            seen.bodies,
            answer.reads,
            schema.written(write.tables, write.deletes),
            schema,
        )
        question = answer.question
        found = MissedInvalidation(
            by=write.by,
            events=tuple(dict.fromkeys(fact.name for fact in write.events)),
            tables=(EVERYTHING,) if EVERYTHING in write.tables else tuple(sorted(tables)),
            namespace=_namespace(question),
            key=question.keys[0],
            owner=reader.label,
            plugin=reader.plugin,
            heard=tuple(rule.event.__name__ for rule in reader.staleness.rules),
            trace=write.trace or "none",
            line=advise(reader, question, write),
        )
        self.findings.append(found)
        self._log_once(found)
        if self.strict:
            self.answers.accept(answer, seen.content)
        else:
            self._heal(answer, write.trace)

    def _heal(self, answer: Answer, trace: str) -> None:
        """Name the key that nothing named: every screen and every cache lets go of it."""
        try:
            self._runtime.bus.publish(Notice(answer.question.keys[:1], "healed", trace))
            self._healed += 1
        except BusUnavailable as error:
            log.info("%s is not healed: %s", answer.question.keys[0], error)
            self._runtime.hub.doubt()

    def _tell_clock(self, question: Question, seen: Seen) -> None:
        readers = readers_of(self._runtime.registry, question)
        clocks = [r for r in readers if CLOCK in seen.reads.get(r.part, frozenset())]
        reader = (clocks or readers)[0]
        found = ClockRead(_namespace(question), question.keys[0], reader.label, reader.plugin)
        if found.kind not in self._kinds:
            self.findings.append(found)
        self._log_once(found)

    def _log_once(self, found: Finding) -> None:
        if found.kind in self._kinds or len(self._kinds) >= _MOST_KINDS:
            return
        self._kinds.add(found.kind)
        log.warning("%s", found)


def _write(
    by: str, facts: tuple[Fact, ...], wrote: Wrote, named: frozenset[str], trace: str
) -> Write:
    tables = frozenset(wrote.tables) - OWN_TABLES
    return Write(by, facts, tables, frozenset(wrote.deletes), named, trace)


def _namespace(question: Question) -> str:
    return question.key.query.namespace if isinstance(question, KeyQuestion) else "access"
