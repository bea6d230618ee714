"""Who may see an account."""

from core import Access, Me
from plugins.accounts import plugin
from plugins.accounts.events import AccountChanged, SessionEnded


@plugin.guard(stale_on=[AccountChanged, SessionEnded])
def own_account(me: Me) -> Access:  # noqa: ARG001  its presence is what the guard asks for
    """Everybody their own. Being stale on `SessionEnded` is what ends that session's streams."""
    return Access.EDIT
