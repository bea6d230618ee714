"""Signing in and out."""

from datetime import timedelta
from typing import Annotated

from pydantic import StringConstraints

from core import Invalid, Me, public, reading, say
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


def fitting_hash(email: str, password: str) -> str | None:
    """The stored hash that the password fits; hashing takes long, and holds no connection."""
    with reading():
        user = find_user(email)
        password_hash = user.password_hash if user is not None else None
    return password_hash if password_fits(password_hash, password) else None


@plugin.action(guard=public, prepare=fitting_hash)
def sign_in(
    email: Annotated[str, StringConstraints(max_length=254)],
    password: Annotated[str, StringConstraints(max_length=1024, strip_whitespace=False)],  # noqa: ARG001  for `fitting_hash`
    me: Me | None,
    prepared: str | None,
) -> AccountView:
    """Begin a session, in place of the one this browser may have."""
    user = find_user(email)
    # The hash may have changed since it was compared.
    if user is None or prepared is None or user.password_hash != prepared or user.disabled:
        raise Invalid(
            "E-mail or password is wrong. Check both, then try again.", title="Not signed in"
        )
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
