"""``/live/why`` and its siblings: why a screen moved, or did not; for those who may look.

What they show is of other people's work: keys, events, actions, never what a key shows. For
everybody else these addresses do not exist.
"""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, abort, current_app, jsonify, request

from core.access import current_me
from core.current import current_runtime
from core.errors import BadRequest, NotFound
from core.explain.chart import chart_of
from core.explain.reasons import reason
from core.explain.traces import MOST, Told

blueprint = Blueprint("coursewire_explain", __name__, url_prefix="/live")


@blueprint.before_request
def only_those_who_may() -> None:
    """For whoever may not look, and where nobody may, the answer is that of a missing page."""
    if not may_inspect():
        abort(404)


def may_inspect() -> bool:
    """Whether the one who asks may see why screens move."""
    allowed = current_runtime().settings.inspector
    me = current_me()
    return me is not None and (allowed == "open" or (allowed == "staff" and me.staff))


@blueprint.get("/map")
def chart() -> Response:
    """Who hears what, and which screens show it."""
    return _answer(chart_of(current_app, current_runtime().registry).as_json())


@blueprint.get("/traces")
def traces() -> Response:
    """What this worker did with its last notices, newest first.

    ``since`` is a sequence number; ``most`` of the newest, where all would be too many.
    """
    hub = current_runtime().hub
    since, most = _number("since", 0), _number("most", MOST)
    stamp = hub.stamp
    told = [_as_json(each) for each in hub.traces.since(since)[:most]]
    return _answer({"stamp": str(stamp) if stamp else None, "traces": told})


@blueprint.get("/traces/<trace>")
def trace(trace: str) -> Response:
    """The notices of one trace, oldest first: one for each event of the action."""
    told = current_runtime().hub.traces.of(trace)
    if not told:
        raise NotFound("This worker knows no such trace any more.")
    return _answer({"trace": trace, "notices": [_as_json(each) for each in told]})


@blueprint.get("/why")
def why() -> Response:
    """The reason, in words, why the region of ``key`` moved with ``trace``, or did not.

    With a ``stamp`` it speaks of that notice alone: an action makes one for each of its events.
    """
    key, asked = request.args.get("key"), request.args.get("trace")
    if not key or not asked:
        raise BadRequest("Ask for a trace and a key: /live/why?trace=…&key=chapters:list:42")
    runtime = current_runtime()
    told = runtime.hub.traces.of(asked)
    stamp = request.args.get("stamp")
    if stamp:
        told = [each for each in told if str(each.stamp) == stamp]
    text = reason(runtime.registry, asked, told, key)
    return _answer({"trace": asked, "key": key, "reason": text})


@blueprint.get("/findings")
def findings() -> Response:
    """What the freshness guards of all workers have found since this worker began, newest first."""
    told = reversed(current_runtime().freshness.told)
    return _answer({"findings": [asdict(each) for each in told]})


def _number(name: str, default: int) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 18:
        raise BadRequest(f"{name} is a number, such as 4711.")
    return int(text)


def _as_json(told: Told) -> dict[str, Any]:
    notice, origin = told.notice, told.why
    return {
        "trace": notice.trace,
        "cause": notice.cause,
        "by": origin.by,
        "keys": list(notice.keys),
        "reset": notice.reset,
        "stamp": str(told.stamp),
        "row": origin.row,
        "swept": origin.swept,
        "committed": notice.at,
        "published": origin.sent or None,
        "heard": told.heard,
        "written": told.written,
        "streams": told.streams,
        "painted_ms": sorted(told.painted),
        "named": [
            {
                "by": rule.owner,
                "how": rule.how,
                "keys": list(rule.keys),
                "later": list(rule.later),
            }
            for rule in origin.named
        ],
        "more": origin.more,
    }


def _answer(body: dict[str, Any]) -> Response:
    response = jsonify(body)
    response.headers["Cache-Control"] = "no-store"
    return response
