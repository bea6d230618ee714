"""What every request must be, and what every answer carries.

Cross-site requests are refused without tokens, so that fragments stay cacheable: browsers say where
a request comes from (``Sec-Fetch-Site``, W3C Fetch Metadata; older ones ``Origin``), and cookies
are SameSite=Lax. A program that sends neither header sends no cookie on a user's behalf.
"""

from typing import cast
from urllib.parse import urlsplit

from flask import Flask, Response, request

from core.errors import Forbidden
from core.web.uploads import UploadRequest

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; "
    "media-src 'self' blob: https:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def init_safety(app: Flask) -> None:
    """Put both rules on every request of *app*."""
    app.before_request(refuse_other_sites)
    app.before_request(read_body_in_turns)
    app.after_request(_add_headers)


def refuse_other_sites() -> None:
    """Raises `Forbidden` for a write, or a stream, that another site asked for."""
    if request.method in _SAFE and request.path != "/live":
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        same = site in ("same-origin", "none")
    else:
        origin = request.headers.get("Origin")
        same = origin is None or _host_of(origin) == request.host
    if not same:
        raise Forbidden("This request came from another site. It was refused; nothing was saved.")


def read_body_in_turns() -> None:
    """Keep a large body from holding up the worker; see `core.web.uploads`."""
    if request.method not in _SAFE:
        cast(UploadRequest, request).read_in_turns()


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return response
