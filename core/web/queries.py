"""``GET /q/<plugin>/<query>/<params…>``: a key's data, as JSON or as its HTML fragment."""

import time
from urllib.parse import unquote

from flask import Blueprint, Response, g, redirect, request
from flask.typing import ResponseReturnValue

from core.access import Access, current_me
from core.bodies import Body
from core.current import current_runtime
from core.deltas import HEADER as DELTA
from core.deltas import LINES
from core.errors import BadRequest, InvalidKey, NotFound, SignInNeeded
from core.floors import floor_of_header
from core.keys import MAX_KEY_BYTES
from core.languages import VARY, current_language, languages
from core.languages import gettext as _
from core.queries import Key, Query
from core.reads import NoFragment, Reading, read_key
from core.stamps import Stamp
from core.throttle import Limit, network_of

blueprint = Blueprint("coursewire_queries", __name__)


@blueprint.get("/q/<plugin>/<name>")
@blueprint.get("/q/<plugin>/<name>/<path:rest>")
def answer(plugin: str, name: str, rest: str = "") -> ResponseReturnValue:  # noqa: ARG001  read raw
    """The data of one key; 404 alike for what is forbidden and what is not there."""
    query = current_runtime().registry.find_query(plugin, name)
    if query is None:
        raise NotFound(f"No plugin has a query {plugin}/{name}. See /openapi.json.")
    g.coursewire_namespace = query.namespace
    if current_me() is None and not query.guard.asks_anonymous:
        raise SignInNeeded("Sign in to see this.")
    floor = floor_of_header()
    key = _key_of_request(query, _raw_segments())
    if list(request.args.items(multi=True)) != key.option_pairs:
        return redirect(f"/q/{key.path}", 308)
    if key.option_pairs:
        _count_search()
    accepted = request.accept_mimetypes
    html = accepted["text/html"] > accepted["application/json"]
    # JSON has no language: who reads it shares what most others look at.
    language = current_language() if html else languages().default
    reading, read_s = _timed(key.in_language(language), floor)
    if reading is None:
        if current_me() is None:
            raise SignInNeeded(_("Sign in to see this."))
        raise NotFound(_("There is nothing here, or you may not see it."))
    try:
        body = reading.html if html else reading.json
    except NoFragment:
        raise BadRequest(
            f"{query.namespace} has no HTML fragment. Accept application/json."
        ) from None
    response = Response(
        body.content, content_type="text/html; charset=utf-8" if html else "application/json"
    )
    response.set_etag(body.tag)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = f"Accept, {VARY}"
    response.headers["Live-Key"] = key.text
    response.headers["Live-Access"] = "edit" if reading.access >= Access.EDIT else "view"
    response.headers["Server-Timing"] = (
        f'cache;desc="{reading.source}", read;dur={read_s * 1e3:.1f}'
    )
    if reading.stamp is not None:
        response.headers["Live-Stamp"] = str(reading.stamp)
    response.make_conditional(request)
    if html and response.status_code == 200:
        _shorten(response, body)
    return response


def _shorten(response: Response, body: Body) -> None:
    """Send only what the asker does not hold, who says that they can do with it."""
    deltas = current_runtime().deltas
    deltas.remember(body)
    if request.headers.get(DELTA) != LINES:
        return
    found = deltas.between(request.if_none_match.as_set(include_weak=True), body)
    if found is not None:
        response.set_data(found)
        response.content_type = "application/json"
        response.headers[DELTA] = LINES
        # The ETag is that of the whole: nobody on the way may keep this under it.
        response.headers["Cache-Control"] = "no-store"


def _timed(key: Key, floor: Stamp | None) -> tuple[Reading | None, float]:
    """What is read of *key*, and how long that took, as a part of the write that called for it."""
    runtime = current_runtime()
    told = runtime.hub.traces.at(floor) if floor is not None else None
    if floor is not None:
        g.coursewire_trace = told.notice.trace if told is not None else None
    trace = told.notice.trace if told is not None else ""
    origin = told.why.span if told is not None and runtime.spans.on else ""
    began = time.perf_counter()
    with runtime.spans.span("refetch", trace, origin, namespace=key.query.namespace) as span:
        reading = read_key(key, floor)
        span.set(source=reading.source if reading is not None else "nothing")
    return reading, time.perf_counter() - began


@blueprint.after_request
def count(response: Response) -> Response:
    """Count the answer; what names no query of a plugin is nobody's refetch."""
    namespace = g.get("coursewire_namespace")
    if namespace is not None:
        metrics = current_runtime().metrics
        metrics.refetches.labels(namespace, str(response.status_code)).inc()
    return response


def _count_search() -> None:
    """Raises `TooMany`: what a search asks for is rarely kept, so it costs a read each time."""
    runtime, me = current_runtime(), current_me()
    limit = Limit("searches", runtime.settings.searches_per_user, 60)
    whom = str(me.user_id) if me is not None else network_of(request.remote_addr or "")
    runtime.rates.count(limit, whom, _("You search too quickly. Wait a minute, then search again."))


def _key_of_request(query: Query[..., object], segments: list[str]) -> Key:
    """The key that path and query string spell; a missing user's id means the one who asks."""
    takes_me = bool(query.required) and query.required[0].is_me
    if takes_me and len(segments) == len(query.required) - 1:
        me = current_me()
        if me is None:
            raise SignInNeeded(_("Sign in to see this."))
        segments = [str(me.user_id), *segments]
    if len(segments) != len(query.required):
        count = len(query.required)
        raise BadRequest(f"{query.namespace} takes {count} path segments, got {len(segments)}.")
    key = query.from_segments(segments, request.path)
    options = {}
    known = {parameter.name: parameter for parameter in query.options}
    for name, values in request.args.lists():
        parameter = known.get(name)
        if parameter is None:
            raise BadRequest(f"{query.namespace} has no option “{name}”.")
        if len(values) > 1:
            raise BadRequest(f"The option “{name}” was sent {len(values)} times. Send it once.")
        try:
            options[name] = parameter.from_text(values[0])
        except ValueError:
            raise BadRequest(f"“{values[0][:80]}” is no value of the option “{name}”.") from None
    key = query.key(**{**key.values, **options})
    if len(key.text) > MAX_KEY_BYTES:
        raise InvalidKey(key.text, f"it is longer than {MAX_KEY_BYTES} bytes.")
    return key


def _raw_segments() -> list[str]:
    """The decoded segments after the namespace.

    WSGI decodes the path before it can be split, so a slash inside a segment is only seen in the
    raw target, which gunicorn and Werkzeug hand over under two names.
    """
    raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.path
    if not raw.startswith("/"):  # with the host in it (RFC 9112, section 3.2.2)
        raw = "/" + raw.partition("//")[2].partition("/")[2]
    path = raw.partition("?")[0]
    return [unquote(segment) for segment in path.split("/")[4:]]
