"""The screen to sign in."""

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from core import current_me, public
from core.web.redirects import own_path
from plugins.accounts import plugin


@plugin.page("/sign-in", guard=public)
def sign_in_page() -> ResponseReturnValue:
    """Who is signed in goes on to where they were going."""
    next_path = own_path(request.args.get("next"))
    if current_me() is not None:
        return redirect(next_path)
    return render_template("accounts/sign_in_page.html", next=next_path)
