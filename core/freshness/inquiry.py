"""The inquiry: what the freshness guard of one worker does in the background.

It takes in what was told, searches for suspects, lets the weightiest be judged, and tells and heals
what is proven. One thread does it (under the gevent worker a greenlet), which holds at most one
database connection, and none while it waits.
"""

import logging
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from core.bus import Bus, Notice
from core.database import db
from core.errors import BusUnavailable, InvalidKey
from core.freshness.advice import advise
from core.freshness.answers import Answer, Answers
from core.freshness.blame import blame, readers_of
from core.freshness.budget import Budget
from core.freshness.findings import ClockRead, Finding, MissedInvalidation, ToldFinding
from core.freshness.inbox import Inbox
from core.freshness.judge import Judge, Judgement, Verdict
from core.freshness.questions import KeyQuestion, Question, Seen
from core.freshness.schema import Schema
from core.freshness.statements import CLOCK, EVERYTHING, Tables
from core.freshness.suspects import Suspect, Suspects
from core.freshness.writes import Write
from core.hub import Hub
from core.registry import Registry

log = logging.getLogger("coursewire.freshness")

_MOST_RECENT = 64
_MOST_FINDINGS = 200
_MOST_KINDS = 1_000
FINDING = "finding "
"""How a line begins that tells other workers of a finding, and not of a write."""

_GATHER_S = 0.05
_SCHEMA_RETRY_S = 1.0


