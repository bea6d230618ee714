"""What somebody does with a link: ask for one, accept an invitation, choose another password."""

from flask import request

from core import (
    Invalid,
    Limit,
    Me,
    current_throttle,
    emit,
    network_of,
    public,
    reading,
    say,
)
from core.languages import gettext as _
from plugins.accounts import plugin
from plugins.accounts.actions import let_in, set_password
from plugins.accounts.events import AccountChanged, LinkAsked
from plugins.accounts.links import no_such_link, use_link, user_of_link
from plugins.accounts.models import LinkKind
from plugins.accounts.passwords import check_password, hash_password
from plugins.accounts.public import find_user, normal_email, sends_mail
from plugins.accounts.tries import remember_device
from plugins.accounts.views import AccountView, Email, Name, Password

_ASKED = (
    Limit("links asked", 5, 3600),
    Limit("links asked of everywhere", 20, 3600),
    Limit("links asked from here", 50, 3600),
)
"""Of an address by one network, of an address by all, and by one network. Who reaches the second
for somebody else has had twenty good links sent to them: it keeps nobody out."""


def count_asking(email: str) -> None:
    """Raises `TooMany`; whether the account exists is all one."""
    account, network = normal_email(email), network_of(request.remote_addr or "")
    here, everywhere, whole = _ASKED
    current_throttle().take(
        _("Too many links were asked for. Look into your mail, or wait an hour and try again."),
        (here, f"{account} {network}"),
        (whole, network),
        (everywhere, account),
    )


@plugin.action(guard=public, prepare=count_asking)
def ask_for_link(email: Email, prepared: None) -> None:  # noqa: ARG001  it has counted
    """Mail a link to choose a password by; the answer is the same when no account has *email*."""
    if not sends_mail():
        raise Invalid(_("This site sends no mail. Ask the people who run it for a link."))
    user = find_user(email)
    known = user is not None and not user.disabled
    kind: LinkKind = "invitation" if user is not None and user.invited else "reset"
    emit(LinkAsked(user_id=user.id if user is not None and known else None, kind=kind))
    say(_("If this address has an account, a mail with a link is on its way to it."))


def hash_of_reset(link: str, password: str) -> str:
    """The hash of a *password* that may be; nothing is hashed for a link of no use."""
    return _hash_for("reset", link, password)


@plugin.action(guard=public, prepare=hash_of_reset)
def reset_password(
    link: str,
    password: Password,  # noqa: ARG001  for `hash_of_reset`
    prepared: str,
) -> None:
    """Choose another password: every session of the account ends."""
    user = use_link("reset", link)
    set_password(user, prepared)
    remember_device(user.email)
    say(_("Your password is changed, and every browser is signed out. Sign in with the new one."))


def hash_of_first(link: str, name: str, password: str) -> str:
    """The hash of a *password* that may be; nothing is hashed for a link of no use."""
    return _hash_for("invitation", link, password, name)


@plugin.action(guard=public, prepare=hash_of_first)
def accept_invitation(
    link: str,
    name: Name,
    password: Password,  # noqa: ARG001  for `hash_of_first`
    me: Me | None,
    prepared: str,
) -> AccountView:
    """Choose a name and a password, and be signed in."""
    user = use_link("invitation", link)
    user.name, user.invited = name, False
    set_password(user, prepared)
    emit(AccountChanged(user_id=user.id))
    say(_("Welcome, %(name)s.", name=name))
    return AccountView.of(let_in(user, me))


def _hash_for(kind: LinkKind, link: str, password: str, *about: str) -> str:
    with reading():
        user = user_of_link(kind, link)
        if user is None:
            raise no_such_link()
        email, name = user.email, user.name
    check_password(password, email, name, *about)
    return hash_password(password)
