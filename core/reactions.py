"""Reactions: what a plugin does after the commit, at least once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
