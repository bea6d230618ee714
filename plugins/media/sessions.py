"""Upload sessions: whose they are, what they wait for, and how they end."""

import hashlib
from datetime import timedelta
from typing import IO

from flask import current_app
from sqlalchemy import select, update

from core import Me, NotFound, Settings, db, emit, now, reading, transaction
from core.languages import gettext as _
from core.languages import later
from plugins.media.events import MediaChanged, UploadEnded, UploadProgressed
from plugins.media.models import Media, MediaUpload
from plugins.media.parts import Pending
from plugins.media.storage import current_storage

EDGE_BYTES = 65_536
"""How much of a file's beginning and end goes into its fingerprint."""

_TOLD_EVERY = timedelta(seconds=1)


def fingerprint_of(file: IO[bytes], size_bytes: int) -> str:
    """SHA-256 of the size, in decimal, and of the first and last 64 KiB.

    Browsers know it before they send a byte, whatever the size: `fingerprint.js` does the same.
    """
    digest = hashlib.sha256(str(size_bytes).encode())
    file.seek(0)
    digest.update(file.read(EDGE_BYTES))
    file.seek(max(0, size_bytes - EDGE_BYTES))
    digest.update(file.read(EDGE_BYTES))
    return digest.hexdigest()


def pending_of(upload: MediaUpload) -> Pending:
    """What the storage needs to know of *upload*."""
    return Pending(upload.handle, upload.size_bytes, upload.part_bytes)


def own_upload(me: Me, upload_id: str) -> MediaUpload:
    """The session, in the transaction at hand; another user's is not there at all."""
    upload = db.session.scalar(
        select(MediaUpload).where(MediaUpload.id == upload_id, MediaUpload.user_id == me.user_id)
    )
    if upload is None:
        raise NotFound(
            _(
                "This upload is not known any more: it was cancelled, or lay still for too long. "
                "Choose the file again."
            )
        )
    return upload


def locked_upload(me: Me, upload_id: str) -> MediaUpload:
    """The same, locked until the commit."""
    own_upload(me, upload_id)
    return db.session.scalars(
        select(MediaUpload)
        .where(MediaUpload.id == upload_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def take_handle(upload_id: str, old: str, new: str) -> str:
    """Let *upload* have the handle *new*, unless another request was first; returns the one that it
    has.
    """
    with transaction():
        db.session.execute(
            update(MediaUpload)
            .where(
                MediaUpload.id == upload_id,
                MediaUpload.handle == old,
                MediaUpload.state == "receiving",
            )
            .values(handle=new)
        )
        taken = db.session.scalar(select(MediaUpload.handle).where(MediaUpload.id == upload_id))
    if taken != new:
        current_storage().discard(new)
    if taken is None:
        raise NotFound(_("This upload was called off meanwhile. Choose the file again."))
    return taken


def tell_progress(upload_id: str) -> None:
    """Tell others how much has arrived, at most once a second."""
    with reading():
        upload = db.session.get(MediaUpload, upload_id)
        if upload is None or upload.told_at > now() - _TOLD_EVERY:
            return
        pending, told_at = pending_of(upload), upload.told_at
    received_bytes = sum(current_storage().received(pending).values())
    with transaction():
        media_id = db.session.scalar(
            update(MediaUpload)
            .where(
                MediaUpload.id == upload_id,
                MediaUpload.state == "receiving",
                MediaUpload.told_at == told_at,  # or another part's request has told it meanwhile
            )
            .values(received_bytes=received_bytes, told_at=now())
            .returning(MediaUpload.media_id)
        )
        if media_id is not None:
            emit(UploadProgressed(media_id=media_id))


def ended(upload: MediaUpload) -> None:
    """State that *upload* needs its parts no more, nor a poster that it still has."""
    emit(
        UploadEnded(
            media_id=upload.media_id,
            upload_id=upload.id,
            handle=upload.handle,
            storage_keys=[upload.poster_key] if upload.poster_key else [],
        )
    )
    upload.poster_key = None


def give_up(upload: MediaUpload, problem: str) -> None:
    """End *upload* without a file: a video that waited for it says why it has none."""
    if not upload.replaces:
        media = db.session.get(Media, upload.media_id)
        if media is not None:
            media.status, media.problem = "failed", problem
            emit(MediaChanged(media_id=media.id))
    upload.state, upload.problem, upload.told_at = "failed", problem, now()
    ended(upload)


def give_up_abandoned() -> int:
    """End the uploads of which nothing was heard for ``upload_keep_h``, and forget those that ended
    as long ago; in the transaction at hand. Returns how many were ended.
    """
    settings: Settings = current_app.config["COURSEWIRE"]
    limit = now() - timedelta(hours=settings.upload_keep_h)
    old = db.session.scalars(
        select(MediaUpload).where(MediaUpload.told_at < limit).with_for_update(skip_locked=True)
    ).all()
    lost = [upload for upload in old if upload.state in ("receiving", "checking")]
    for upload in lost:
        give_up(upload, later("The upload was not finished. Choose the file again."))
    for upload in old:
        if upload not in lost:
            db.session.delete(upload)
    return len(lost)
