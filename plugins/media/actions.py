"""What can be done in the library."""

import hashlib
from typing import Annotated
from urllib.parse import urlsplit

from flask import current_app
from pydantic import BeforeValidator, HttpUrl, StringConstraints, TypeAdapter, ValidationError

from core import (
    Conflict,
    Invalid,
    Me,
    Settings,
    TooLarge,
    Upload,
    db,
    emit,
    reading,
    run_blocking,
    say,
    undone_by,
)
from core.format import filesize
from core.languages import gettext as _
from plugins.media import (
    captions,  # noqa: F401  registers its actions
    plugin,
    posters,  # noqa: F401  registers its action and route
    receiving,  # noqa: F401  registers its routes
    removal,  # noqa: F401  registers its actions
    uploads,  # noqa: F401  registers its actions
)
from plugins.media.containers import read_container
from plugins.media.events import MediaAdded, MediaDescribed, MediaRenamed
from plugins.media.files import Arrived, put_file
from plugins.media.guards import library_access, media_access, refuse_viewers
from plugins.media.models import Media
from plugins.media.parts import Stored
from plugins.media.providers import embedded
from plugins.media.removal import locked_media
from plugins.media.sessions import fingerprint_of
from plugins.media.storage import current_storage
from plugins.media.views import (
    Description,
    DescriptionWas,
    MediaDetail,
    Title,
    TitleWas,
    one_line,
    title_of_file,
)

_URL_TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm"}
_NOT_PLAYED = (".html", ".htm", ".php", ".aspx", ".m3u8", ".m3u", ".mpd", ".pdf")
_MAX_URL = 2_000
_CHUNK_BYTES = 1 << 20
_http_url = TypeAdapter[HttpUrl](HttpUrl)


def take_file(file: Upload) -> Arrived:
    """Look into *file* and store it, before the transaction that says so; raises `Invalid`."""
    container = read_container(file.stream)
    if container is None:
        raise Invalid(
            _(
                "“%(name)s” is neither an MP4, WebM, MP3 nor M4A file. Nothing was stored.",
                name=one_line(file.filename),
            ),
            errors={"file": _("Choose an MP4, WebM, MP3 or M4A file.")},
        )
    size_bytes = _size_allowed(file)
    key = current_storage().store(file.stream)
    fingerprint = fingerprint_of(file.stream, size_bytes)
    return Arrived(Stored(key, _sha256(file)), container, fingerprint, size_bytes)


def take_replacement(media_id: int, file: Upload) -> Arrived:
    """The same, for whoever may change that video."""
    refuse_viewers(media_id)
    with reading():
        media = db.session.get(Media, media_id)
    if media is not None and media.source != "upload":
        raise Invalid(_("This video is a web address and has no file to replace."))
    return take_file(file)


@plugin.action(guard=library_access, prepare=take_file)
def upload(
    me: Me,
    file: Upload,
    prepared: Arrived,
    title: Annotated[str, BeforeValidator(one_line), StringConstraints(max_length=200)] = "",
) -> MediaDetail:
    """Add a file to the library in one piece; without *title* it is called like the file.

    This is the form of a page without scripts; with them, files come in parts (`start_upload`).
    """
    media = Media(
        title=title or title_of_file(file.filename),
        source="upload",
        status="uploading",
        created_by=me.user_id,
    )
    put_file(media, prepared, me.user_id)
    return _added(media)


@plugin.action(guard=library_access)
def add_url(me: Me, title: Title, url: str) -> MediaDetail:
    """Add a video that lies elsewhere on the web: a file, or one of YouTube's or Vimeo's."""
    address = _playable(_web_address(url))
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
    media = locked_media(media_id)
    if media.title not in (was.title, title):
        raise Conflict(
            _(
                "Somebody else renamed this video to “%(title)s” meanwhile. Nothing was saved. "
                "Keep your title or use theirs.",
                title=media.title,
            ),
            theirs={"title": media.title},
            mine={"title": title},
        )
    if media.title != title:
        was_title, media.title = media.title, title
        emit(MediaRenamed(media_id=media_id))
        undone_by(rename, media_id=media_id, title=was_title, was=TitleWas(title=title))
    say(_("Renamed to “%(title)s”.", title=title))
    return MediaDetail.of(media)