class Inquiry:
    """Judges what *inbox* was told of, against *answers*; *holds* says of an answer whether nothing
    has named it since.

    *strict*: every suspect at once, and nothing is healed. At most *most* suspects wait.
    """

    def __init__(
        self,
        app: Flask,
        hub: Hub,
        bus: Bus,
        registry: Registry,
        inbox: Inbox,
        answers: Answers,
        holds: Callable[[Answer], bool],
        budget: Budget,
        most: int,
        *,
        strict: bool,
    ) -> None:
        self._app = app
        self._hub = hub
        self._bus = bus
        self._registry = registry
        self._inbox = inbox
        self._answers = answers
        self._holds = holds
        self._budget = budget
        self._strict = strict
        self.token = secrets.token_hex(8)
        """Before what it tells other workers: it hears that itself, too."""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._recent: deque[tuple[Write, Tables]] = deque(maxlen=_MOST_RECENT)
        self._schema: Schema | None = None
        self._schema_asked_at = 0.0
        self.suspects = Suspects(most, hub.audience)
        self._judge = Judge(hub, bus, holds, budget, self._stopping)
        self.findings: deque[Finding] = deque(maxlen=_MOST_FINDINGS)
        self.told: deque[ToldFinding] = deque(maxlen=_MOST_FINDINGS)
        """These, and those of the other workers, in the order in which they became known here."""
        self.verdicts: Counter[Verdict] = Counter()
        self._kinds: set[object] = set()
        self.found = 0
        """How many findings there were, also those no longer kept."""
        self.healed = 0

    def start(self) -> None:
        """Begin, in the background."""
        self._thread = threading.Thread(target=self._run_for_ever, name="coursewire-freshness")
        self._thread.daemon = True
        self._thread.start()

    def stop(self) -> None:
        """Returns when the judgement at hand has ended."""
        self._stopping.set()
        self._inbox.wake()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def hear(self, told: ToldFinding) -> None:
        """Another worker has found something."""
        self.told.append(told)
        if self._strict:
            self._mark(told)

    def tell_clock(self, question: Question, seen: Seen) -> None:
        """The answer to *question* depends on the clock."""
        readers = readers_of(self._registry, question)
        clocks = [r for r in readers if CLOCK in seen.reads.get(r.part, frozenset())]
        reader = (clocks or readers)[0]
        found = ClockRead(_namespace(question), question.keys[0], reader.label, reader.plugin)
        if found.kind not in self._kinds:
            self._keep(found)
        self._log_once(found)

    def _run_for_ever(self) -> None:
        while not self._stopping.is_set():
            self._inbox.wait_for_more()
            if not self._strict:
                self._stopping.wait(_GATHER_S)
            try:
                with self._app.app_context():
                    self._work()
            except Exception:
                log.exception("The freshness guard failed; it goes on")

    def _work(self) -> None:
        """Take in what was told, judge the weightiest suspect, and so on until nothing is left."""
        while not self._stopping.is_set():
            rest_s = self._budget.rest_s
            if rest_s and self._stopping.wait(rest_s):
                return
            schema = self._known_schema()
            if schema is None:
                return
            self._take_in(schema)
            suspect = self.suspects.take()
            if suspect is not None:
                self._weigh(suspect, schema)
                continue
            if self._inbox.settle():
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
        writes, late = self._inbox.take()
        if not writes and not late:
            return
        self._tell_others([write.encode() for write, local in writes if local])
        with self._budget.spending():
            # What was named already is read again before anybody sees it.
            answers = [answer for answer in self._answers.all() if self._holds(answer)]
            for write, _ in writes:
                changed = schema.written(write.tables, write.deletes)
                self._recent.append((write, changed))
                self.suspects.search(write, changed, answers, schema)
            for question, began in late:
                answer = self._answers.get(question.name)
                for write, changed in self._recent:
                    if answer is not None and write.at > began:
                        self.suspects.search(write, changed, [answer], schema)

    def _tell_others(self, lines: Sequence[str]) -> None:
        if not lines:
            return
        try:
            self._bus.tell_writes("\n".join([self.token, *lines]))
        except BusUnavailable as error:
            log.info("The other workers are not told of what was written or found: %s", error)

    def _weigh(self, suspect: Suspect, schema: Schema) -> None:
        judgement = self._judge.judge(suspect.answer)
        self.verdicts[judgement.verdict] += 1
        guilty = judgement.verdict is Verdict.MISSED
        if guilty or judgement.verdict is Verdict.UNCHANGED:
            self.suspects.judged(suspect, guilty=guilty)
        if judgement.verdict is Verdict.CLOCK and judgement.seen is not None:
            self.tell_clock(suspect.answer.question, judgement.seen)
            self._answers.accept(suspect.answer, judgement.seen.content)
        elif guilty:
            self._tell_missed(suspect, judgement, schema)

    def _tell_missed(self, suspect: Suspect, judgement: Judgement, schema: Schema) -> None:
        answer, seen = suspect.answer, judgement.seen
        assert seen is not None  # noqa: S101  a verdict of this kind has seen something
        write, tables = suspect.cause
        reader = blame(
            readers_of(self._registry, answer.question),
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
        self._keep(found)
        self._log_once(found)
        told = ToldFinding.of(found)
        self._tell_others([f"{FINDING}{told.encode()}"])
        if self._strict:
            self._mark(told)
            self._answers.accept(answer, seen.content)
        else:
            self._heal(answer, write.trace)

    def _keep(self, found: Finding) -> None:
        self.findings.append(found)
        self.found += 1
        self.told.append(ToldFinding.of(found))

    def _heal(self, answer: Answer, trace: str) -> None:
        """Name the key that nothing named: every screen and every cache lets go of it."""
        try:
            self._bus.publish(Notice(answer.question.keys[:1], "healed", trace))
            self.healed += 1
        except BusUnavailable as error:
            key = answer.question.keys[0]
            log.info("%s is not healed: %s", key, error, extra={"trace": trace})
            self._hub.doubt()

    def _mark(self, told: ToldFinding) -> None:
        """Let the browsers of this worker mark the regions that show the key."""
        try:
            parts = self._registry.parse_key(told.key).parts
        except InvalidKey:
            return  # what a user may do is shown in no region
        self._hub.tell_finding(parts, told.text)

    def _log_once(self, found: Finding) -> None:
        if found.kind in self._kinds or len(self._kinds) >= _MOST_KINDS:
            return
        self._kinds.add(found.kind)
        log.warning("%s", found, extra=found.fields)


def _namespace(question: Question) -> str:
    return question.key.query.namespace if isinstance(question, KeyQuestion) else "access"
