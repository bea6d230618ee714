"""The screens of the site's staff."""

from flask import render_template
from flask.typing import ResponseReturnValue

from core import staff_only
from plugins.status import plugin


@plugin.page("/status", guard=staff_only)
def status_page() -> ResponseReturnValue:
    """How the site is; slot ``status``."""
    return render_template("status/page.html")


@plugin.page("/status/style", guard=staff_only)
def style_page() -> ResponseReturnValue:
    """Every piece of the screens in every state, light and dark."""
    return render_template("status/style_page.html")
