"""Suspects: answers that a write may have changed, and that nothing named."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from core.freshness.answers import Answer
from core.freshness.questions import KeyQuestion
from core.freshness.schema import Schema
from core.freshness.statements import Tables, overlap
from core.freshness.writes import Write

_MOST_WRITES = 8
"""Writes that one suspect remembers; the newest are as likely the cause as any."""

Kind = tuple[str, str]
"""Who wrote, and the namespace that reads it: suspects of one kind stand or fall together."""


@dataclass(slots=True)
class Suspect:
    """An answer, and the writes since that overlap what it read, with what each changed."""

    answer: Answer
    writes: list[tuple[Write, Tables]] = field(default_factory=list)
    score: float = 0.0

    @property
    def name(self) -> Hashable:
        """The name of its question."""
        return self.answer.question.name

    @property
    def cause(self) -> tuple[Write, Tables]:
        """The write that most likely changed it: the nearest, of several the last."""
        return max(reversed(self.writes), key=lambda pair: _nearness(self.answer, pair[0]))


class Suspects:
    """Those not judged yet: at most *most*; the ones of little weight go first.

    *audience* says how many streams watch a key.
    """

    def __init__(self, most: int, audience: Callable[[str], int]) -> None:
        self._most = most
        self._audience = audience
        self._suspects: dict[Hashable, Suspect] = {}
        self._innocent: dict[Kind, int] = {}
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._suspects)

    def search(
        self, write: Write, changed: Tables, answers: Iterable[Answer], schema: Schema
    ) -> None:
        """Add those of *answers* that read what *write* *changed*, and that it did not name."""
        for answer in answers:
            tables = overlap(schema.read(answer.tables), changed)
            if not tables or write.names(answer.question.keys):
                continue
            suspect = self._suspects.get(answer.question.name)
            if suspect is None or suspect.answer is not answer:
                suspect = self._suspects[answer.question.name] = Suspect(answer)
            suspect.writes = [*suspect.writes[1 - _MOST_WRITES :], (write, tables)]
            suspect.score = max(suspect.score, self._score(answer, write))
        if len(self._suspects) > self._most:
            self._drop_the_least()

    def take(self) -> Suspect | None:
        """The one that weighs most, which is then no longer here."""
        if not self._suspects:
            return None
        name = max(self._suspects, key=lambda name: self._suspects[name].score)
        return self._suspects.pop(name)

    def judged(self, suspect: Suspect, *, guilty: bool) -> None:
        """Learn: a kind that was innocent often is asked later, a guilty one first."""
        for write, _ in suspect.writes:
            kind = _kind(suspect.answer, write)
            self._innocent[kind] = 0 if guilty else self._innocent.get(kind, 0) + 1
        if len(self._innocent) > self._most:
            self._innocent.clear()

    def _score(self, answer: Answer, write: Write) -> float:
        """Its audience, times how near it is to the write, over how often its kind was innocent."""
        audience = 1 + self._audience(answer.question.keys[0])
        times_innocent = self._innocent.get(_kind(answer, write), 0)
        return audience * _nearness(answer, write) / (1 + times_innocent)

    def _drop_the_least(self) -> None:
        by_weight = sorted(self._suspects.values(), key=lambda s: s.score, reverse=True)
        self.dropped += len(by_weight) - self._most
        self._suspects = {suspect.name: suspect for suspect in by_weight[: self._most]}


def _kind(answer: Answer, write: Write) -> Kind:
    question = answer.question
    who = question.key.query.namespace if isinstance(question, KeyQuestion) else "access"
    return (write.by, who)


def _nearness(answer: Answer, write: Write) -> float:
    """More where the write speaks of the same values: ``course_id=42`` and ``chapters:list:42``."""
    question = answer.question
    if not isinstance(question, KeyQuestion):
        return 1.0
    values = question.key.values
    same = sum(
        1
        for fact in write.events
        for name, value in fact.fields.items()
        if values.get(name, ...) == value
    )
    return 1.0 + 4.0 * min(same, 2)
