"""What media shows to others. `VideoView` is the one serializer of whatever shows a video."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import PureWindowsPath
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, StringConstraints
from sqlalchemy import Row

from plugins.media.languages import language_name
from plugins.media.models import (
    Caption,
    Media,
    MediaKind,
    MediaSource,
    MediaStatus,
    MediaUpload,
    MediaVersion,
    UploadState,
)
from plugins.media.providers import embedded

Sort: TypeAlias = Literal["newest", "title", "oldest", "longest", "largest"]
Show: TypeAlias = Literal["all", "arriving", "failed", "trash"]
Use: TypeAlias = Literal["any", "used", "unused"]
Kind: TypeAlias = Literal["any", "video", "audio"]


_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def one_line(text: object) -> object:
    """*text* on one line, without control characters; what is no text stays what it is.

    Nor with those that turn the direction of what follows (“gpj.exe” shown as “exe.jpg”).
    """
    if not isinstance(text, str):
        return text
    return " ".join(_UNSEEN.sub(" ", text).split())


def plain_text(text: object) -> object:
    """*text* with its lines, whatever ended them, and without what `one_line` leaves out."""
    if not isinstance(text, str):
        return text
    return "\n".join(_UNSEEN.sub("", line) for line in re.split(r"\r\n|\r|\n", text))


def title_of_file(filename: str | None) -> str:
    """A file's name without folders and suffix; either kind of slash separates folders."""
    name = str(one_line(PureWindowsPath(filename or "").stem))
    return name[:200] or "Untitled video"


Title: TypeAlias = Annotated[
    str, BeforeValidator(one_line), StringConstraints(min_length=1, max_length=200)
]


Description: TypeAlias = Annotated[
    str, BeforeValidator(plain_text), StringConstraints(max_length=5_000, strip_whitespace=True)
]


class CaptionView(BaseModel):
    """The captions of a video in one language."""

    language: str
    name: str
    url: str
    cues: int
    is_default: bool

    @classmethod
    def of(cls, caption: Caption | Row[Any]) -> Self:
        """The view of *caption*, or of a row of `public.captions_of`; other captions have another
        address, so that players notice.
        """
        return cls(
            language=caption.language,
            name=language_name(caption.language),
            url=f"/media/{caption.media_id}/captions/{caption.language}?v={caption.sha256[:8]}",
            cues=caption.cues,
            is_default=caption.is_default,
        )


class VideoView(BaseModel):
    """A video. Its addresses are ours and stable: signed ones never stand in a body, and the only
    foreign one is ``embed_url``, where a known ``provider`` plays it.
    """

    media_file_id: int
    title: str
    video_url: str
    kind: MediaKind
    source: MediaSource
    mime_type: str | None
    duration_s: float | None
    size_bytes: int | None
    poster_url: str | None
    provider: str | None
    embed_url: str | None
    captions: list[CaptionView]
    status: MediaStatus
    problem: str | None

    @classmethod
    def of(cls, media: Media, **more: Any) -> Self:
        """The view of *media*, whose captions are best loaded before (`public.load_captions`);
        *more* fills the fields that a subclass adds.
        """
        return cls.of_row(media, media.captions, **more)

    @classmethod
    def of_row(
        cls, media: Media | Row[Any], captions: Sequence[Caption | Row[Any]], **more: Any
    ) -> Self:
        """The same of a row of `public.VIDEO_COLUMNS`, with its captions."""
        elsewhere = embedded(media.url) if media.url else None
        return cls(
            media_file_id=media.id,
            title=media.title,
            video_url=f"/media/{media.id}/file{_version(media)}",
            kind=media.kind,
            source=media.source,
            mime_type=media.mime_type,
            duration_s=media.duration_s,
            size_bytes=media.size_bytes,
            poster_url=_poster_url(media),
            provider=elsewhere.provider if elsewhere else None,
            embed_url=elsewhere.player_url if elsewhere else None,
            captions=[CaptionView.of(caption) for caption in captions],
            status=media.status,
            problem=media.problem,
            **more,
        )


def _version(media: Media | Row[Any]) -> str:
    """What makes the address of another file another address; a first file has the plain one."""
    return f"?v={media.version}" if media.version > 1 else ""


def _poster_url(media: Media | Row[Any]) -> str | None:
    return f"/media/{media.id}/poster?v={media.poster_key[:8]}" if media.poster_key else None


class LibraryRow(VideoView):
    """A video in the library; ``use_count`` is the number of links to it."""

    use_count: int
    trashed_at: datetime | None

    @classmethod
    def of(cls, media: Media, **more: Any) -> Self:
        """The row of *media*."""
        return super().of(media, use_count=media.use_count, trashed_at=media.trashed_at, **more)


