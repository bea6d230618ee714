"""Videos that lie with a provider whose player may stand in our pages: known by their address.

Nobody is asked: an address is one of a few patterns, or it is none. What is shown is made of the
video's id and never of the address that somebody entered. YouTube is embedded from the host that
sets no cookies before something is played; Vimeo is told not to track.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, parse_qs, urlsplit

from core import Settings
from plugins.media import plugin

_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_YOUTUBE_PATH = re.compile(r"/(?:embed|shorts|live|v)/([A-Za-z0-9_-]{11})/?")
_VIMEO_PATH = re.compile(r"/(?:video/|channels/[\w-]+/)?(\d{6,12})(?:/([0-9a-f]{6,20}))?/?")


@dataclass(frozen=True)
class Embedded:
    """A video of a provider: its own page, and the address of its player."""

    provider: str
    page_url: str
    player_url: str


@plugin.sources
def players(_settings: Settings) -> Mapping[str, tuple[str, ...]]:
    """Frames hold these players and nothing else."""
    return {"frame-src": ("https://www.youtube-nocookie.com", "https://player.vimeo.com")}


@lru_cache(maxsize=4_096)
def embedded(url: str) -> Embedded | None:
    """The video that *url* leads to, if it is one of a known provider; raises `LookupError` when
    it is a provider's, and none of a video.
    """
    parts = urlsplit(url)
    find = _FINDERS.get((parts.hostname or "").lower())
    if find is None:
        return None
    found = find(parts)
    if found is None:
        raise LookupError(url)
    return found


def _youtube(parts: SplitResult) -> Embedded | None:
    path = _YOUTUBE_PATH.fullmatch(parts.path)
    id_ = path[1] if path else parse_qs(parts.query).get("v", [""])[0]
    return _of_youtube(id_) if path or parts.path == "/watch" else None


def _short_youtube(parts: SplitResult) -> Embedded | None:
    return _of_youtube(parts.path.strip("/"))


def _of_youtube(id_: str) -> Embedded | None:
    if not _YOUTUBE_ID.fullmatch(id_):
        return None
    return Embedded(
        "YouTube",
        f"https://www.youtube.com/watch?v={id_}",
        f"https://www.youtube-nocookie.com/embed/{id_}?rel=0",
    )


def _vimeo(parts: SplitResult) -> Embedded | None:
    path = _VIMEO_PATH.fullmatch(parts.path)
    if path is None:
        return None
    id_, secret = path[1], path[2] or parse_qs(parts.query).get("h", [""])[0]
    if not re.fullmatch(r"([0-9a-f]{6,20})?", secret):
        return None
    return Embedded(
        "Vimeo",
        f"https://vimeo.com/{id_}{'/' + secret if secret else ''}",
        f"https://player.vimeo.com/video/{id_}?dnt=1{'&h=' + secret if secret else ''}",
    )


_FINDERS: Mapping[str, Callable[[SplitResult], Embedded | None]] = {
    "youtube.com": _youtube,
    "www.youtube.com": _youtube,
    "m.youtube.com": _youtube,
    "music.youtube.com": _youtube,
    "www.youtube-nocookie.com": _youtube,
    "youtu.be": _short_youtube,
    "vimeo.com": _vimeo,
    "www.vimeo.com": _vimeo,
    "player.vimeo.com": _vimeo,
}
