"""Where a video and its poster are served from: stable addresses, after the guard.

An upload is somebody's file on our origin, so it is served with a fixed type that the browser may
not second-guess, and in a sandbox. Whoever may view it today may not tomorrow: it is revalidated
every time, which a 304 makes cheap.
"""

from pathlib import PurePath

from flask import redirect, send_file
from flask.typing import ResponseReturnValue
from werkzeug import Response

from core import NotFound, db
from plugins.media import plugin, storage
from plugins.media.guards import media_access
from plugins.media.models import Media

_SUFFIXES = {"video/mp4": ".mp4", "video/quicktime": ".mov", "video/webm": ".webm"}
_POSTER_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}

_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; media-src 'self'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@plugin.page("/media/<int:media_id>/file", guard=media_access)
def media_file(media_id: int) -> ResponseReturnValue:
    """The video itself, with ranges; a redirect for one that lies elsewhere."""
    media = _existing(media_id)
    if media.url is not None:
        response = redirect(media.url)
        response.headers.update(_HEADERS)
        return response
    mime_type = media.mime_type or "application/octet-stream"
    return _send(media.storage_key, mime_type, media.title + _SUFFIXES.get(mime_type, ""))


@plugin.page("/media/<int:media_id>/poster", guard=media_access)
def media_poster(media_id: int) -> ResponseReturnValue:
    """A still picture of the video."""
    media = _existing(media_id)
    suffix = PurePath(media.poster_key or "").suffix
    return _send(media.poster_key, _POSTER_TYPES.get(suffix, ""), media.title + suffix)


def _existing(media_id: int) -> Media:
    media = db.session.get(Media, media_id)
    if media is None:
        raise NotFound("This video is not in the library. It may have been removed meanwhile.")
    return media


def _send(key: str | None, mime_type: str, name: str) -> Response:
    if key is None or not storage.path_of(key).is_file():
        raise NotFound("The file of this video is missing on the server. Upload the video again.")
    # Nothing stored under a key ever changes, so the key is its tag.
    response = send_file(
        storage.path_of(key), mimetype=mime_type, download_name=name, conditional=True, etag=key
    )
    response.headers.update(_HEADERS)
    return response
