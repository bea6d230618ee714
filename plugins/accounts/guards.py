"""Who may see an account."""

from sqlalchemy import exists, select

from core import Access, Me, db
from plugins.accounts import plugin
from plugins.accounts.events import AccountChanged, SessionEnded
from plugins.accounts.models import AccountSession


@plugin.guard(stale_on=[AccountChanged, SessionEnded])
def own_account(me: Me) -> Access:  # noqa: ARG001  its presence is what the guard asks for
    """Everybody their own. Being stale on `SessionEnded` is what ends that session's streams."""
    return Access.EDIT


@plugin.guard(stale_on=[SessionEnded])
def own_session(me: Me, session_id: int) -> Access:
    """Everybody each of their own; another's is as good as none."""
    found = exists().where(AccountSession.id == session_id, AccountSession.user_id == me.user_id)
    return Access.EDIT if db.session.scalar(select(found)) else Access.NONE
