"""The way to the OpenID Connect provider and back, and which account its word opens."""

from typing import TYPE_CHECKING, Any

from flask import redirect, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from core import NotFound, current_me, current_settings, db, emit, public, transaction
from core.languages import gettext as _
from core.web.redirects import own_path
from plugins.accounts import plugin
from plugins.accounts.actions import let_in
from plugins.accounts.events import AccountChanged
from plugins.accounts.models import AccountIdentity, User
from plugins.accounts.public import find_user, invite

if TYPE_CHECKING:
    from plugins.accounts.oidc import Claims


@plugin.page("/sign-in/provider", guard=public)
def to_provider() -> ResponseReturnValue:
    """On to the provider's own pages."""
    _refuse_without_provider()
    from plugins.accounts import oidc  # noqa: PLC0415  an extra

    return oidc.begin(own_path(request.args.get("next")))


@plugin.page("/sign-in/provider/back", guard=public)
def from_provider() -> ResponseReturnValue:
    """Back from there, and in."""
    _refuse_without_provider()
    from plugins.accounts import oidc  # noqa: PLC0415  an extra

    claims, next_path = oidc.finish()
    with transaction() as work:
        work.by = "a sign-in with the provider"
        user = account_of(claims)
        if user is None:
            raise oidc.failed(_("No account here is yours, as far as the provider's word goes."))
        if user.disabled:
            raise oidc.failed(_("This account may not sign in."))
        let_in(user, current_me())
    response: Any = redirect(own_path(next_path))
    return oidc.forget(response)


def account_of(claims: "Claims") -> User | None:
    """The account that *claims* open: the one that they opened before; by a proven e-mail address
    or as a new one only where the settings say so.
    """
    settings = current_settings()
    known = db.session.scalar(
        select(User)
        .join(AccountIdentity, AccountIdentity.user_id == User.id)
        .where(AccountIdentity.issuer == claims.issuer, AccountIdentity.subject == claims.subject)
    )
    if known is not None or claims.email is None:
        return known
    user = find_user(claims.email)
    if user is None and settings.oidc_create:
        user = invite(claims.email, claims.name)
    elif user is not None and not settings.oidc_link_by_email:
        return None
    if user is None or user.disabled:
        return user
    if user.invited:
        user.name, user.invited = claims.name, False
        emit(AccountChanged(user_id=user.id))
    db.session.add(AccountIdentity(user_id=user.id, issuer=claims.issuer, subject=claims.subject))
    return user


def _refuse_without_provider() -> None:
    if not current_settings().oidc_issuer:
        raise NotFound(_("There is nothing at this address. Sign in with a password."))
