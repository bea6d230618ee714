"""What happens to accounts."""

from core import Event
from plugins.accounts import plugin


@plugin.event
class AccountChanged(Event):
    """A user's name or rights changed."""

    user_id: int


@plugin.event
class SessionEnded(Event):
    """A session ended before its time: signed out, replaced, or ended by an operator."""

    user_id: int
    session_id: int
