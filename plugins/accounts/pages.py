"""The screens of accounts."""

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from core import current_me, current_settings, public, reading, signed_in
from core.web.redirects import own_path
from plugins.accounts import link_actions, plugin, provider_pages  # noqa: F401  they register themselves
from plugins.accounts.links import user_of_link
from plugins.accounts.models import LinkKind
from plugins.accounts.public import sends_mail


@plugin.page("/sign-in", guard=public)
def sign_in_page() -> ResponseReturnValue:
    """Who is signed in goes on to where they were going."""
    next_path = own_path(request.args.get("next"))
    if current_me() is not None:
        return redirect(next_path)
    provider = current_settings().oidc_name if current_settings().oidc_issuer else None
    here = own_path(request.full_path.rstrip("?"))
    return render_template(
        "accounts/sign_in_page.html", next=next_path, provider=provider, here=here
    )


@plugin.page("/account", guard=signed_in)
def account_page() -> ResponseReturnValue:
    """One's own name and password, and where one is signed in."""
    return render_template("accounts/account_page.html", sends_mail=sends_mail())


@plugin.page("/forgot-password", guard=public)
def forgot_password_page() -> ResponseReturnValue:
    """Where a link to choose another password is asked for."""
    return render_template("accounts/forgot_password_page.html", sends_mail=sends_mail())


@plugin.page("/reset-password", guard=public)
def reset_password_page() -> ResponseReturnValue:
    """Where such a link leads."""
    return _link_page("reset", "accounts/reset_password_page.html")


@plugin.page("/invitation", guard=public)
def invitation_page() -> ResponseReturnValue:
    """Where an invitation leads."""
    return _link_page("invitation", "accounts/invitation_page.html")


def _link_page(kind: LinkKind, template: str) -> ResponseReturnValue:
    link = request.args.get("link", "")
    with reading():
        user = user_of_link(kind, link)
        email = user.email if user is not None else None
    page = render_template(template, link=link, email=email, sends_mail=sends_mail())
    # The address is as good as a password: nobody keeps the page.
    return page, 200 if email is not None else 410, {"Cache-Control": "no-store"}
