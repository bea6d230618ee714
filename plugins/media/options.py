"""The options of a list that a page was asked to show."""

from typing import Any

from flask import request

from core import Query


def options_asked(query: Query[..., Any]) -> dict[str, Any]:
    """All options of *query*, from the page's query string.

    An address may be old or typed by hand, so what does not fit counts as not said.
    """
    values = {}
    for option in query.options:
        try:
            values[option.name] = option.from_text(request.args[option.name])
        except (KeyError, ValueError):
            values[option.name] = option.default
    return values
