"""The naive model of the rule of stamps: it remembers every publication, and trims nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from core.stamps import Stamp

KEYS = ("a", "a:x", "a:x:1", "a:x:1:{}", "a:x:2", "a:y", "a:y:1", "b", "b:x:1")
"""A small world, in which keys prefix each other often."""


@dataclass(frozen=True)
class Publication:
    """One number; a ``reset`` names every key."""

    sequence: int
    keys: tuple[str, ...]
    reset: bool = False

    def names(self, key: str) -> bool:
        """Whether *key*, or a prefix of it, was named."""
        return self.reset or any(key == k or key.startswith(f"{k}:") for k in self.keys)


@dataclass
class Ledger:
    """What was ever published in the generation at hand."""

    generation: str
    publications: list[Publication] = field(default_factory=list)

    @property
    def stamp(self) -> Stamp:
        """Where it stands."""
        return Stamp(self.generation, len(self.publications))

    def publish(self, keys: Iterable[str], *, reset: bool = False) -> Publication:
        """Note the next publication."""
        publication = Publication(len(self.publications) + 1, tuple(keys), reset)
        self.publications.append(publication)
        return publication

    def is_current(self, key: str, stamp: Stamp, heard: int) -> bool:
        """Whether data for *key*, stamped so, is current in the eyes of one who heard so much."""
        if stamp.generation != self.generation:
            return False
        return not any(p.names(key) for p in self.publications[stamp.sequence : heard])
