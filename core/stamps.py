"""Stamps: "this was current at that point", as ``<generation>-<sequence>``."""

import re
from dataclasses import dataclass
from typing import Self

from core.errors import InvalidStamp

_TEXT = re.compile(r"([0-9a-f]{12})-(0|[1-9][0-9]{0,17})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A point in the order of publications.

    Stamps of two generations have no order: data of another generation is never current, and
    whoever holds it reads again.
    """

    generation: str
    sequence: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The stamp that *text* spells; raises `InvalidStamp` for anything else."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise InvalidStamp(text)
        return cls(match[1], int(match[2]))

    def __str__(self) -> str:
        return f"{self.generation}-{self.sequence}"

    def reaches(self, floor: "Stamp | None") -> bool:
        """Whether data stamped so may answer one who asks for *floor* or newer."""
        if floor is None:
            return True
        return self.generation == floor.generation and self.sequence >= floor.sequence
