"""Redirects go to our own pages only."""

from urllib.parse import urlsplit, urlunsplit

from flask import request


def own_path(*candidates: str | None) -> str:
    """The first candidate that is a page of ours, without its host; ``/`` when none is.

    A candidate is a path or a full address of this host. ``//host``, backslashes and control
    characters are what browsers read as another host, so they are nobody's page.
    """
    for candidate in candidates:
        if not candidate or any(ord(char) < 33 or char == "\\" for char in candidate):
            continue
        try:
            parts = urlsplit(candidate)
        except ValueError:
            continue
        if (parts.scheme or parts.netloc) and (parts.scheme, parts.netloc) != (
            request.scheme,
            request.host,
        ):
            continue
        if not parts.path.startswith("/") or parts.path.startswith("//"):
            continue
        return urlunsplit(parts._replace(scheme="", netloc=""))
    return "/"
