"""``GET /live``: one browser's ``text/event-stream``."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from core import frames
from core.access import Access, Me, current_me
from core.current import current_runtime
from core.database import db, now, reading
from core.errors import BadRequest, InvalidStamp, SignInNeeded, Unavailable
from core.hub import Hub
from core.queries import Key
from core.registry import access_key
from core.stamps import Stamp
from core.streams import Stream

blueprint = Blueprint("coursewire_live", __name__)
log = logging.getLogger("coursewire.access")

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


@dataclass(frozen=True)
class Watched:
    """A key that the browser asks to watch, with the stamp of what it shows."""

    key: Key
    stamp: Stamp | None


@blueprint.get("/live")
def stream() -> ResponseReturnValue:
    """Open a stream: the guards, then the hub, then the verdict; nothing falls between."""
    runtime = current_runtime()
    me = current_me()
    watched = _watched()
    if me is None and not any(w.key.query.guard.asks_anonymous for w in watched):
        raise SignInNeeded("Sign in to watch this.")
    if runtime.hub.streams >= runtime.settings.streams_per_worker:
        raise Unavailable("Too many streams are open here. Come back in a moment.")
    allowed, denied = _ask_guards(watched, me)
    db.session.remove()
    opened = Stream(
        {w.key.text: w.key.parts for w in allowed},
        access_key(me.user_id) if me is not None else None,
        heartbeat_s=runtime.settings.heartbeat_s,
        ends_at=_end_of_session(me),
    )
    first = _join(runtime.hub, opened, allowed, denied, runtime.settings.heartbeat_s)
    user = str(me.user_id) if me is not None else "-"
    return Response(_body(runtime.hub, opened, first, user), headers=_HEADERS)


def _watched() -> list[Watched]:
    """What the query string asks to watch; raises `BadRequest` and `InvalidKey`."""
    runtime = current_runtime()
    texts = request.args.getlist("key")
    limit = runtime.settings.keys_per_stream
    if not texts:
        raise BadRequest("A stream needs at least one key: /live?key=chapters:list:42")
    if len(texts) > limit:
        raise BadRequest(f"A stream watches at most {limit} keys; {len(texts)} were asked for.")
    common = _stamp(request.headers.get("Last-Event-ID") or request.args.get("since"))
    own_first = "Last-Event-ID" not in request.headers
    found: dict[str, Watched] = {}
    for text in texts:
        name, at, stamp = text.partition("@")
        own = _stamp(stamp) if at else None
        key = runtime.registry.parse_key(name)
        found[key.text] = Watched(key, (own or common) if own_first else common)
    return list(found.values())


def _stamp(text: str | None) -> Stamp | None:
    if not text:
        return None
    try:
        return Stamp.parse(text)
    except InvalidStamp as error:
        raise BadRequest(str(error)) from None


def _ask_guards(watched: list[Watched], me: Me | None) -> tuple[list[Watched], list[Watched]]:
    registry = current_runtime().registry
    allowed: list[Watched] = []
    denied: list[Watched] = []
    with reading():
        for each in watched:
            seen = registry.grant_key(each.key, me) >= Access.VIEW
            (allowed if seen else denied).append(each)
    return allowed, denied


def _end_of_session(me: Me | None) -> float | None:
    if me is None:
        return None
    return time.monotonic() + max(0.0, (me.expires_at - now()).total_seconds())


def _join(
    hub: Hub, opened: Stream, allowed: list[Watched], denied: list[Watched], heartbeat_s: float
) -> bytes:
    """Let the hub know the stream, then compare what the browser shows with what the hub knows.

    ::

        page      rendered at 40 ────────────────────────► GET /live?since=40
        writer             publishes 41
        hub                hears 41 ───────────────────────► verdict: 41 > 40, stale
        writer                                  publishes 42 ──► after join: a frame of its own
    """
    stamp, connected = hub.join(opened)
    stale = [w for w in allowed if not hub.is_current(w.key.text, w.stamp)]
    if not connected:
        opened.say_state("degraded")
    return frames.hello(
        _verdict(hub, allowed, stale),
        [w.key.parts for w in stale],
        [w.key.parts for w in denied],
        heartbeat_s,
        stamp,
    )


def _verdict(hub: Hub, allowed: list[Watched], stale: list[Watched]) -> str:
    if not stale:
        return "current"
    known = any(hub.same_generation(watched.stamp) for watched in allowed)
    return "stale" if known else "reset"


def _body(hub: Hub, opened: Stream, first: bytes, user: str) -> Iterator[bytes]:
    try:
        yield from opened.read(first, lambda: hub.stamp)
    finally:
        hub.leave(opened)
        log.info(
            "stream user=%s keys=%d seconds=%.1f frames=%d",
            user,
            len(opened.keys),
            time.monotonic() - opened.started_at,
            opened.frames_sent,
        )
