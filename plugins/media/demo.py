"""A demonstration library: short clips of our own, listed in ``demo/manifest.json``."""

import hashlib
import json
from io import BytesIO
from pathlib import Path

from pydantic import BaseModel

from core import db, emit
from plugins.accounts.public import find_user
from plugins.media import plugin
from plugins.media.events import MediaAdded
from plugins.media.models import Caption, Media, MediaVersion
from plugins.media.sessions import fingerprint_of
from plugins.media.storage import current_storage
from plugins.media.webvtt import read_captions

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
    captions: dict[str, str] = {}


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
    content = (_FOLDER / clip.file).read_bytes()
    media = Media(
        title=clip.title,
        source="upload",
        storage_key=_stored(clip.file, ""),
        poster_key=_stored(clip.poster, Path(clip.poster).suffix) if clip.poster else None,
        mime_type=clip.mime_type,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        fingerprint=fingerprint_of(BytesIO(content), len(content)),
        duration_s=clip.duration_s,
        width=clip.width,
        height=clip.height,
        created_by=created_by,
    )
    media.captions = [
        _captions(language, name, first=place == 0)
        for place, (language, name) in enumerate(clip.captions.items())
    ]
    media.versions = [
        MediaVersion(
            number=1,
            mime_type=clip.mime_type,
            size_bytes=len(content),
            duration_s=clip.duration_s,
            sha256=media.sha256,
            created_by=created_by,
        )
    ]
    return media


def _captions(language: str, name: str, *, first: bool) -> Caption:
    captions = read_captions((_FOLDER / name).read_bytes())
    return Caption(
        language=language,
        content=captions.text,
        cues=captions.cues,
        sha256=hashlib.sha256(captions.text.encode()).hexdigest(),
        is_default=first,
    )


def _stored(name: str, suffix: str) -> str:
    with (_FOLDER / name).open("rb") as source:
        return current_storage().store(source, suffix=suffix)
