"""Access lines: what the log tells of a request.

Its address is told without what a user may have written into it: of the path the words that the
route itself has, the names of queries and actions, and numbers. No query string, no referrer.
"""

import re
from typing import Any

from flask import Flask, Response, g, request

from core.current import current_runtime
from core.telemetry.logs import trace_at_hand

TOLD = "coursewire.told"
"""The name in the WSGI environment under which the server finds what to write."""

_CONVERTER = re.compile(r"<(?:[^<>]*:)?(\w+)>")


def init_access_lines(app: Flask) -> None:
    """Note for every answer of *app* what the server may log of it."""
    app.after_request(_note)


def told_path() -> str:
    """The path of the request at hand, as it may be told: ``/q/chapters/list/42``."""
    rule = request.url_rule
    if rule is None:
        return "/live" if request.path == "/live" else "/…"
    values: dict[str, Any] = request.view_args or {}
    known = _names(rule.endpoint, values)
    return _CONVERTER.sub(lambda found: known.get(found[1]) or _plain(values[found[1]]), rule.rule)


def _names(endpoint: str, values: dict[str, Any]) -> dict[str, str]:
    """Those of *values* that are names in the code."""
    registry = current_runtime().registry
    if endpoint.endswith("static"):
        return {"filename": values["filename"]}
    found = None
    if endpoint == "coursewire_queries.answer":
        found = registry.find_query(values["plugin"], values["name"])
    elif endpoint == "coursewire_actions.act":
        found = registry.find_action(values["plugin"], values["name"])  # type: ignore[assignment]
    return {} if found is None else {"plugin": values["plugin"], "name": values["name"]}


def _plain(value: object) -> str:
    """*value* where its segments are numbers, which name rows and nobody."""
    return "/".join(part if part.isdecimal() else "…" for part in str(value).split("/"))


def _note(response: Response) -> Response:
    told: dict[str, object] = {"path": told_path()}
    me = g.get("coursewire_me")
    if me is not None:
        told["user"] = me.user_id
    trace = trace_at_hand()
    if trace is not None:
        told["trace"] = trace
    request.environ[TOLD] = told
    return response
