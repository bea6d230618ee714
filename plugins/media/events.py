"""What happens to the library."""

from core import Event
from plugins.media import plugin


@plugin.event
class MediaAdded(Event):
    """A video was added to the library."""

    media_id: int


@plugin.event
class MediaRenamed(Event):
    """A video has another title."""

    media_id: int


@plugin.event
class MediaRemoved(Event):
    """A video was removed from the library; its files are still there, for a reaction to delete."""

    media_id: int
    storage_keys: list[str]


@plugin.event
class MediaUseChanged(Event):
    """Videos were linked or unlinked somewhere, so their use counts changed."""

    media_ids: list[int]
