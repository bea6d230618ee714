"""What happens to accounts."""

from core import Event
from plugins.accounts import plugin
from plugins.accounts.models import LinkKind


@plugin.event
class AccountChanged(Event):
    """A user's name or rights changed."""

    user_id: int


@plugin.event
class SessionBegan(Event):
    """A user signed in on some browser."""

    user_id: int
    session_id: int


@plugin.event
class SessionSeen(Event):
    """A session was used, for the first time in a while."""

    user_id: int
    session_id: int


@plugin.event
class SessionEnded(Event):
    """A session ended before its time: signed out, replaced, or ended by somebody."""

    user_id: int
    session_id: int


@plugin.event
class SessionExpired(Event):
    """A session that was over by itself was forgotten; nobody could use it any more."""

    user_id: int
    session_id: int


@plugin.event
class LinkAsked(Event):
    """A link to choose a password is to be mailed; to nobody when no account has that address.

    That is stated all the same, so that both take the same time.
    """

    user_id: int | None
    kind: LinkKind
