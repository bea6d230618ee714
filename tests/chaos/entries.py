"""What a browser knows of one key, and what it is still owed: ``core/static/live/entry.js``.

Line by line the same rules, so that a mistake in them shows here as it would in a browser.
"""

from dataclasses import dataclass, replace
from typing import Literal

from core.stamps import Stamp


def parse(text: str | None) -> Stamp | None:
    """The stamp that *text* spells, if it is one."""
    generation, dash, number = (text or "").rpartition("-")
    return Stamp(generation, int(number)) if dash and number.isdigit() else None


def is_before(a: Stamp, b: Stamp | None) -> bool:
    """Whether *a* is an earlier point of the same generation."""
    return b is not None and a.generation == b.generation and a.sequence < b.sequence


def older(a: Stamp | None, b: Stamp | None) -> Stamp | None:
    """The stamp that both are known to be current at, if there is one."""
    if a is None or b is None or a.generation != b.generation:
        return None
    return a if a.sequence <= b.sequence else b


def higher(a: Stamp | None, b: Stamp | None) -> Stamp | None:
    """The floor that satisfies both; across generations the one that was heard last, *b*."""
    if a is None or b is None:
        return a if b is None else b
    return a if is_before(b, a) else b


@dataclass(frozen=True)
class Want:
    """Something newer than what is shown, and who called for it."""

    floor: Stamp | None
    fresh: bool
    cause: str
    trace: str = ""


@dataclass(frozen=True)
class Fetched:
    """What came of one read."""

    kind: Literal["fresh", "same", "gone", "signed-out", "bad-floor", "failed"]
    stamp: Stamp | None = None
    etag: str | None = None
    body: bytes = b""
    retry_s: float = 0.0


class Entry:
    """What is shown of one key is at least as new as ``stamp``."""

    def __init__(self) -> None:
        self.stamp: Stamp | None = None
        self.etag: str | None = None
        self.reading = False
        self._wanted: Want | None = None
        self._asked: Want | None = None

    @property
    def owed(self) -> bool:
        """Whether a read should begin, once the one under way has ended."""
        return self._wanted is not None

    def want(self, want: Want) -> None:
        """Ask for newer data; nothing happens when what is shown is new enough."""
        if not _satisfies(self.stamp, want):
            self._wanted = _merge(self._wanted, want)

    def begin(self) -> tuple[Stamp | None, str | None]:
        """A read begins; returns its floor and the ETag of what is held."""
        self.reading = True
        self._asked, self._wanted = self._wanted, None
        return higher(self.stamp, self._asked.floor if self._asked else None), self.etag

    def accept(self, fetched: Fetched) -> Want | Literal["late"] | None:
        """The read ended with data; returns what called for it. Late data is not shown."""
        asked = self._end()
        if self._is_late(fetched.stamp, asked):
            self._owe_again(asked)
            return "late"
        self.stamp = fetched.stamp or self.stamp
        if fetched.kind == "fresh":
            self.etag = fetched.etag
        later = self._wanted
        if later is None or not _satisfies(fetched.stamp, later):
            return asked
        self._wanted = None
        return _merge(asked, later)

    def fail(self) -> None:
        """The read brought nothing: it is owed again, if it was."""
        self._owe_again(self._end())

    def abandon(self) -> None:
        """The server refused: what was known and wanted means nothing any more."""
        self._wanted = None
        self.etag = None
        self._end()

    def forget_stamps(self) -> None:
        """The server has never been at our floor: ask without one."""
        asked = self._end()
        self.stamp = self.etag = None
        self._owe_again(asked and replace(asked, floor=None, fresh=True))

    def _end(self) -> Want | None:
        asked, self._asked = self._asked, None
        self.reading = False
        return asked

    def _owe_again(self, asked: Want | None) -> None:
        self._wanted = _merge(asked, self._wanted)

    def _is_late(self, stamp: Stamp | None, asked: Want | None) -> bool:
        if stamp is None:
            return False
        called = self._wanted.floor if self._wanted else None
        voided = called is not None and called.generation != stamp.generation
        floor = asked.floor if asked else None
        return voided or is_before(stamp, self.stamp) or is_before(stamp, floor)


def _satisfies(stamp: Stamp | None, want: Want) -> bool:
    return (
        not want.fresh
        and want.floor is not None
        and stamp is not None
        and stamp.reaches(want.floor)
    )


def _merge(first: Want | None, then: Want | None) -> Want | None:
    if first is None or then is None:
        return first or then
    return Want(higher(first.floor, then.floor), first.fresh or then.fresh, then.cause, then.trace)
