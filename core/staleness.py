"""What makes a read stale: declared beside the read, and by nobody else.

A query, a part and a guard each have one `Staleness`. It answers an event in one of two ways: by
name (the read's parameters are fields of the event), or in code, where names do not suffice.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from core.errors import Fault, SetupError
from core.events import Event
from core.keys import Scalar

Params: TypeAlias = tuple[Scalar, ...]
"""The required parameters of a query, in order; a shorter tuple names every key it prefixes."""

E = TypeVar("E", bound=Event)
Answer: TypeAlias = Callable[[E], Iterable[Params]]


@dataclass(frozen=True)
class Rule:
    """One event and how it is answered; ``answer`` is ``None`` for an answer by name."""

    event: type[Event]
    answer: Callable[[Any], Iterable[Any]] | None


class Staleness:
    """The events that make one read stale."""

    def __init__(self, owner: str, plugin: str, events: Sequence[type[Event]]) -> None:
        self.owner = owner
        self.plugin = plugin
        self.frozen = False
        self._rules = [Rule(event, None) for event in events]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, in the order of declaration."""
        return tuple(self._rules)

    def answers(self, event: type[E]) -> Callable[[Answer[E]], Answer[E]]:
        """A decorator for the function that says which parameters *event* makes stale.

        The function runs inside the action's transaction and once more after the commit; it may
        read the database and must not write.
        """

        def register(answer: Answer[E]) -> Answer[E]:
            if self.frozen:
                raise SetupError(
                    [
                        Fault(
                            self.plugin,
                            f"'{self.owner}' was told that it is stale on {event.__name__} after "
                            "the app had started. Declare it at import time.",
                        )
                    ]
                )
            self._rules.append(Rule(event, answer))
            return answer

        return register
