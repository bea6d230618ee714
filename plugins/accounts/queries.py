"""What can be read about accounts."""

from core import Me
from plugins.accounts import plugin
from plugins.accounts.events import AccountChanged
from plugins.accounts.guards import own_account
from plugins.accounts.views import AccountView


@plugin.query("me", guard=own_account, stale_on=[AccountChanged])
def accounts_me(me: Me) -> AccountView:
    """The user's own account."""
    return AccountView.of(me)
