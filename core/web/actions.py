"""``POST /a/<plugin>/<action>``: a write, from a program (JSON) or from a form."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from flask import Blueprint, Response, flash, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from werkzeug.exceptions import HTTPException

from core.access import Access, Me, current_me
from core.actions import Action
from core.current import current_runtime
from core.errors import BadRequest, Invalid, InvalidKey, NotFound, Problem
from core.floors import remember_floor
from core.format import number
from core.keys import ACCESS, KeyParts, split_key
from core.languages import gettext as _
from core.reads import access_to
from core.throttle import Limit, network_of
from core.web.problems import FORM_TYPES, wants_json
from core.web.redirects import own_path
from core.web.uploads import UploadRequest
from core.writes import MAX_IDEMPOTENCY_KEY, Outcome, check_access, run_action

blueprint = Blueprint("coursewire_actions", __name__)
log = logging.getLogger("coursewire.web")

_FORM_PARTS = 1_000

_KEYS_CHECKED = 50
"""Of the keys that an action made stale, how many are told to the actor; their own stream tells
the rest."""


_RESULTS = {401: "refused", 403: "refused", 404: "refused", 409: "conflict", 429: "refused"}

_MINUTE_S = 60


@blueprint.post("/a/<plugin>/<name>")
def act(plugin: str, name: str) -> ResponseReturnValue:
    """Run the action, and answer with what it made stale and the stamp of that."""
    action = current_runtime().registry.find_action(plugin, name)
    if action is None:
        raise NotFound(f"No plugin has an action {plugin}/{name}. See /openapi.json.")
    with _counted(action):
        outcome = _run(action)
    response = _answer(outcome) if wants_json() else _back(outcome)
    remember_floor(response, outcome.stamp)
    response.headers["Cache-Control"] = "no-store"
    return response


def _run(action: Action[..., Any]) -> Outcome:
    me = current_me()
    _count_request(me)
    _refuse_before_reading(action, me)
    return run_action(action, _arguments(action), me, _idempotency_key())


def _count_request(me: Me | None) -> None:
    """Raises `TooMany` for whoever writes more than anybody does by hand."""
    runtime = current_runtime()
    rates, settings = runtime.rates, runtime.settings
    if me is not None:
        limit = Limit("actions", settings.actions_per_user, _MINUTE_S)
        words = _(
            "More came from you within a minute than the %(count)s changes that are taken. Nothing "
            "was saved; wait a minute, then try again.",
            count=number(limit.tries),
        )
        rates.count(limit, str(me.user_id), words)
    limit = Limit("actions-address", settings.actions_per_address, _MINUTE_S)
    words = _(
        "More came from your network within a minute than the %(count)s changes that are taken. "
        "Nothing was saved; wait a minute, then try again.",
        count=number(limit.tries),
    )
    rates.count(limit, network_of(request.remote_addr or ""), words)


@contextmanager
def _counted(action: Action[..., Any]) -> Iterator[None]:
    """Count the action by what came of it, and how long it took."""
    began, result = time.perf_counter(), "failed"
    try:
        yield
        result = "ok"
    except Problem as problem:
        result = _RESULTS.get(problem.status, "failed" if problem.status >= 500 else "invalid")
        raise
    except IntegrityError:
        result = "conflict"
        raise
    except (HTTPException, DataError, OverflowError):
        result = "invalid"
        raise
    finally:
        seconds = current_runtime().metrics.action_seconds
        seconds.labels(action.label, result).observe(time.perf_counter() - began)


def _refuse_before_reading(action: Action[..., Any], me: Me | None) -> None:
    """Nobody sends us a body in vain: what is known without it is checked without it."""
    guard = action.guard
    if me is None and not guard.asks_anonymous:
        check_access(action.needs, Access.NONE, me)
    elif action.takes_upload and not guard.needed:
        check_access(action.needs, current_runtime().grant(guard, me, {}), me)


def _arguments(action: Action[..., Any]) -> dict[str, Any]:
    request.max_form_parts = _FORM_PARTS
    if action.takes_upload:
        cast(UploadRequest, request).takes_files = True
    else:
        request.max_content_length = current_runtime().settings.max_body_bytes
    if request.mimetype == "application/json" and not action.takes_upload:
        try:
            body = request.get_json(silent=True)
        except RecursionError:
            raise BadRequest("The body is nested too deeply. Nothing was saved.") from None
        if not isinstance(body, dict):
            raise BadRequest("The body is not a JSON object. Nothing was saved.")
        return action.arguments_from_json(body)
    if request.mimetype in FORM_TYPES:
        return action.arguments_from_form(request.form, request.files)
    if request.content_length in (None, 0) and not action.takes_upload:
        return action.arguments_from_json({})
    problem = Problem("Send JSON (application/json) or a form. Nothing was saved.")
    problem.status, problem.title = 415, "Not a format we read"
    raise problem


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY:
        raise Invalid(f"Idempotency-Key must have 1 to {MAX_IDEMPOTENCY_KEY} characters.")
    return key


def _answer(outcome: Outcome) -> Response:
    return jsonify(
        result=outcome.result,
        stale=_stale_for_actor(outcome),
        stamp=str(outcome.stamp) if outcome.stamp is not None else None,
        message=outcome.message,
        undo=outcome.undo,
    )


def _back(outcome: Outcome) -> Response:
    """A form without JavaScript goes back to where it was, with the message."""
    if outcome.message:
        flash(outcome.message, "done")
    response: Any = redirect(own_path(request.form.get("_next"), request.referrer), 303)
    return response  # type: ignore[no-any-return]


def _stale_for_actor(outcome: Outcome) -> list[KeyParts]:
    """The stale keys that the actor may view, so their page need not wait for the stream."""
    told = []
    me = current_me()
    try:
        for text in outcome.stale[:_KEYS_CHECKED]:
            parts = _viewable(text, me)
            if parts is not None:
                told.append(parts)
    except SQLAlchemyError as error:
        # The action is committed, and its answer must say so; the stream tells the rest.
        log.warning("Not all stale keys could be told to the actor: %s", error)
    return told


def _viewable(text: str, me: Any) -> KeyParts | None:
    registry = current_runtime().registry
    segments = split_key(text)
    if segments[0] == ACCESS or len(segments) < 2:
        return None
    query = registry.find_query(segments[0], segments[1])
    if query is None:
        return None
    try:
        key = registry.parse_key(text)
    except InvalidKey:
        # A prefix of keys: no guard can be asked about it, so it says only what it is made of.
        return (query.plugin, query.path_name) if len(segments) == 2 else None
    return key.parts if access_to(key, me) >= Access.VIEW else None
