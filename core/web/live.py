"""``GET /live``: one browser's ``text/event-stream``."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gevent.socket
from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from core import frames
from core.access import Access, Me, current_me
from core.current import current_runtime
from core.database import db, now
from core.errors import BadRequest, InvalidStamp, SignInNeeded
from core.hub import Hub
from core.keys import KeyParts, access_key
from core.queries import Key
from core.reads import access_to
from core.sightings import new_stream_id
from core.sockets import Connections, SocketStream
from core.stamps import Stamp
from core.streams import PulledStream, Stream

blueprint = Blueprint("coursewire_live", __name__)

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
    asked_at = runtime.hub.stamp
    me = current_me()
    watched = _watched()
    if me is None and not any(w.key.query.guard.asks_anonymous for w in watched):
        raise SignInNeeded("Sign in to watch this.")
    user_key = access_key(me.user_id) if me is not None else None
    refusal = runtime.hub.refusal(user_key, request.remote_addr or "")
    if refusal is not None:
        raise refusal
    allowed, denied = _ask_guards(watched, me)
    db.session.remove()
    opening = Opening(
        runtime.hub,
        allowed,
        denied,
        user_key,
        asked_at,
        _end_of_session(me),
        request.remote_addr or "",
        f"user={me.user_id}" if me is not None else "user=-",
        runtime.settings.heartbeat_s,
        reports=me is not None and request.args.get("reports") == "1",
    )
    if request.method == "HEAD":
        return Response(headers=_HEADERS)
    # Asked again: the guards may have let others in meanwhile.
    refusal = runtime.hub.refusal(user_key, request.remote_addr or "")
    if refusal is not None:
        raise refusal
    connection = _own_connection()
    if runtime.hub.connections is not None and connection is not None:
        return Takeover(connection, runtime.hub.connections, opening)
    return Response(_pulled(opening), headers=_HEADERS)


def _own_connection() -> gevent.socket.socket | None:
    """The plain TCP connection of this request, if gunicorn lends it to us.

    Not one under TLS (a subclass, told by its type: the scheme in the URL is the proxy's), and not
    one of HTTP/2, which carries other requests too.
    """
    connection = request.environ.get("gunicorn.socket")
    plain = type(connection) is gevent.socket.socket
    return connection if plain and request.environ["SERVER_PROTOCOL"] == "HTTP/1.1" else None


@dataclass(frozen=True)
class Opening:
    """What is needed to open a stream, the guards having been asked."""

    hub: Hub
    allowed: list[Watched]
    denied: list[Watched]
    access_key: str | None
    asked_at: Stamp | None
    ends_at: float | None
    address: str
    label: str
    heartbeat_s: float
    reports: bool = False

    @property
    def wanted(self) -> dict[str, KeyParts]:
        """The keys to watch, by text form."""
        return {watched.key.text: watched.key.parts for watched in self.allowed}

    def join(self, stream: Stream) -> bytes:
        """Let the hub know *stream*; then compare what the browser shows with what the hub knows.

        ::

            page      rendered at 40 ─────────────────────────► GET /live?since=40
            writer            publishes 41
            hub               hears 41 ───────────────────────► verdict: 41 > 40, stale
            writer                                publishes 42 ──► joined: a frame of its own

        Returns the first frames.
        """
        stream.id = new_stream_id() if self.reports else ""
        stamp, connected = self.hub.join(stream)
        stale = [w for w in self.allowed if not self._is_current(w)]
        hello = frames.hello(
            self._verdict(stale),
            [w.key.parts for w in stale],
            [w.key.parts for w in self.denied],
            self.heartbeat_s,
            stamp,
            stream.id,
        )
        if self._lost_access_meanwhile():
            self.hub.end([stream], "access")
        return hello if connected else hello + frames.frame("degraded", {})

    def _is_current(self, watched: Watched) -> bool:
        """Whether what the browser shows is; what the user may do is a part of it."""
        names = (watched.key.text, self.access_key) if self.access_key else (watched.key.text,)
        return all(self.hub.is_current(name, watched.stamp) for name in names)

    def _lost_access_meanwhile(self) -> bool:
        """Whether access may have changed after the guards were asked and before the hub knew.

        ::

            request   guards: yes ──────────────────────► joined
            owner                  removes this member
            hub                        hears: ends this user's streams, of which there is none yet
        """
        if self.access_key is None:
            return False
        if self.asked_at is None:
            return self.hub.stamp is not None  # Redis came back: nobody knows what it missed
        return not self.hub.is_current(self.access_key, self.asked_at)

    def _verdict(self, stale: list[Watched]) -> str:
        if not stale:
            return "current"
        known = any(self.hub.same_generation(watched.stamp) for watched in self.allowed)
        return "stale" if known else "reset"


class Takeover(Response):
    """Hands the connection to the hub and ends the request: see `core.sockets`.

    gunicorn takes `StopIteration` out of the application as "this connection is done with", without
    a word in its log; the descriptor is no longer its own by then.
    """

    def __init__(
        self, connection: gevent.socket.socket, connections: Connections, opening: Opening
    ) -> None:
        super().__init__()
        self._connection = connection
        self._connections = connections
        self._opening = opening

    def __call__(self, environ: Any, start_response: Any) -> Any:  # noqa: ARG002  WSGI's signature
        """Never returns; nothing between joining and the first write lets another greenlet run."""
        opening = self._opening
        stream = SocketStream(
            self._connections,
            opening.wanted,
            opening.access_key,
            ends_at=opening.ends_at,
            address=opening.address,
            label=opening.label,
        )
        stream.adopt(self._connection, opening.join(stream))
        raise StopIteration


def _pulled(opening: Opening) -> Iterator[bytes]:
    stream = PulledStream(
        opening.wanted,
        opening.access_key,
        ends_at=opening.ends_at,
        address=opening.address,
        label=opening.label,
    )
    try:
        yield from stream.read(opening.join(stream))
    finally:
        opening.hub.leave(stream)


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
    own_first = not request.headers.get("Last-Event-ID")
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
    allowed: list[Watched] = []
    denied: list[Watched] = []
    for each in watched:
        seen = access_to(each.key, me) >= Access.VIEW
        (allowed if seen else denied).append(each)
    return allowed, denied


def _end_of_session(me: Me | None) -> float | None:
    if me is None:
        return None
    return time.monotonic() + max(0.0, (me.expires_at - now()).total_seconds())
