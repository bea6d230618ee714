"""Posters: the still picture of a video. The browser takes it; here it is checked and kept.

``PUT /media/uploads/<id>/poster`` keeps the one of a file that is still on its way, until the file
is the video's; a video that has its file already gets one by an action.
"""

from io import BytesIO

from flask import request
from flask.typing import ResponseReturnValue

from core import Invalid, Me, TooLarge, Upload, emit, say, transaction
from core.format import filesize
from core.languages import gettext as _
from plugins.media import plugin
from plugins.media.events import MediaChanged
from plugins.media.guards import media_access, refuse_viewers
from plugins.media.pictures import MAX_BYTES, Picture, read_picture
from plugins.media.receiving import expected, sender
from plugins.media.removal import locked_media
from plugins.media.sessions import locked_upload
from plugins.media.storage import current_storage
from plugins.media.views import MediaDetail


def take_poster(media_id: int, file: Upload) -> str:
    """Check and store *file*, before the transaction that says so; returns its key."""
    refuse_viewers(media_id)
    return _kept(_checked(file.stream.read(MAX_BYTES + 1)))


@plugin.action(guard=media_access, prepare=take_poster)
def set_poster(media_id: int, file: Upload, prepared: str) -> MediaDetail:  # noqa: ARG001  taken
    """Give a video another poster; the one before goes."""
    media = locked_media(media_id)
    replaced = [media.poster_key] if media.poster_key else []
    media.poster_key = prepared
    emit(MediaChanged(media_id=media_id, storage_keys=replaced))
    say(_("“%(title)s” has another poster.", title=media.title))
    return MediaDetail.of(media)


@plugin.put("/media/uploads/<upload_id>/poster")
def receive_poster(upload_id: str) -> ResponseReturnValue:
    """Keep the poster of a file that is on its way; the answer is empty. The first one counts."""
    expected(upload_id)
    size_bytes = request.content_length
    if size_bytes is None or size_bytes > MAX_BYTES:
        raise TooLarge(
            _(
                "A poster has at most %(size)s, which has to be announced. Nothing was stored.",
                size=filesize(MAX_BYTES),
            )
        )
    request.max_content_length = size_bytes
    picture = _checked(request.stream.read(size_bytes))
    _keep(sender(), upload_id, picture)
    return "", 204


def _keep(me: Me, upload_id: str, picture: Picture) -> None:
    key = _kept(picture)
    with transaction():
        upload = locked_upload(me, upload_id)
        taken = upload.state == "receiving" and upload.poster_key is None
        if taken:
            upload.poster_key = key
    if not taken:
        current_storage().delete(key)


def _kept(picture: Picture) -> str:
    return current_storage().store(BytesIO(picture.content), suffix=picture.suffix)


def _checked(data: bytes) -> Picture:
    try:
        return read_picture(data)
    except ValueError as error:
        raise Invalid(
            _("%(error)s Nothing was stored.", error=error), errors={"file": str(error)}
        ) from None
