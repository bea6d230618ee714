"""What every request must be, and what every answer carries.

Cross-site requests are refused without tokens, so that fragments stay cacheable: browsers say where
a request comes from (``Sec-Fetch-Site``, W3C Fetch Metadata; older ones ``Origin``), and cookies
are SameSite=Lax. A program that sends neither header sends no cookie on a user's behalf.
"""

import re
from collections.abc import Iterator, Sequence
from typing import cast
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.sansio.utils import host_is_trusted

from core.current import current_settings
from core.errors import BadRequest, Fault, Forbidden, SetupError
from core.languages import later
from core.plugin import Plugin
from core.settings import Settings
from core.web.uploads import UploadRequest

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_POLICY = {
    "default-src": ("'self'",),
    "script-src": ("'self'",),
    "style-src": ("'self'",),
    "connect-src": ("'self'",),
    "img-src": ("'self'", "data:", "https:"),
    "media-src": ("'self'", "blob:", "https:"),
    "frame-src": ("'self'",),
    "object-src": ("'none'",),
    "base-uri": ("'none'",),
    "form-action": ("'self'",),
    "frame-ancestors": ("'none'",),
}
_OPEN_TO_PLUGINS = ("connect-src", "frame-src", "img-src", "media-src")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?|https?://\[[0-9a-f:]+\](:\d+)?")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}


def init_safety(app: Flask, settings: Settings, plugins: Sequence[Plugin]) -> None:
    """Put both rules on every request of *app*. Raises `SetupError` for sources that are none."""
    headers = {"Content-Security-Policy": _policy(settings, plugins), **_HEADERS}

    def add_headers(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        if request.is_secure:
            response.headers.setdefault("Strict-Transport-Security", transport)
        return response

    transport = "max-age=31536000" + ("; includeSubDomains" if settings.hsts_subdomains else "")
    app.before_request(refuse_other_hosts)
    app.before_request(refuse_other_sites)
    app.before_request(read_body_in_turns)
    app.after_request(add_headers)


def refuse_other_hosts() -> None:
    """Raises `BadRequest` for a ``Host`` that is none of ours, where the settings say which are.

    Probes of the platform know an address and no name.
    """
    allowed = current_settings().allowed_hosts
    if allowed and request.path not in _PROBES and not host_is_trusted(request.host, allowed):
        raise BadRequest(later("This site is not served under that name. Use its own address."))


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
        raise Forbidden(
            later("This request came from another site. It was refused; nothing was saved.")
        )


def read_body_in_turns() -> None:
    """Keep a large body from holding up the worker; see `core.web.uploads`."""
    if request.method not in _SAFE:
        cast(UploadRequest, request).read_in_turns()


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _policy(settings: Settings, plugins: Sequence[Plugin]) -> str:
    """The Content-Security-Policy, with the origins that *plugins* say their pages load from."""
    policy = {directive: list(sources) for directive, sources in _POLICY.items()}
    faults: list[Fault] = []
    for plugin in plugins:
        for directive, origin in _sources_of(plugin, settings):
            if directive not in _OPEN_TO_PLUGINS:
                open_ = ", ".join(_OPEN_TO_PLUGINS)
                text = f"It adds a source to '{directive}'. Only {open_} take further ones."
                faults.append(Fault(plugin.name, text))
            elif not _ORIGIN.fullmatch(origin):
                text = f"“{origin}” is no source. Write an origin, such as https://files.example."
                faults.append(Fault(plugin.name, text))
            elif origin not in policy[directive]:
                policy[directive].append(origin)
    if faults:
        raise SetupError(faults)
    return "; ".join(f"{directive} {' '.join(found)}" for directive, found in policy.items())


def _sources_of(plugin: Plugin, settings: Settings) -> Iterator[tuple[str, str]]:
    for find in plugin.sources_found:
        for directive, origins in find(settings).items():
            yield from ((directive, origin) for origin in origins)
