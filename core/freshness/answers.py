"""Answers: what was last answered to each question, and from which tables."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from weakref import ReferenceType, ref

from core.bodies import Bodies
from core.freshness.observation import Reads
from core.freshness.questions import Content, Question, Seen
from core.freshness.statements import Tables
from core.hub import Heard

MOST_ANSWERS = 10_000


@dataclass(slots=True)
class Answer:
    """What was answered to ``question``, read at ``heard`` or current then.

    ``content`` is what the next answer is compared with. ``served`` is what is really given out: it
    lags behind once a difference was reported and not healed. ``bodies`` are gone when the cache
    lets go of them.
    """

    question: Question
    content: Content
    served: Content
    reads: Reads
    heard: Heard
    bodies: "ReferenceType[Bodies] | None"

    @property
    def tables(self) -> Tables:
        """The tables that all its parts read."""
        return frozenset().union(*self.reads.values())


class Answers:
    """The last answers of one worker: those asked for least recently go first.

    *holds* says whether nothing has named an answer since. *refilled* is told of each answer that
    took the place of one that did not hold, and whether it was the same again.
    """

    def __init__(
        self, holds: Callable[[Answer], bool], refilled: Callable[[Answer, bool], None]
    ) -> None:
        self._holds = holds
        self._refilled = refilled
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, name: Hashable) -> Answer | None:
        """The last answer to the question of this *name*."""
        return self._answers.get(name)

    def note(self, question: Question, seen: Seen, heard: Heard) -> bool:
        """Note that *question* was answered so; whether that is news."""
        name = question.name
        with self._lock:
            before = self._answers.get(name)
            if before is not None:
                self._answers.move_to_end(name)
        held = before is not None and self._holds(before)
        if before is not None and held and before.served == seen.content:
            return False
        bodies = ref(seen.bodies) if seen.bodies is not None else None
        answer = Answer(question, seen.content, seen.content, seen.reads, heard, bodies)
        with self._lock:
            self._answers[name] = answer
            while len(self._answers) > MOST_ANSWERS:
                self._answers.popitem(last=False)
        if before is not None and not held:
            self._refilled(before, before.served == seen.content)
        return True

    def is_noted(self, name: Hashable, bodies: Bodies) -> bool:
        """Whether the last answer of this *name* was these very *bodies*."""
        answer = self._answers.get(name)
        return answer is not None and answer.bodies is not None and answer.bodies() is bodies

    def accept(self, answer: Answer, content: Content) -> None:
        """Compare with *content* from now on: what differs was reported."""
        answer.content = content

    def forget(self, name: Hashable) -> None:
        """Forget the answer of this *name*."""
        with self._lock:
            self._answers.pop(name, None)

    def all(self) -> list[Answer]:
        """Every answer, the most recent last."""
        with self._lock:
            return list(self._answers.values())
