"""Cookies: under one name over plain http, and under one that nobody else can set over https.

A browser takes a cookie whose name begins with ``__Host-`` only over https, from this very host and
for all of it (RFC 6265bis, section 4.1.3.2): a page of a sibling domain, or somebody in the middle
of a plain connection, cannot plant one. Over https no other name is believed.
"""

from flask import Response, current_app, has_request_context, request

PREFIX = "__Host-"


def cookie_name(name: str) -> str:
    """What the cookie *name* is called in the request at hand, and in its answer."""
    return PREFIX + name if cookies_are_secure() else name


def cookies_are_secure() -> bool:
    """Whether this browser came over https, as far as is known, or all are said to."""
    always: bool = current_app.config["COURSEWIRE"].secure_cookies == "always"
    return always or (has_request_context() and request.is_secure)


def read_cookie(name: str) -> str | None:
    """The value of the cookie *name* in the request at hand."""
    return request.cookies.get(cookie_name(name))


def set_cookie(response: Response, name: str, value: str, max_age_s: int) -> Response:
    """Put the cookie on *response*: out of the reach of scripts, of other sites and other hosts.

    An age of 0 takes it away.
    """
    response.set_cookie(
        cookie_name(name),
        value,
        max_age=max_age_s,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=cookies_are_secure(),
    )
    return response
