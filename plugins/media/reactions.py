"""What the library does after a commit."""

from plugins.media import (
    platforms,  # noqa: F401  registers its warning
    plugin,
)
from plugins.media.events import (
    MediaChanged,
    MediaRemoved,
    MediaTrashed,
    UploadEnded,
    UploadStarted,
)
from plugins.media.removal import empty_trash
from plugins.media.sessions import give_up_abandoned
from plugins.media.storage import current_storage


@plugin.on(MediaRemoved)
def delete_stored_files(event: MediaRemoved) -> None:
    """Nothing refers to these files any more, and no key is ever used again."""
    for key in event.storage_keys:
        current_storage().delete(key)


@plugin.on(MediaChanged)
def delete_replaced_files(event: MediaChanged) -> None:
    """Nor to these, which others took the place of."""
    for key in event.storage_keys:
        current_storage().delete(key)


@plugin.on(UploadEnded)
def discard_parts(event: UploadEnded) -> None:
    """Its parts are a file now, or of no use."""
    current_storage().discard(event.handle)
    for key in event.storage_keys:
        current_storage().delete(key)


@plugin.on(UploadStarted)
def sweep_abandoned_uploads(event: UploadStarted) -> None:  # noqa: ARG001  now is as good as ever
    """Whoever uploads makes room first."""
    give_up_abandoned()


@plugin.on(MediaTrashed)
def empty_old_trash(event: MediaTrashed) -> None:  # noqa: ARG001  now is as good as ever
    """What lies there for too long goes when something new comes."""
    empty_trash()
