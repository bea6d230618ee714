"""What happens to the library."""

from pydantic import Field

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
class MediaDescribed(Event):
    """A video has another description."""

    media_id: int


@plugin.event
class MediaRemoved(Event):
    """A video was removed for good; its files are still there, for a reaction to delete."""

    media_id: int
    storage_keys: list[str]


@plugin.event
class MediaTrashed(Event):
    """A video was put into the trash; its file is still there."""

    media_id: int


@plugin.event
class MediaRestored(Event):
    """A video came back out of the trash."""

    media_id: int


@plugin.event
class MediaUseChanged(Event):
    """Videos were linked or unlinked somewhere, so their use counts changed."""

    media_ids: list[int]


@plugin.event
class MediaChanged(Event):
    """A video's file, state, poster or captions changed; its id, and so every link to it, stays.

    ``storage_keys`` name files that nothing refers to any more.
    """

    media_id: int
    storage_keys: list[str] = Field(default_factory=list)


@plugin.event
class UploadStarted(Event):
    """Somebody began to send a file."""

    media_id: int


@plugin.event
class UploadProgressed(Event):
    """More of a file has arrived; told at most once a second for each upload."""

    media_id: int


@plugin.event
class UploadEnded(Event):
    """An upload is done, failed or was called off; its parts are for a reaction to discard.

    ``storage_keys`` name files that came with it and that nothing refers to.
    """

    media_id: int
    upload_id: str
    handle: str
    storage_keys: list[str] = Field(default_factory=list)
