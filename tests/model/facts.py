"""What was really published, and what follows from it: the judge of every answer.

It remembers everything and trims nothing, so whatever it says can be said exactly.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.stamps import Stamp
from tests.model.database import Database, depends_on, is_named


@dataclass(frozen=True)
class Publication:
    """One number, and what every key showed when it was given."""

    stamp: Stamp
    keys: tuple[str, ...]
    reset: bool
    truth: dict[str, int]

    def names(self, text: str) -> bool:
        """Whether it makes *text* stale."""
        return self.reset or is_named(text, self.keys)


class Facts:
    """All publications of all generations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._published: dict[str, list[Publication]] = {}
        self._begun: dict[str, dict[str, int]] = {}

    def begin(self, generation: str) -> None:
        """All stamps are void: who reads from now on sees all that is committed."""
        self._published[generation] = []
        self._begun[generation] = self._database.truth

    def publish(self, stamp: Stamp, keys: Sequence[str], reset: bool) -> None:
        """Note a publication."""
        truth = self._database.truth
        self._published[stamp.generation].append(Publication(stamp, tuple(keys), reset, truth))

    def least(self, text: str, stamp: Stamp) -> int:
        """The oldest version of *text* that may be shown as current at *stamp*.

        Whoever read it after the last publication that named it saw what was committed by then.
        """
        found = self._begun[stamp.generation][text]
        for publication in self._naming(depends_on(text), stamp.generation, 0, stamp.sequence):
            found = max(found, publication.truth[text])
        return found

    def is_caused(self, text: str, generation: str, after: int, through: int) -> bool:
        """Whether a publication numbered so made *text* stale."""
        return any(self._naming(depends_on(text), generation, after, through))

    def is_named(self, name: str, generation: str, after: int, through: int) -> bool:
        """Whether a publication numbered so named *name* itself or a prefix of it."""
        return any(self._naming((name,), generation, after, through))

    def _naming(
        self, names: Sequence[str], generation: str, after: int, through: int
    ) -> Iterable[Publication]:
        for publication in self._published[generation]:
            number = publication.stamp.sequence
            if after < number <= through and any(publication.names(name) for name in names):
                yield publication
