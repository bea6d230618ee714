"""What can be read about accounts."""

from collections.abc import Iterable

from sqlalchemy import select

from core import Me, Params, db
from plugins.accounts import plugin
from plugins.accounts.events import (
    AccountChanged,
    SessionBegan,
    SessionEnded,
    SessionExpired,
    SessionSeen,
)
from plugins.accounts.guards import own_account, own_session
from plugins.accounts.models import AccountSession
from plugins.accounts.views import AccountView, SessionView


@plugin.query("me", guard=own_account, stale_on=[AccountChanged])
def accounts_me(me: Me) -> AccountView:
    """The user's own account."""
    return AccountView.of(me)


@plugin.query("sessions", guard=own_session)
def accounts_sessions(session_id: int) -> list[SessionView]:
    """Every session of the user of this one, which comes first; then those seen last."""
    user_id = select(AccountSession.user_id).where(AccountSession.id == session_id)
    rows = db.session.scalars(
        select(AccountSession).where(AccountSession.user_id == user_id.scalar_subquery())
    )
    views = [SessionView.of(row) for row in rows]
    return sorted(views, key=lambda view: (view.id == session_id, view.seen_at), reverse=True)


def lists_of_the_user(
    event: SessionBegan | SessionSeen | SessionEnded | SessionExpired,
) -> Iterable[Params]:
    """Those of all sessions of the user, also of the one that is gone."""
    ids = select(AccountSession.id).where(AccountSession.user_id == event.user_id)
    return [(session_id,) for session_id in {event.session_id, *db.session.scalars(ids)}]


accounts_sessions.stale_on(SessionBegan)(lists_of_the_user)
accounts_sessions.stale_on(SessionSeen)(lists_of_the_user)
accounts_sessions.stale_on(SessionEnded)(lists_of_the_user)
accounts_sessions.stale_on(SessionExpired)(lists_of_the_user)