@plugin.action(guard=media_access)
def describe(media_id: int, description: Description, was: DescriptionWas) -> MediaDetail:
    """Give a video another description, starting from what it *was*."""
    media = locked_media(media_id)
    if media.description not in (was.description, description):
        raise Conflict(
            _(
                "Somebody else changed this description meanwhile. Nothing was saved. Keep yours "
                "or use theirs."
            ),
            theirs={"description": media.description},
            mine={"description": description},
        )
    if media.description != description:
        before, media.description = media.description, description
        emit(MediaDescribed(media_id=media_id))
        undone_by(
            describe,
            media_id=media_id,
            description=before,
            was=DescriptionWas(description=description),
        )
    say(_("The description was saved."))
    return MediaDetail.of(media)


@plugin.action(guard=media_access, prepare=take_replacement)
def replace(me: Me, media_id: int, file: Upload, prepared: Arrived) -> MediaDetail:  # noqa: ARG001  taken
    """Give a video another file, in one piece; its id, and so every link to it, stays.

    This is the form of a page without scripts; with them, the file comes in parts.
    """
    media = locked_media(media_id)
    put_file(media, prepared, me.user_id)
    say(_("“%(title)s” has another file now.", title=media.title))
    return MediaDetail.of(media)


def _added(media: Media) -> MediaDetail:
    db.session.add(media)
    db.session.flush()
    emit(MediaAdded(media_id=media.id))
    say(_("“%(title)s” was added to the library.", title=media.title))
    return MediaDetail.of(media)


def _size_allowed(file: Upload) -> int:
    """The size of *file*, read from its start again; raises `TooLarge`."""
    settings: Settings = current_app.config["COURSEWIRE"]
    size_bytes = file.stream.seek(0, 2)
    file.stream.seek(0)
    if size_bytes > settings.max_upload_bytes:
        raise TooLarge(
            _(
                "“%(name)s” is larger than %(size)s, the most that can be uploaded here. Nothing "
                "was stored. Choose a smaller file.",
                name=one_line(file.filename),
                size=filesize(settings.max_upload_bytes),
            )
        )
    return size_bytes


def _sha256(file: Upload) -> str:
    digest = hashlib.sha256()
    file.stream.seek(0)
    while chunk := file.stream.read(_CHUNK_BYTES):
        run_blocking(digest.update, chunk)
    file.stream.seek(0)
    return digest.hexdigest()


def _web_address(url: str) -> str:
    try:
        address = _http_url.validate_python(url.strip())
    except ValidationError:
        address = None
    if address is None or len(str(address)) > _MAX_URL:
        raise Invalid(
            _("This is no address of a video on the web. Nothing was added."),
            errors={"url": _("Enter an address that starts with https://.")},
        )
    if address.scheme == "http":
        raise Invalid(
            _("Browsers play nothing that comes over http:// in these pages. Nothing was added."),
            errors={"url": _("Enter an address that starts with https://.")},
        )
    if address.username or address.password:
        raise Invalid(
            _(
                "The address contains a user name or password, which every viewer would see. "
                "Nothing was added."
            ),
            errors={"url": _("Enter an address without a user name and password.")},
        )
    return str(address)


def _playable(url: str) -> str:
    """The address of the video; raises `Invalid` for one that no player of ours can play."""
    try:
        elsewhere = embedded(url)
    except LookupError:
        raise Invalid(
            _(
                "This is an address of YouTube or Vimeo, and not of one of their videos. Nothing "
                "was added."
            ),
            errors={"url": _("Open the video there, and copy the address of its own page.")},
        ) from None
    if elsewhere is not None:
        return elsewhere.page_url
    if urlsplit(url).path.lower().endswith(_NOT_PLAYED):
        raise Invalid(
            _(
                "This address is that of a page or a playlist, which no player here can play. "
                "Nothing was added."
            ),
            errors={
                "url": _("Enter the address of the file itself, or of a video of YouTube or Vimeo.")
            },
        )
    return url
