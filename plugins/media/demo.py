"""A demonstration library: short clips of our own, listed in ``demo/manifest.json``."""

import json
from pathlib import Path

from pydantic import BaseModel

from core import db, emit
from plugins.accounts.public import find_user
from plugins.media import plugin, storage
from plugins.media.events import MediaAdded
from plugins.media.models import Media

_FOLDER = Path(__file__).with_name("demo")


class Clip(BaseModel):
    """One clip of the manifest; the files stand beside it."""

    file: str
    title: str
    mime_type: str
    duration_s: float
    width: int
    height: int
    poster: str | None = None


@plugin.demo
def demo_library() -> None:
    """Every clip of the manifest, as if owner@example.test had uploaded it."""
    owner = find_user("owner@example.test")
    clips = [Clip(**clip) for clip in json.loads((_FOLDER / "manifest.json").read_text("utf-8"))]
    rows = [_media(clip, owner.id if owner is not None else None) for clip in clips]
    db.session.add_all(rows)
    db.session.flush()
    for media in rows:
        emit(MediaAdded(media_id=media.id))


def _media(clip: Clip, created_by: int | None) -> Media:
    return Media(
        title=clip.title,
        source="upload",
        storage_key=_stored(clip.file, ""),
        poster_key=_stored(clip.poster, Path(clip.poster).suffix) if clip.poster else None,
        mime_type=clip.mime_type,
        size_bytes=(_FOLDER / clip.file).stat().st_size,
        duration_s=clip.duration_s,
        width=clip.width,
        height=clip.height,
        created_by=created_by,
    )


def _stored(name: str, suffix: str) -> str:
    with (_FOLDER / name).open("rb") as source:
        return storage.store(source, suffix=suffix)
