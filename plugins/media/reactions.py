"""What the library does after a commit."""

from plugins.media import plugin, storage
from plugins.media.events import MediaRemoved


@plugin.on(MediaRemoved)
def delete_stored_files(event: MediaRemoved) -> None:
    """Nothing refers to these files any more, and no key is ever used again."""
    for key in event.storage_keys:
        storage.delete(key)
