"""Uploads in parts: start, complete, cancel. The parts themselves come by `receiving`.

::

    start ─► PUT part, PUT part, … ─► complete ─► checked, hashed ─► the video is ready
      │            (any order, in parallel, again after any failure)
      └─ the same file again: the same upload, which says what it has
"""

import secrets
from dataclasses import dataclass, replace
from typing import Annotated

from flask import current_app
from pydantic import BeforeValidator, Field, StringConstraints
from sqlalchemy import func, select

from core import (
    Conflict,
    Invalid,
    Me,
    NotFound,
    Settings,
    TooLarge,
    TooMany,
    current_me,
    db,
    emit,
    now,
    reading,
    say,
    transaction,
)
from core.format import filesize
from core.languages import gettext as _
from core.languages import later, translated
from plugins.media import plugin
from plugins.media.containers import Container, read_container
from plugins.media.events import MediaAdded, MediaChanged, UploadProgressed, UploadStarted
from plugins.media.files import Arrived, put_file
from plugins.media.guards import library_access
from plugins.media.models import Media, MediaUpload
from plugins.media.parts import Stored
from plugins.media.removal import discard_media
from plugins.media.sessions import (
    ended,
    fingerprint_of,
    give_up,
    locked_upload,
    own_upload,
    pending_of,
)
from plugins.media.storage import current_storage
from plugins.media.views import (
    MediaDetail,
    SameFile,
    UploadOutcome,
    UploadTicket,
    one_line,
    title_of_file,
)

MOST_PARTS = 10_000
"""As many as S3 takes."""

NOT_MEDIA = later("This is neither an MP4, WebM, MP3 nor M4A file. Choose another file.")
_OPEN = ("receiving", "checking")


@dataclass(frozen=True)
class Checked:
    """What was found in a file that has arrived; ``container`` is ``None`` for what is no media."""

    stored: Stored
    container: Container | None
    fingerprint: str


