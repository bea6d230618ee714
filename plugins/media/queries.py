"""What can be read about the library."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, and_, func, select

from core import NotFound, Params, db
from core.languages import later
from plugins.accounts.events import AccountChanged
from plugins.accounts.models import User
from plugins.media import plugin
from plugins.media.events import (
    MediaAdded,
    MediaChanged,
    MediaDescribed,
    MediaRemoved,
    MediaRenamed,
    MediaRestored,
    MediaTrashed,
    MediaUseChanged,
    UploadEnded,
    UploadProgressed,
    UploadStarted,
)
from plugins.media.guards import library_access, media_access
from plugins.media.models import Media, MediaUpload
from plugins.media.public import IN_LIBRARY, Search, search_media
from plugins.media.views import (
    Kind,
    LibraryCounts,
    LibraryRow,
    MediaDetail,
    MediaPage,
    OwnerCount,
    Show,
    Sort,
    UploadRow,
    Usage,
    Use,
)

OF_ONE = (MediaRenamed, MediaChanged, MediaTrashed, MediaRestored, MediaRemoved)
"""What changes a video; each has its ``media_id``."""

SHOWN: dict[str, ColumnElement[bool]] = {
    "all": IN_LIBRARY,
    "arriving": and_(IN_LIBRARY, Media.status.in_(("uploading", "processing"))),
    "failed": and_(IN_LIBRARY, Media.status == "failed"),
    "trash": Media.trashed_at.is_not(None),
}
USED: dict[str, ColumnElement[bool]] = {"used": Media.use_count > 0, "unused": Media.use_count == 0}

_MOST_OWNERS = 50
"""People in the filter of the library; of more, the busiest."""

_MOST_UPLOADS = 50
"""Rows of what is on its way; further ones are shown once these are done."""


@plugin.query(
    "list",
    guard=library_access,
    stale_on=[
        MediaAdded,
        MediaRenamed,
        MediaChanged,
        MediaTrashed,
        MediaRestored,
        MediaRemoved,
        MediaUseChanged,
        AccountChanged,
    ],
)
def media_list(
    search: Search = "",
    page: int = 1,
    sort: Sort = "newest",
    show: Show = "all",
    use: Use = "any",
    kind: Kind = "any",
    by: int = 0,
) -> MediaPage:
    """A page of the library, or of its trash; every word of *search* stands in the title.

    *by* is the id of the user who added them; 0 is anybody.
    """
    among = [SHOWN[show], *([USED[use]] if use != "any" else [])]
    if kind != "any":
        among.append(Media.kind == kind)
    if by:
        among.append(Media.created_by == by)
    found = search_media(search, page, sort, among=among)
    return MediaPage(
        rows=[LibraryRow.of(media) for media in found.rows],
        total=found.total,
        page=found.page,
        pages=found.pages,
        counts=_counts(),
        owners=_owners(),
    )


@plugin.query("detail", guard=media_access, stale_on=[*OF_ONE, MediaDescribed])
def media_detail(media_id: int) -> MediaDetail:
    """One video."""
    return MediaDetail.of(_existing(media_id))


@plugin.query(
    "uploads",
    guard=library_access,
    stale_on=[
        UploadStarted,
        UploadProgressed,
        UploadEnded,
        MediaRenamed,
        MediaRemoved,
        AccountChanged,
    ],
)
def media_uploads() -> list[UploadRow]:
    """The files that are on their way, whoever sends them; the oldest first."""
    rows = db.session.execute(
        select(MediaUpload, Media.title, User.name)
        .join(Media, Media.id == MediaUpload.media_id)
        .join(User, User.id == MediaUpload.user_id)
        .where(MediaUpload.state.in_(("receiving", "checking")))
        .order_by(MediaUpload.created_at, MediaUpload.id)
        .limit(_MOST_UPLOADS)
    )
    return [
        UploadRow(
            media_file_id=upload.media_id,
            title=title,
            user_name=name,
            size_bytes=upload.size_bytes,
            received_bytes=upload.received_bytes,
            replaces=upload.replaces,
            state=upload.state,
        )
        for upload, title, name in rows
    ]


@plugin.query("usage", guard=library_access, stale_on=OF_ONE)
def media_usage(media_id: int) -> Usage:
    """How often a video is used; parts say where."""
    media = _existing(media_id)
    return Usage(
        media_file_id=media_id,
        title=media.title,
        use_count=media.use_count,
        trashed_at=media.trashed_at,
    )


@media_detail.stale_on(MediaUseChanged)
def details_counting(event: MediaUseChanged) -> Iterable[Params]:
    """Details show the count."""
    return [(media_id,) for media_id in event.media_ids]


@media_detail.stale_on(AccountChanged)
def every_detail(event: AccountChanged) -> Iterable[Params]:  # noqa: ARG001  of how many is theirs
    """Details name who added a video, and who gave it which file."""
    return [()]


@media_usage.stale_on(MediaUseChanged)
def usages_counting(event: MediaUseChanged) -> Iterable[Params]:
    """So does the usage."""
    return [(media_id,) for media_id in event.media_ids]


def _counts() -> LibraryCounts:
    """All of them in one statement, whatever their number."""
    wanted: dict[str, ColumnElement[bool]] = {
        **SHOWN,
        "video": and_(IN_LIBRARY, Media.kind == "video"),
        "audio": and_(IN_LIBRARY, Media.kind == "audio"),
        **{name: and_(IN_LIBRARY, used) for name, used in USED.items()},
    }
    columns = [func.count().filter(which).label(name) for name, which in wanted.items()]
    row = db.session.execute(select(*columns).select_from(Media)).one()
    return LibraryCounts(**row._mapping)


def _owners() -> list[OwnerCount]:
    """Those who added what is there, the busiest first."""
    count = func.count(Media.id).label("videos")
    rows = db.session.execute(
        select(User.id, User.name, count)
        .join(Media, Media.created_by == User.id)
        .where(IN_LIBRARY)
        .group_by(User.id, User.name)
        .order_by(count.desc(), User.name, User.id)
        .limit(_MOST_OWNERS)
    )
    return [OwnerCount(user_id=row.id, name=row.name, count=row.videos) for row in rows]


def _existing(media_id: int) -> Media:
    media = db.session.get(Media, media_id)
    if media is None:
        raise NotFound(
            later("This video is not in the library. It may have been removed meanwhile.")
        )
    return media
