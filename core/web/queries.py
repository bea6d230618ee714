"""``GET /q/<plugin>/<query>/<params…>``: a key's data, as JSON or as its HTML fragment."""

from urllib.parse import unquote

from flask import Blueprint, Response, redirect, request
from flask.typing import ResponseReturnValue

from core.access import Access, current_me
from core.current import current_runtime
from core.errors import BadRequest, InvalidKey, NotFound, SignInNeeded
from core.floors import floor_of_header
from core.keys import MAX_KEY_BYTES
from core.queries import Key, Query
from core.reads import NoFragment, read_key

blueprint = Blueprint("coursewire_queries", __name__)


@blueprint.get("/q/<plugin>/<name>")
@blueprint.get("/q/<plugin>/<name>/<path:rest>")
def answer(plugin: str, name: str, rest: str = "") -> ResponseReturnValue:  # noqa: ARG001  read raw
    """The data of one key; 404 alike for what is forbidden and what is not there."""
    query = current_runtime().registry.find_query(plugin, name)
    if query is None:
        raise NotFound(f"No plugin has a query {plugin}/{name}. See /openapi.json.")
    key = _key_of_request(query, _raw_segments())
    if list(request.args.items(multi=True)) != key.option_pairs:
        return redirect(f"/q/{key.path}", 308)
    reading = read_key(key, floor_of_header())
    if reading is None:
        if current_me() is None:
            raise SignInNeeded("Sign in to see this.")
        raise NotFound("There is nothing here, or you may not see it.")
    html = request.accept_mimetypes["text/html"] > request.accept_mimetypes["application/json"]
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
    response.headers["Vary"] = "Accept, Cookie"
    response.headers["Live-Key"] = key.text
    response.headers["Live-Access"] = "edit" if reading.access >= Access.EDIT else "view"
    if reading.stamp is not None:
        response.headers["Live-Stamp"] = str(reading.stamp)
    return response.make_conditional(request)


def _key_of_request(query: Query[..., object], segments: list[str]) -> Key:
    """The key that path and query string spell; a missing user's id means the one who asks."""
    takes_me = bool(query.required) and query.required[0].is_me
    if takes_me and len(segments) == len(query.required) - 1:
        me = current_me()
        if me is None:
            raise SignInNeeded("Sign in to see this.")
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
