"""What media shows to others. `VideoView` is the one serializer of whatever shows a video."""

import re
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, StringConstraints

from plugins.media.models import Media, MediaKind, MediaSource, MediaStatus

Sort: TypeAlias = Literal["newest", "title", "oldest"]


def one_line(text: object) -> object:
    """*text* on one line, without control characters; what is no text stays what it is."""
    if not isinstance(text, str):
        return text
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text).split())


Title: TypeAlias = Annotated[
    str, BeforeValidator(one_line), StringConstraints(min_length=1, max_length=200)
]


class VideoView(BaseModel):
    """A video. Its addresses are ours and stable: signed or foreign ones never stand in a body."""

    media_file_id: int
    title: str
    video_url: str
    kind: MediaKind
    source: MediaSource
    mime_type: str | None
    duration_s: float | None
    size_bytes: int | None
    poster_url: str | None
    status: MediaStatus

    @classmethod
    def of(cls, media: Media, **more: Any) -> Self:
        """The view of *media*; *more* fills the fields that a subclass adds."""
        return cls(
            media_file_id=media.id,
            title=media.title,
            video_url=f"/media/{media.id}/file",
            kind=media.kind,
            source=media.source,
            mime_type=media.mime_type,
            duration_s=media.duration_s,
            size_bytes=media.size_bytes,
            poster_url=f"/media/{media.id}/poster" if media.poster_key else None,
            status=media.status,
            **more,
        )


class LibraryRow(VideoView):
    """A video in the library; ``use_count`` is the number of links to it."""

    use_count: int

    @classmethod
    def of(cls, media: Media, **more: Any) -> Self:
        """The row of *media*."""
        return super().of(media, use_count=media.use_count, **more)


class MediaPage(BaseModel):
    """One page of the library. ``page`` is the page shown: the last one when fewer are left."""

    rows: list[LibraryRow]
    total: int
    page: int
    pages: int


class MediaDetail(LibraryRow):
    """Everything the library knows about a video."""

    url: str | None
    width: int | None
    height: int | None

    @classmethod
    def of(cls, media: Media, **more: Any) -> Self:
        """The detail of *media*."""
        return super().of(media, url=media.url, width=media.width, height=media.height, **more)


class Usage(BaseModel):
    """How often a video is used; the plugins that use it add parts that say where."""

    media_file_id: int
    use_count: int


class TitleWas(BaseModel):
    """The title that an editor's form started from."""

    title: str
