"""A file takes its place in a video."""

from dataclasses import dataclass

from core import db, emit, now
from plugins.media.containers import Container
from plugins.media.events import MediaChanged
from plugins.media.models import Media, MediaVersion
from plugins.media.parts import Stored


@dataclass(frozen=True)
class Arrived:
    """A file that is stored and was found to be media."""

    stored: Stored
    container: Container
    fingerprint: str
    size_bytes: int
    poster_key: str | None = None


def put_file(media: Media, arrived: Arrived, by: int) -> None:
    """Make *arrived* the file of *media*, as that user asked for; the one before, and its picture,
    go after the commit.
    """
    replaced = [key for key in (media.storage_key, media.poster_key) if key]
    if media.storage_key is not None:
        media.version += 1
    media.storage_key, media.poster_key = arrived.stored.key, arrived.poster_key
    media.sha256, media.fingerprint = arrived.stored.sha256, arrived.fingerprint
    media.size_bytes = arrived.size_bytes
    media.kind = arrived.container.kind
    for name, value in vars(arrived.container).items():
        setattr(media, name, value)
    media.status, media.problem = "ready", None
    media.versions.insert(
        0,
        MediaVersion(
            number=media.version or 1,
            mime_type=arrived.container.mime_type,
            size_bytes=arrived.size_bytes,
            duration_s=media.duration_s,
            sha256=media.sha256,
            created_at=now(),
            created_by=by,
        ),
    )
    if media in db.session:
        db.session.flush()
        emit(MediaChanged(media_id=media.id, storage_keys=replaced))
