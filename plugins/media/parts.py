"""A file in parts, and what becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Pending:
    """A file that arrives in parts of ``part_bytes`` each, but for the last; they count from 0."""

    handle: str
    size_bytes: int
    part_bytes: int

    @property
    def count(self) -> int:
        """How many parts there are."""
        return max(1, -(-self.size_bytes // self.part_bytes))

    def bytes_of(self, number: int) -> int:
        """The size of one part; raises `ValueError` for a number that it does not have."""
        if not 0 <= number < self.count:
            raise ValueError(f"part {number} of {self.count}")
        return min(self.part_bytes, self.size_bytes - number * self.part_bytes)


@dataclass(frozen=True)
class SignedAddress:
    """An address elsewhere that is good for a while; ``headers`` are to be sent as they are."""

    url: str
    lasts_s: int
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Stored:
    """A file that is complete: its key, and the SHA-256 of its bytes, in hex."""

    key: str
    sha256: str
