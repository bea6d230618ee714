"""Reactions: what a plugin does after the commit, at least once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gevent
from gevent import monkey

from core.errors import ReactionTooSlow
from core.events import Event


@dataclass(frozen=True)
class Reaction:
    """A function of one event; ``label`` (``media.delete_stored_file``) names it in its rows."""

    plugin: str
    event: type[Event]
    function: Callable[[Any], None]

    @property
    def label(self) -> str:
        """Its name, unique in the app and stable over releases."""
        return f"{self.plugin}.{self.function.__name__}"


@contextmanager
def limited(timeout_s: float, label: str) -> Iterator[None]:
    """Raises `ReactionTooSlow` inside what runs longer, at the next point where it waits.

    Only gevent can do that; in plain threads, what hangs hangs.
    """
    if not monkey.is_module_patched("threading"):
        yield
        return
    with gevent.Timeout(timeout_s, ReactionTooSlow(f"{label} took longer than {timeout_s:g} s")):
        yield