@plugin.action(guard=library_access)
def start_upload(
    me: Me,
    name: Annotated[str, BeforeValidator(one_line), StringConstraints(max_length=1_000)],
    size_bytes: Annotated[int, Field(ge=1)],
    last_modified_ms: Annotated[int, Field(ge=0, le=2**53)] = 0,
    fingerprint: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = "",
    title: Annotated[str, BeforeValidator(one_line), StringConstraints(max_length=200)] = "",
    media_id: int | None = None,
    again: bool = False,
    duration_s: Annotated[float, Field(gt=0, lt=1_000_000)] | None = None,
    width: Annotated[int, Field(gt=0, lt=65_536)] | None = None,
    height: Annotated[int, Field(gt=0, lt=65_536)] | None = None,
) -> UploadTicket:
    """Begin to send a file in parts, or go on with the same one; *media_id*: in place of that
    video's file. Without *again*, a file that the library has already is only pointed out.

    Length and size are what the browser has seen; they count where the file itself tells nothing.
    """
    _allowed(name, size_bytes)
    file = (name[-255:], size_bytes, last_modified_ms, fingerprint)
    upload = _same_unfinished(me, file, media_id)
    if upload is not None:
        return UploadTicket.of(upload, direct=current_storage().direct, resumed=True)
    same = [] if again else _like(fingerprint, size_bytes)
    if same:
        return UploadTicket(upload_id=None, media_file_id=None, part_bytes=None, same_as=same)
    _refuse_too_many(me)
    media = _waiting_media(me, title or title_of_file(name), size_bytes, media_id)
    settings: Settings = current_app.config["COURSEWIRE"]
    upload = MediaUpload(
        id=secrets.token_urlsafe(24),
        user_id=me.user_id,
        media_id=media.id,
        replaces=media.storage_key is not None,
        name=file[0],
        size_bytes=size_bytes,
        last_modified_ms=last_modified_ms,
        fingerprint=fingerprint,
        part_bytes=max(settings.upload_part_bytes, -(-size_bytes // MOST_PARTS)),
        handle=secrets.token_hex(16),
        duration_s=duration_s,
        width=width,
        height=height,
    )
    db.session.add(upload)
    emit(UploadStarted(media_id=media.id))
    return UploadTicket.of(upload, direct=current_storage().direct)


def check_upload(upload_id: str) -> Checked | None:
    """Make a file of the parts, and look into it, before the transaction that says so.

    ``None`` when nothing is to be done. Raises `Conflict` when parts are missing.
    """
    me = current_me()
    if me is None:
        return None
    with reading():
        upload = own_upload(me, upload_id)
        if upload.state not in _OPEN:
            return None
        pending, media_id = pending_of(upload), upload.media_id
    storage = current_storage()
    missing = sorted(set(range(pending.count)) - set(storage.received(pending)))
    if missing:
        raise Conflict(
            _(
                "%(count)s of %(total)s parts of this file have not arrived. Send them, then "
                "complete the upload again.",
                count=len(missing),
                total=pending.count,
            ),
            title=_("Not all there"),
            missing=missing[:1_000],
        )
    _say_checking(me, upload_id, media_id)
    try:
        stored = storage.join(pending)
    except FileNotFoundError:
        raise Conflict(_("The upload changed meanwhile. Ask for its state.")) from None
    with storage.open(stored.key) as file:
        container = read_container(file)
        fingerprint = fingerprint_of(file, pending.size_bytes)
    if container is None:
        storage.delete(stored.key)
        return Checked(stored, None, fingerprint)
    return Checked(storage.promote(stored, container.mime_type), container, fingerprint)


@plugin.action(guard=library_access, prepare=check_upload)
def complete_upload(me: Me, upload_id: str, prepared: Checked | None) -> UploadOutcome:
    """Say that every part is there; the file is checked, and becomes the video's.

    Sent again, it answers with what came of it.
    """
    upload = locked_upload(me, upload_id)
    media = db.session.get(Media, upload.media_id)
    if media is None:
        raise NotFound(_("This video was removed from the library meanwhile. Nothing was saved."))
    if upload.state in _OPEN:
        if prepared is None:
            raise Conflict(_("The upload changed meanwhile. Complete it again."))
        _finish(upload, media, prepared, me.user_id)
    if upload.state == "done":
        if upload.replaces:
            say(_("“%(title)s” has another file now.", title=media.title))
        else:
            say(_("“%(title)s” was added to the library.", title=media.title))
    return UploadOutcome(
        state=upload.state,
        problem=translated(upload.problem),
        media=MediaDetail.of(media),
        same_as=_twins(media) if upload.state == "done" else [],
    )


@plugin.action(guard=library_access)
def cancel_upload(me: Me, upload_id: str) -> None:
    """Call an upload off, and forget what has arrived; a video that is linked already stays, and
    says that it has no file.
    """
    upload = locked_upload(me, upload_id)
    media = db.session.get(Media, upload.media_id)
    if upload.state not in _OPEN:
        raise Conflict(_("This upload has ended already. Nothing was changed."))
    name = upload.name
    problem = later("The upload was cancelled. Choose a file again, or remove this video.")
    give_up(upload, problem)
    if media is not None and media.storage_key is None and not media.use_count:
        discard_media(media)
    say(_("The upload of “%(name)s” was cancelled.", name=name))


def _finish(upload: MediaUpload, media: Media, checked: Checked, by: int) -> None:
    if checked.container is None:
        give_up(upload, NOT_MEDIA)
        return
    arrived = Arrived(
        checked.stored,
        _completed(checked.container, upload),
        checked.fingerprint,
        upload.size_bytes,
        upload.poster_key,
    )
    put_file(media, arrived, by)
    upload.poster_key = None
    upload.state, upload.received_bytes, upload.told_at = "done", upload.size_bytes, now()
    ended(upload)


def _completed(found: Container, upload: MediaUpload) -> Container:
    """What the file's own header tells; where it tells nothing, what the browser has seen."""
    return replace(
        found,
        duration_s=found.duration_s or upload.duration_s,
        width=found.width or upload.width,
        height=found.height or upload.height,
    )


def _say_checking(me: Me, upload_id: str, media_id: int) -> None:
    """Before what may take a while, for everybody who looks."""
    with transaction():
        upload = locked_upload(me, upload_id)
        if upload.state != "receiving":
            return
        upload.state, upload.received_bytes = "checking", upload.size_bytes
        emit(UploadProgressed(media_id=media_id))
        media = db.session.get(Media, media_id)
        if media is not None and media.status == "uploading":
            media.status = "processing"
            emit(MediaChanged(media_id=media_id))


def _allowed(name: str, size_bytes: int) -> None:
    settings: Settings = current_app.config["COURSEWIRE"]
    if size_bytes > settings.max_upload_bytes:
        raise TooLarge(
            _(
                "“%(name)s” is larger than %(size)s, the most that can be uploaded here. Nothing "
                "was sent. Choose a smaller file.",
                name=name,
                size=filesize(settings.max_upload_bytes),
            )
        )


def _same_unfinished(
    me: Me, file: tuple[str, int, int, str], media_id: int | None
) -> MediaUpload | None:
    """The upload of the very same file that this person has not finished."""
    name, size_bytes, last_modified_ms, fingerprint = file
    same = select(MediaUpload).where(
        MediaUpload.user_id == me.user_id,
        MediaUpload.state.in_(_OPEN),
        MediaUpload.name == name,
        MediaUpload.size_bytes == size_bytes,
        MediaUpload.last_modified_ms == last_modified_ms,
        MediaUpload.fingerprint == fingerprint,
    )
    if media_id is None:
        same = same.where(MediaUpload.replaces.is_(False))
    else:
        same = same.where(MediaUpload.media_id == media_id)
    return db.session.scalars(same.order_by(MediaUpload.created_at.desc()).limit(1)).first()


def _like(fingerprint: str, size_bytes: int) -> list[SameFile]:
    """Videos whose file begins and ends like this, and has its size."""
    if not fingerprint:
        return []
    rows = db.session.scalars(
        select(Media)
        .where(Media.fingerprint == fingerprint, Media.size_bytes == size_bytes)
        .where(Media.status == "ready", Media.trashed_at.is_(None))
        .order_by(Media.id)
        .limit(3)
    )
    return [SameFile.of(media) for media in rows]


def _twins(media: Media) -> list[SameFile]:
    """Other videos that hold the same bytes."""
    rows = db.session.scalars(
        select(Media)
        .where(Media.sha256 == media.sha256, Media.id != media.id, Media.trashed_at.is_(None))
        .order_by(Media.id)
        .limit(3)
    )
    return [SameFile.of(twin) for twin in rows]


def _refuse_too_many(me: Me) -> None:
    settings: Settings = current_app.config["COURSEWIRE"]
    count = db.session.scalar(
        select(func.count())
        .select_from(MediaUpload)
        .where(MediaUpload.user_id == me.user_id, MediaUpload.state.in_(_OPEN))
    )
    if (count or 0) >= settings.uploads_per_user:
        raise TooMany(
            _(
                "%(count)s of your uploads are not finished. Finish or cancel some of them first.",
                count=count,
            )
        )


def _waiting_media(me: Me, title: str, size_bytes: int, media_id: int | None) -> Media:
    """The video that the file is for: a new one, or the one whose file it will replace."""
    if media_id is None:
        media = Media(
            title=title,
            source="upload",
            status="uploading",
            size_bytes=size_bytes,
            created_by=me.user_id,
        )
        db.session.add(media)
        db.session.flush()
        emit(MediaAdded(media_id=media.id))
        return media
    media_found = db.session.get(Media, media_id)
    if media_found is None:
        raise NotFound(_("This video was removed from the library meanwhile. Nothing was sent."))
    if media_found.source != "upload":
        raise Invalid(
            _("This video is a web address and has no file to replace. Nothing was sent.")
        )
    if media_found.storage_key is None:
        media_found.status, media_found.problem = "uploading", None
        emit(MediaChanged(media_id=media_id))
    return media_found
