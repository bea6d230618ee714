"""Sessions: one row per sign-in, found by the hash of the token in the cookie.

A session ends at its time, and before that when it was not used for long: a page opened, or
something changed. What an open page reads by itself is no use, so a browser that nobody sits at
signs itself out. Use is written down once in a while, not each time.
"""

import logging
import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from flask import Response, after_this_request, request
from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from core import (
    Me,
    current_me,
    current_settings,
    db,
    emit,
    now,
    read_cookie,
    set_cookie,
    transaction,
)
from plugins.accounts import plugin
from plugins.accounts.events import SessionBegan, SessionEnded, SessionExpired, SessionSeen
from plugins.accounts.models import AccountSession, User

COOKIE = "coursewire_session"

_SEEN_AGAIN_AFTER = timedelta(minutes=15)

log = logging.getLogger("coursewire.accounts")


@plugin.identity(cookie=COOKIE)
def load_me(token: str) -> Me | None:
    """The user whose session *token* names, if it is still good."""
    found = db.session.execute(
        select(User, AccountSession)
        .join(AccountSession, AccountSession.user_id == User.id)
        .where(AccountSession.token_hash == _hash(token), User.disabled.is_(False))
    ).one_or_none()
    if found is None:
        return None
    me = _me(*found)
    return me if me.expires_at > now() else None


def begin_session(user: User) -> Me:
    """A new session for *user*, whose token the answer to this request sets as a cookie."""
    token = secrets.token_urlsafe(32)
    lifetime = timedelta(days=current_settings().session_days)
    session = AccountSession(
        token_hash=_hash(token),
        user_id=user.id,
        expires_at=now() + lifetime,
        seen_at=now(),
        agent=request.user_agent.string[:200],
        address=(request.remote_addr or "")[:64],
    )
    db.session.add(session)
    db.session.flush()
    emit(SessionBegan(user_id=user.id, session_id=session.id))
    give_token(token, lifetime)
    return _me(user, session)


def end_session(session_id: int) -> None:
    """End one session; harmless when it has ended."""
    _end(AccountSession.id == session_id)


def end_sessions_of(user_id: int, *, but: int | None = None) -> int:
    """End every session of a user, *but* one; returns how many there were."""
    others = AccountSession.user_id == user_id
    return _end(others if but is None else others & (AccountSession.id != but))


def forget_expired_sessions() -> None:
    """Delete the rows of sessions that are over; nobody could use them any more."""
    idle = now() - timedelta(days=current_settings().session_idle_days)
    over = or_(AccountSession.expires_at <= now(), _seen_at() <= idle)
    for user_id, session_id in _delete(over):
        emit(SessionExpired(user_id=user_id, session_id=session_id))


def give_token(token: str, lifetime: timedelta) -> None:
    """Let the answer to this request set the cookie; a lifetime of nothing removes it."""

    @after_this_request
    def set_it(response: Response) -> Response:
        return set_cookie(response, COOKIE, token, int(lifetime.total_seconds()))


@plugin.after_app_request
def note_use(response: Response) -> Response:
    """Write down that the session was used, if this request is a use and the last is long ago."""
    me = current_me() if _is_use() else None
    if me is None or me.seen_at is None or now() - me.seen_at < _seen_again_after():
        return response
    try:
        with transaction() as work:
            work.by = "the use of a session"
            _see(me)
    except SQLAlchemyError as error:
        log.warning("The use of a session was not written down: %s", error)
    return response


def _is_use() -> bool:
    """Whether somebody sits there: a page was opened, or an action sent."""
    if read_cookie(COOKIE) is None:
        return False
    acts = request.path.startswith("/a/")
    return acts or request.headers.get("Sec-Fetch-Dest") == "document"


def _see(me: Me) -> None:
    """Others may have noted it meanwhile: what this worker remembers is from before."""
    seen = db.session.execute(
        update(AccountSession)
        .where(AccountSession.id == me.session_id, _seen_at() <= now() - _seen_again_after())
        .values(seen_at=now(), address=(request.remote_addr or "")[:64])
        .returning(AccountSession.id)
    ).one_or_none()
    if seen is not None:
        emit(SessionSeen(user_id=me.user_id, session_id=me.session_id))
        forget_expired_sessions()


def _seen_again_after() -> timedelta:
    return min(_SEEN_AGAIN_AFTER, timedelta(days=current_settings().session_idle_days) / 10)


def _seen_at() -> ColumnElement[datetime]:
    return func.coalesce(AccountSession.seen_at, AccountSession.created_at)


def _me(user: User, session: AccountSession) -> Me:
    seen_at = session.seen_at or session.created_at
    idle_until = seen_at + timedelta(days=current_settings().session_idle_days)
    expires_at = min(session.expires_at, idle_until)
    return Me(user.id, user.name, user.email, user.staff, session.id, expires_at, seen_at)


def _end(which: ColumnElement[bool]) -> int:
    ended = _delete(which)
    for user_id, session_id in ended:
        emit(SessionEnded(user_id=user_id, session_id=session_id))
    return len(ended)


def _delete(which: ColumnElement[bool]) -> list[tuple[int, int]]:
    gone = delete(AccountSession).where(which)
    rows = db.session.execute(gone.returning(AccountSession.user_id, AccountSession.id))
    return [(user_id, session_id) for user_id, session_id in rows]


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
