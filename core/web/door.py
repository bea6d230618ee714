"""The door of the streams: ``GET /live`` is answered before Flask routes it.

After an outage thousands of browsers open their streams at once, and nothing that routing finds is
news: the address is the whole route. What stays is Flask's own: the contexts with their teardown,
and the answers to errors. A stream whose connection the hub takes over has no answer at all, so
nobody is asked to put headers on it (`core.sockets.HEAD` has its own).

Functions registered with ``before_request`` and ``after_request`` are therefore not called for a
stream, but for those that `core.web.safety` names here.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask import Flask, Request, Response
from werkzeug.routing import MapAdapter
from werkzeug.security import safe_join

from core.web import live
from core.web.safety import refuse_other_hosts, refuse_other_sites
from core.web.scripts import send_slim

_PATH = "/live"
_METHODS = frozenset({"GET", "HEAD"})


class Coursewire(Flask):
    """Flask, which makes nothing ready for routing where nothing is routed, and sends less."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What routes *request*; ``None`` for a stream's."""
        if request is not None and _is_stream(request.environ):
            return None
        return super().create_url_adapter(request)

    def send_static_file(self, filename: str) -> Response:
        """The answer with a file of ``core/static``; browsers get our code without comments."""
        path = (
            safe_join(str(self.static_folder), filename)
            if filename.endswith((".js", ".css"))
            else None
        )
        if path is None or not Path(path).is_file():
            return super().send_static_file(filename)
        return send_slim(Path(path))


class Door:
    """WSGI: answers what asks for a stream, and hands everything else to *rest*."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._rest = app.wsgi_app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        if not _is_stream(environ):
            return self._rest(environ, start_response)
        app = self._app
        with app.request_context(environ):
            try:
                refuse_other_hosts()
                refuse_other_sites()
                answer = live.stream()
            except Exception as error:  # noqa: BLE001  answered in Flask's way
                answer = app.handle_user_exception(error)
            if not isinstance(answer, live.Takeover):
                answer = app.finalize_request(answer)
            return answer(environ, start_response)


def _is_stream(environ: dict[str, Any]) -> bool:
    return environ["PATH_INFO"] == _PATH and environ["REQUEST_METHOD"] in _METHODS