class LibraryCounts(BaseModel):
    """How many videos each filter finds, whatever is searched for."""

    all: int
    video: int
    audio: int
    used: int
    unused: int
    arriving: int
    failed: int
    trash: int


class OwnerCount(BaseModel):
    """Somebody who added videos to the library, and how many of them are there."""

    user_id: int
    name: str
    count: int


class MediaPage(BaseModel):
    """One page of the library. ``page`` is the page shown: the last one when fewer are left."""

    rows: list[LibraryRow]
    total: int
    page: int
    pages: int
    counts: LibraryCounts
    owners: list[OwnerCount]


class VersionView(BaseModel):
    """A file that a video has or had."""

    number: int
    mime_type: str
    size_bytes: int
    duration_s: float | None
    sha256: str | None
    created_at: datetime
    user_name: str | None

    @classmethod
    def of(cls, version: MediaVersion) -> Self:
        """The view of *version*."""
        return cls(
            number=version.number,
            mime_type=version.mime_type,
            size_bytes=version.size_bytes,
            duration_s=version.duration_s,
            sha256=version.sha256,
            created_at=version.created_at,
            user_name=version.creator.name if version.creator else None,
        )


class MediaDetail(LibraryRow):
    """Everything the library knows about a video; its files stand newest first."""

    description: str
    created_at: datetime
    user_name: str | None
    url: str | None
    width: int | None
    height: int | None
    sha256: str | None
    version: int
    versions: list[VersionView]

    @classmethod
    def of(cls, media: Media, **more: Any) -> Self:
        """The detail of *media*."""
        return super().of(
            media,
            description=media.description,
            created_at=media.created_at,
            user_name=media.creator.name if media.creator else None,
            url=media.url,
            width=media.width,
            height=media.height,
            sha256=media.sha256,
            version=media.version,
            versions=[VersionView.of(version) for version in media.versions],
            **more,
        )


class Usage(BaseModel):
    """How often a video is used; the plugins that use it add parts that say where."""

    media_file_id: int
    title: str
    use_count: int
    trashed_at: datetime | None


class TitleWas(BaseModel):
    """The title that an editor's form started from."""

    title: str


class DescriptionWas(BaseModel):
    """The description that an editor's form started from."""

    description: Description


class SameFile(BaseModel):
    """A video that the library has already, with the same file."""

    media_file_id: int
    title: str
    use_count: int

    @classmethod
    def of(cls, media: Media) -> Self:
        """What is said of *media*."""
        return cls(media_file_id=media.id, title=media.title, use_count=media.use_count)


class UploadTicket(BaseModel):
    """An upload that has begun; or, with no ``upload_id``, what the library has of it already.

    Parts count from 0 and have ``part_bytes`` each, but for the last. What has arrived of one that
    was ``resumed``, `UploadProgress` says. ``direct``: each goes to an address that is asked for.
    """

    upload_id: str | None
    media_file_id: int | None
    part_bytes: int | None
    direct: bool = False
    resumed: bool = False
    same_as: list[SameFile] = []

    @classmethod
    def of(cls, upload: MediaUpload, *, direct: bool, resumed: bool = False) -> Self:
        """The ticket of *upload*."""
        return cls(
            upload_id=upload.id,
            media_file_id=upload.media_id,
            part_bytes=upload.part_bytes,
            direct=direct,
            resumed=resumed,
        )


class UploadProgress(BaseModel):
    """How far an upload is: the numbers of the parts that have arrived, while it goes on."""

    upload_id: str
    media_file_id: int
    state: UploadState
    problem: str | None
    size_bytes: int
    part_bytes: int
    received: list[int] = []

    @classmethod
    def of(cls, upload: MediaUpload) -> Self:
        """The progress of *upload*, without what only the storage knows."""
        return cls(
            upload_id=upload.id,
            media_file_id=upload.media_id,
            state=upload.state,
            problem=upload.problem,
            size_bytes=upload.size_bytes,
            part_bytes=upload.part_bytes,
        )


class UploadOutcome(BaseModel):
    """What became of an upload; ``same_as`` are other videos with the very same bytes."""

    state: UploadState
    problem: str | None
    media: MediaDetail
    same_as: list[SameFile]


class UploadRow(BaseModel):
    """A file on its way, as everybody in the library sees it."""

    media_file_id: int
    title: str
    user_name: str
    size_bytes: int
    received_bytes: int
    replaces: bool
    state: UploadState
