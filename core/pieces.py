"""Pieces of fragments, remembered by what they show.

A fragment of thousands of rows is made anew when one of them changes. What stands in it as
``piece(template, result, …)`` is rendered only when that template has not shown that result before:
a piece is a pure function of what its name says, as a fragment is of its key, so it never is stale.
"""

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from markupsafe import Markup
from pydantic import BaseModel

from core.languages import current_language

MOST_BYTES = 16_000_000


class Pieces:
    """What this process remembers of them; the least recently used go first."""

    def __init__(self, render: Callable[..., str], most_bytes: int = MOST_BYTES) -> None:
        self._render = render
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Markup] = OrderedDict()
        self._size = 0
        self.made = 0
        """How many were rendered so far."""

    def piece(self, template: str, result: BaseModel, **more: Hashable) -> Markup:
        """The html of *template* for *result* and *more*, in the language at hand.

        It may see nothing else: neither the request nor the rest of the fragment.
        """
        name = (template, current_language(), result.model_dump_json(), *sorted(more.items()))
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None:
                self._kept.move_to_end(name)
                return kept
        self.made += 1
        made = Markup(self._render(template, result=result, **more))  # noqa: S704  autoescaped
        self._keep(name, made)
        return made

    def _keep(self, name: Hashable, made: Markup) -> None:
        with self._lock:
            if name in self._kept:
                return
            self._kept[name] = made
            self._size += _size(name, made)
            while self._size > self._most_bytes:
                self._size -= _size(*self._kept.popitem(last=False))


def _size(name: Hashable, made: Markup) -> int:
    """About the bytes of both; a name is mostly the JSON in it."""
    return sys.getsizeof(made) + sum(map(sys.getsizeof, name if isinstance(name, tuple) else ()))
