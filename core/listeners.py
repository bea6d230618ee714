"""Listeners: what a plugin does with every event of every plugin, inside the transaction.

1. A listener is told once for each write transaction, of all its events together, before it
   commits: nothing is lost, and nothing is told twice. (A reaction runs later, at least once, and
   no longer knows who it was.) What it raises undoes the whole transaction.
2. It may write and emit. What listeners emit is told to no listener, so they cannot go in circles.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.events import Event


@dataclass(frozen=True)
class Origin:
    """Whose transaction it is: of an ``action`` (``chapters.add``) by a user, or of something else.

    ``by`` is that in words. ``from_request`` is false for commands and what runs in the background.
    """

    user_id: int | None
    action: str | None
    by: str
    trace: str
    from_request: bool


Listen = Callable[[Sequence[Event], Origin], None]


@dataclass(frozen=True)
class Listener:
    """A function of the events of one transaction."""

    plugin: str
    function: Listen
