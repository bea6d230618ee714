"""What can be read about the library."""

from collections.abc import Iterable

from core import NotFound, Params, db
from plugins.media import plugin
from plugins.media.events import MediaAdded, MediaRemoved, MediaRenamed, MediaUseChanged
from plugins.media.guards import library_access, media_access
from plugins.media.models import Media
from plugins.media.public import search_media
from plugins.media.views import LibraryRow, MediaDetail, MediaPage, Sort, Usage


@plugin.query(
    "list",
    guard=library_access,
    stale_on=[MediaAdded, MediaRenamed, MediaRemoved, MediaUseChanged],
)
def media_list(search: str = "", page: int = 1, sort: Sort = "newest") -> MediaPage:
    """A page of the library; every word of *search* stands in the title."""
    found = search_media(search, page, sort)
    return MediaPage(
        rows=[LibraryRow.of(media) for media in found.rows],
        total=found.total,
        page=found.page,
        pages=found.pages,
    )


@plugin.query("detail", guard=media_access, stale_on=[MediaRenamed, MediaRemoved])
def media_detail(media_id: int) -> MediaDetail:
    """One video."""
    return MediaDetail.of(_existing(media_id))


@plugin.query("usage", guard=library_access, stale_on=[MediaRemoved])
def media_usage(media_id: int) -> Usage:
    """How often a video is used; parts say where."""
    return Usage(media_file_id=media_id, use_count=_existing(media_id).use_count)


@media_detail.stale_on(MediaUseChanged)
def details_counting(event: MediaUseChanged) -> Iterable[Params]:
    """Details show the count."""
    return [(media_id,) for media_id in event.media_ids]


@media_usage.stale_on(MediaUseChanged)
def usages_counting(event: MediaUseChanged) -> Iterable[Params]:
    """So does the usage."""
    return [(media_id,) for media_id in event.media_ids]


def _existing(media_id: int) -> Media:
    media = db.session.get(Media, media_id)
    if media is None:
        raise NotFound("This video is not in the library. It may have been removed meanwhile.")
    return media
