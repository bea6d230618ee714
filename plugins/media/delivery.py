"""Where a video and its poster are served from: stable addresses, after the guard.

An upload is somebody's file on our origin, so it is served with a fixed type that the browser may
not second-guess, and in a sandbox. Whoever may view it today may not tomorrow: it is revalidated
every time, which a 304 makes cheap. Where the storage serves it, our address redirects to one that
is signed for a while and stands in no body.
"""

from pathlib import PurePath

from flask import jsonify, redirect
from flask.typing import ResponseReturnValue
from werkzeug import Response

from core import NotFound, current_settings, db, reading
from core.languages import gettext as _
from core.languages import translated
from plugins.media import plugin
from plugins.media.guards import media_access
from plugins.media.models import Media
from plugins.media.storage import current_storage

_SUFFIXES = {
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "audio/mp4": ".m4a",
    "audio/mpeg": ".mp3",
}
_POSTER_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}

HEADERS = {
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
        return _safe(redirect(media.url))
    if media.status != "ready":
        raise NotFound(
            translated(media.problem) or _("This video is still being uploaded. Wait for it.")
        )
    mime_type = media.mime_type or "application/octet-stream"
    return _send(media.storage_key, mime_type, media.title + _SUFFIXES.get(mime_type, ""))


@plugin.page("/media/<int:media_id>/lease", guard=media_access)
def media_lease(media_id: int) -> ResponseReturnValue:
    """How long what the address of the file leads to can be played, in seconds; or for ever."""
    media = _existing(media_id)
    leads_away = media.url is None and current_storage().direct
    response = jsonify(lasts_s=current_settings().s3_address_s if leads_away else None)
    response.headers["Cache-Control"] = "no-store"
    return response


@plugin.page("/media/<int:media_id>/poster", guard=media_access)
def media_poster(media_id: int) -> ResponseReturnValue:
    """A still picture of the video."""
    media = _existing(media_id)
    suffix = PurePath(media.poster_key or "").suffix
    return _send(media.poster_key, _POSTER_TYPES.get(suffix, ""), media.title + suffix)


def _existing(media_id: int) -> Media:
    """The video, read in a transaction that has ended: bytes may take long."""
    with reading():
        media = db.session.get(Media, media_id)
    if media is None:
        raise NotFound(_("This video is not in the library. It may have been removed meanwhile."))
    return media


def _send(key: str | None, mime_type: str, name: str) -> Response:
    try:
        response = current_storage().send(key or "", mime_type, name)
    except FileNotFoundError:
        raise NotFound(
            _("The file of this video is missing on the server. Upload the video again.")
        ) from None
    return _safe(response)


def _safe(response: Response) -> Response:
    kept = response.headers.get("Cache-Control", "")
    response.headers.update(HEADERS)
    if "no-store" in kept:
        response.headers["Cache-Control"] = kept
    return response
