"""What can be done in the library."""

from pathlib import PureWindowsPath
from typing import Annotated
from urllib.parse import urlsplit

from flask import current_app
from pydantic import BeforeValidator, HttpUrl, StringConstraints, TypeAdapter, ValidationError
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from core import Conflict, Invalid, Me, NotFound, Settings, TooLarge, Upload, db, emit, say
from core.format import filesize
from core.reads import run_query
from plugins.media import plugin, storage
from plugins.media.containers import read_container
from plugins.media.events import MediaAdded, MediaRemoved, MediaRenamed
from plugins.media.guards import library_access, media_access
from plugins.media.models import Media
from plugins.media.queries import media_usage
from plugins.media.views import MediaDetail, Title, TitleWas, one_line

_URL_TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm"}
_MAX_URL = 2_000
_http_url = TypeAdapter[HttpUrl](HttpUrl)


@plugin.action(guard=library_access)
def upload(
    me: Me,
    file: Upload,
    title: Annotated[str, BeforeValidator(one_line), StringConstraints(max_length=200)] = "",
) -> MediaDetail:
    """Add a video file to the library; without *title* it is called like the file."""
    container = read_container(file.stream)
    if container is None:
        raise Invalid(
            f"“{file.filename}” is neither an MP4 nor a WebM video. Nothing was stored.",
            errors={"file": "Choose an MP4 or WebM file."},
        )
    size_bytes = _size_allowed(file)
    media = Media(
        title=title or _title_of(file.filename),
        source="upload",
        storage_key=storage.store(file.stream),
        size_bytes=size_bytes,
        **vars(container),
        created_by=me.user_id,
    )
    return _added(media)


@plugin.action(guard=library_access)
def add_url(me: Me, title: Title, url: str) -> MediaDetail:
    """Add a video that lies elsewhere on the web."""
    address = _web_address(url)
    suffix = "." + urlsplit(address).path.rpartition(".")[2].lower()
    media = Media(
        title=title,
        source="url",
        url=address,
        mime_type=_URL_TYPES.get(suffix),
        created_by=me.user_id,
    )
    return _added(media)


@plugin.action(guard=media_access)
def rename(media_id: int, title: Title, was: TitleWas) -> MediaDetail:
    """Give a video another title, in every chapter that shows it."""
    media = _locked(media_id)
    if media.title not in (was.title, title):
        raise Conflict(
            f"Somebody else renamed this video to “{media.title}” meanwhile. Nothing was saved. "
            "Keep your title or use theirs.",
            theirs={"title": media.title},
            mine={"title": title},
        )
    if media.title != title:
        media.title = title
        emit(MediaRenamed(media_id=media_id))
    say(f"Renamed to “{title}”.")
    return MediaDetail.of(media)


@plugin.action(guard=media_access)
def remove(media_id: int) -> None:
    """Remove a video from the library, unless it is used."""
    media = _locked(media_id)
    title, keys = media.title, [key for key in (media.storage_key, media.poster_key) if key]
    db.session.expunge(media)
    try:
        with db.session.begin_nested():
            db.session.execute(delete(Media).where(Media.id == media_id))
    except IntegrityError:
        raise _still_used(media_id, title) from None
    emit(MediaRemoved(media_id=media_id, storage_keys=keys))
    say(f"“{title}” was removed from the library.")


def _added(media: Media) -> MediaDetail:
    db.session.add(media)
    db.session.flush()
    emit(MediaAdded(media_id=media.id))
    say(f"“{media.title}” was added to the library.")
    return MediaDetail.of(media)


def _locked(media_id: int) -> Media:
    media = db.session.scalar(
        select(Media).where(Media.id == media_id).with_for_update(key_share=True)
    )
    if media is None:
        raise NotFound("This video was removed from the library meanwhile. Nothing was changed.")
    return media


def _still_used(media_id: int, title: str) -> Conflict:
    """The foreign keys of those who use it have the last word; their parts say where."""
    _, parts = run_query(media_usage.key(media_id), None)
    uses = [use.model_dump(mode="json") for part in parts.values() for use in part]
    places = "1 place" if len(uses) == 1 else f"{len(uses)} places"
    return Conflict(
        f"“{title}” is used in {places}, so it was not removed. Take it out there first.",
        title="Still in use",
        uses=uses,
    )


def _size_allowed(file: Upload) -> int:
    """The size of *file*, read from its start again; raises `TooLarge`."""
    settings: Settings = current_app.config["COURSEWIRE"]
    size_bytes = file.stream.seek(0, 2)
    file.stream.seek(0)
    if size_bytes > settings.max_upload_bytes:
        raise TooLarge(
            f"“{file.filename}” is larger than {filesize(settings.max_upload_bytes)}, the most "
            "that can be uploaded here. Nothing was stored. Choose a smaller file."
        )
    return size_bytes


def _title_of(filename: str | None) -> str:
    """A file's name without folders and suffix; either kind of slash separates folders."""
    name = one_line(PureWindowsPath(filename or "").stem)
    return str(name)[:200] or "Untitled video"


def _web_address(url: str) -> str:
    try:
        address = _http_url.validate_python(url.strip())
    except ValidationError:
        address = None
    if address is None or len(str(address)) > _MAX_URL:
        raise Invalid(
            "This is no address of a video on the web. Nothing was added.",
            errors={"url": "Enter an address that starts with https:// or http://."},
        )
    if address.username or address.password:
        raise Invalid(
            "The address contains a user name or password, which every viewer would see. "
            "Nothing was added.",
            errors={"url": "Enter an address without a user name and password."},
        )
    return str(address)
