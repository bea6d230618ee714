"""Deltas: of a long body, only the lines that the asker does not hold.

A course of thousands of videos is 1.5 MB of html, of which a change touches one chapter. Who sends
``Live-Delta: lines`` and the ``ETag`` of what they hold is told how to make the new body of the old
one. It is a way to send a body, as compression is, and nothing else: key, stamp and ``ETag`` are
those of the whole, and where the old body is not at hand any more, the whole is sent.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Collection
from typing import TypeAlias

from core.bodies import Body

HEADER = "Live-Delta"
LINES = "lines"
LONG_BYTES = 50_000
"""Below this, the whole is sent: nobody would notice the difference."""
MOST_BYTES = 24_000_000
MOST_DELTAS = 16

Delta: TypeAlias = list[str | list[int]]
"""What the new body consists of, in order: a line of its own, or ``[first, count]`` of the old."""


class Deltas:
    """The long bodies that this process has sent; the least recently used go first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._sent: OrderedDict[str, Body] = OrderedDict()
        self._size = 0
        self._deltas: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def remember(self, body: Body) -> str | None:
        """*body* is being sent: somebody may ask for what follows it.

        Returns its ``ETag`` where it is long enough for that.
        """
        if len(body.content) < LONG_BYTES:
            return None
        with self._lock:
            if body.tag not in self._sent:
                self._size += len(body.content)
            self._sent[body.tag] = body
            self._sent.move_to_end(body.tag)
            while self._size > self._most_bytes:
                self._size -= len(self._sent.popitem(last=False)[1].content)
        return body.tag

    def between(self, held: Collection[str], body: Body) -> bytes | None:
        """How *body* is made of the one whose ``ETag`` is *held*, as JSON.

        ``None`` where that one is not at hand, or where it would save less than half. Of several
        nobody could say which it was made of.
        """
        if len(held) != 1 or len(body.content) < LONG_BYTES:
            return None
        with self._lock:
            base = self._sent.get(next(iter(held)))
        delta = base and self._delta(base, body)
        return delta if delta and len(delta) < len(body.content) / 2 else None

    def _delta(self, base: Body, body: Body) -> bytes:
        """Made once for all who held *base*."""
        name = (base.tag, body.tag)
        with self._lock:
            made = self._deltas.get(name)
        if made is None:
            delta = delta_of(base.content.decode(), body.content.decode())
            made = json.dumps(delta, separators=(",", ":"), ensure_ascii=False).encode()
            with self._lock:
                self._deltas[name] = made
                if len(self._deltas) > MOST_DELTAS:
                    self._deltas.popitem(last=False)
        return made


def delta_of(old: str, new: str) -> Delta:
    """How *new* is made of the lines of *old*.

    Each line is looked for behind the one that was used last, else where it stands first. So the
    time it takes grows with the two texts, and what moved is found too.
    """
    held = old.split("\n")
    places: dict[str, int] = {}
    for number, line in enumerate(held):
        places.setdefault(line, number)
    delta: Delta = []
    follows = -1
    for line in new.split("\n"):
        goes_on = 0 <= follows < len(held) and held[follows] == line
        number = follows if goes_on else places.get(line, -1)
        last = delta[-1] if delta else None
        if number < 0:
            delta.append(line)
        elif goes_on and isinstance(last, list):
            last[1] += 1
        else:
            delta.append([number, 1])
        follows = number + 1 if number >= 0 else -1
    return delta
