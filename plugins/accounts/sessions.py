"""Sessions: one row per sign-in, found by the hash of the token in the cookie."""

import secrets
from datetime import timedelta
from hashlib import sha256

from flask import Response, after_this_request, current_app, request
from sqlalchemy import ColumnElement, delete, select

from core import Me, Settings, db, emit, now
from plugins.accounts import plugin
from plugins.accounts.events import SessionEnded
from plugins.accounts.models import AccountSession, User

COOKIE = "coursewire_session"
LIFETIME = timedelta(days=30)
"""A session ends this long after the sign-in, however much it is used."""


@plugin.identity(cookie=COOKIE)
def load_me(token: str) -> Me | None:
    """The user whose session *token* names, if it is still good."""
    found = db.session.execute(
        select(
            User.id, User.name, User.email, User.staff, AccountSession.id, AccountSession.expires_at
        )
        .join(AccountSession, AccountSession.user_id == User.id)
        .where(
            AccountSession.token_hash == _hash(token),
            AccountSession.expires_at > now(),
            User.disabled.is_(False),
        )
    ).one_or_none()
    return Me(*found) if found is not None else None


def begin_session(user: User) -> Me:
    """A new session for *user*, whose token the answer to this request sets as a cookie."""
    token = secrets.token_urlsafe(32)
    session = AccountSession(
        token_hash=_hash(token),
        user_id=user.id,
        expires_at=now() + LIFETIME,
        agent=request.user_agent.string[:200],
    )
    db.session.add(session)
    db.session.flush()
    set_cookie(token, LIFETIME)
    return Me(user.id, user.name, user.email, user.staff, session.id, session.expires_at)


def end_session(me: Me) -> None:
    """End the session of this request."""
    _end(AccountSession.id == me.session_id)


def end_sessions_of(user_id: int) -> int:
    """End every session of a user; returns how many there were."""
    return _end(AccountSession.user_id == user_id)


def forget_expired_sessions() -> None:
    """Delete the rows of sessions that are over; nobody could use them any more."""
    db.session.execute(delete(AccountSession).where(AccountSession.expires_at <= now()))


def set_cookie(token: str, lifetime: timedelta) -> None:
    """Let the answer to this request set the cookie; a lifetime of nothing removes it."""
    settings: Settings = current_app.config["COURSEWIRE"]

    @after_this_request
    def set_it(response: Response) -> Response:
        response.set_cookie(
            COOKIE,
            token,
            max_age=lifetime,
            httponly=True,
            samesite="Lax",
            secure=settings.secure_cookies == "always" or request.is_secure,
        )
        return response


def _end(which: ColumnElement[bool]) -> int:
    ended = db.session.execute(
        delete(AccountSession).where(which).returning(AccountSession.user_id, AccountSession.id)
    ).all()
    for user_id, session_id in ended:
        emit(SessionEnded(user_id=user_id, session_id=session_id))
    return len(ended)


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
