"""Signing in and out."""

from datetime import timedelta
from typing import Annotated

from pydantic import StringConstraints

from core import Invalid, Me, public, say
from plugins.accounts import plugin
from plugins.accounts.passwords import password_fits
from plugins.accounts.public import find_user
from plugins.accounts.sessions import (
    begin_session,
    end_session,
    forget_expired_sessions,
    set_cookie,
)
from plugins.accounts.views import AccountView


@plugin.action(guard=public)
def sign_in(
    email: Annotated[str, StringConstraints(max_length=254)],
    password: Annotated[str, StringConstraints(max_length=1024, strip_whitespace=False)],
    me: Me | None,
) -> AccountView:
    """Begin a session, in place of the one this browser may have."""
    user = find_user(email)
    fits = password_fits(user.password_hash if user else None, password)
    if user is None or not fits or user.disabled:
        raise Invalid("E-mail or password is wrong.", title="Not signed in")
    if me is not None:
        end_session(me)
    forget_expired_sessions()
    return AccountView.of(begin_session(user))


@plugin.action(guard=public)
def sign_out(me: Me | None) -> None:
    """End the session of this browser; harmless when there is none."""
    if me is not None:
        end_session(me)
    set_cookie("", timedelta(0))
    say("You are signed out.")
