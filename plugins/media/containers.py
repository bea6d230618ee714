"""What a media file says about itself, read without a decoder.

Only headers are read, by seeking, and never more than a bounded number of them: FFmpeg and its
kind follow references out of a file, which makes opening an upload with them an attack surface.

MP4: ISO/IEC 14496-12 (boxes). WebM: RFC 8794 (EBML) and RFC 9559 (Matroska). MP3: ISO/IEC 11172-3
(frame headers), with or without ID3v2 (id3.org, "ID3v2.4.0 main structure") before it.
"""

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import IO, Literal, TypeAlias

_MAX_ELEMENTS = 2_000
_MAX_PIXELS = 65_535
_MAX_SECONDS = 1_000_000

_NOT_VIDEO = {b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"}
_SOUND = {b"M4A ", b"M4B "}

_MP3_KBITS = (
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
)
"""Layer III, by its four bits: MPEG-2 and 2.5, then MPEG-1. Zero: not allowed here."""

_EBML, _DOC_TYPE, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x4282, 0x18538067, 0x1F43B675
_INFO, _TIMESTAMP_SCALE, _DURATION = 0x1549A966, 0x2AD7B1, 0x4489
_TRACKS, _TRACK, _VIDEO, _WIDTH, _HEIGHT = 0x1654AE6B, 0xAE, 0xE0, 0xB0, 0xBA


@dataclass(frozen=True)
class Container:
    """The type of a media file, and what its header tells."""

    mime_type: str
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None

    @property
    def kind(self) -> Literal["video", "audio"]:
        """What it is to people."""
        return "audio" if self.mime_type.startswith("audio/") else "video"


def read_container(file: IO[bytes]) -> Container | None:
    """What *file* is, by its first bytes; ``None`` for anything but MP4, WebM, M4A and MP3.

    Seeks in *file*. A header that is damaged further on costs the details, not the type.
    """
    file.seek(0)
    head = file.read(12)
    if head[4:8] == b"ftyp" and len(head) == 12 and head[8:] not in _NOT_VIDEO:
        kind = "video/quicktime" if head[8:] == b"qt  " else "video/mp4"
        kind = "audio/mp4" if head[8:] in _SOUND else kind
        return _detailed(Container(kind), _Headers(file, _box), _mp4)
    headers = _Headers(file, _ebml_element)
    if head[:4] == _EBML.to_bytes(4, "big") and _doc_type(headers) == b"webm":
        return _detailed(Container("video/webm"), headers, _webm)
    return Container("audio/mpeg") if _is_mp3(file) else None


@dataclass(frozen=True)
class _Element:
    """An MP4 box or an EBML element: what it is, and where its content lies."""

    id: int | bytes
    start: int
    end: int


class _DamagedError(Exception):
    """The file does not keep to its format, or is cut off."""


_ReadElement: TypeAlias = Callable[["_Headers", int, int], _Element]


@dataclass
class _Headers:
    """The elements of one file; it gives up after so many of them."""

    file: IO[bytes]
    read_element: _ReadElement
    size: int = field(init=False)
    left: int = _MAX_ELEMENTS

    def __post_init__(self) -> None:
        self.size = self.file.seek(0, 2)

    def top(self) -> Iterator[_Element]:
        """The outermost elements."""
        return self._between(0, self.size)

    def inside(self, element: _Element) -> Iterator[_Element]:
        """The elements directly in *element*."""
        return self._between(element.start, element.end)

    def bytes_at(self, start: int, count: int) -> bytes:
        """Exactly *count* bytes."""
        self.file.seek(start)
        data = self.file.read(count)
        if len(data) < count:
            raise _DamagedError
        return data

    def content(self, element: _Element, max_bytes: int = 64) -> bytes:
        """The content of a small element."""
        return self.bytes_at(element.start, min(element.end - element.start, max_bytes))

    def _between(self, start: int, end: int) -> Iterator[_Element]:
        while start < end:
            self.left -= 1
            if self.left < 0:
                raise _DamagedError
            element = self.read_element(self, start, end)
            yield element
            start = element.end


def _detailed(
    kind: Container, headers: _Headers, details: Callable[[Container, _Headers], Container]
) -> Container:
    try:
        return details(kind, headers)
    except (_DamagedError, struct.error):
        return kind


def _box(headers: _Headers, start: int, end: int) -> _Element:
    size, name = struct.unpack(">I4s", headers.bytes_at(start, 8))
    content = start + 8
    if size == 1:
        (size,) = struct.unpack(">Q", headers.bytes_at(content, 8))
        content += 8
    stop = end if size == 0 else start + size
    if not content <= stop <= end:
        raise _DamagedError
    return _Element(name, content, stop)


def _mp4(found: Container, headers: _Headers) -> Container:
    for box in headers.top():
        if box.id == b"moov":
            for part in headers.inside(box):
                if part.id == b"mvhd":
                    found = replace(found, duration_s=_mp4_duration(headers.content(part)))
                elif part.id == b"trak" and found.width is None:
                    found = _mp4_track(found, headers, part)
            break
    return found


def _mp4_duration(header: bytes) -> float | None:
    # Version 1 has 64-bit times, version 0 has 32-bit ones.
    layout, offset = (">IQ", 20) if header[:1] == b"\x01" else (">II", 12)
    timescale, duration = struct.unpack_from(layout, header, offset)
    return _seconds(duration / timescale) if timescale else None


def _mp4_track(found: Container, headers: _Headers, track: _Element) -> Container:
    for part in headers.inside(track):
        if part.id == b"tkhd" and part.end - part.start >= 8:
            # The last two fields, in 16.16 fixed point; zero for sound.
            width, height = struct.unpack(">HxxHxx", headers.bytes_at(part.end - 8, 8))
            return _with_size(found, width, height)
    return found


def _ebml_element(headers: _Headers, start: int, end: int) -> _Element:
    id_bytes, id_ = _vint(headers, start, marker=True)
    size_bytes, size = _vint(headers, start + id_bytes, marker=False)
    content = start + id_bytes + size_bytes
    unknown = size == (1 << (7 * size_bytes)) - 1
    stop = end if unknown else min(content + size, end)
    if content > end:
        raise _DamagedError
    return _Element(id_, content, stop)


def _vint(headers: _Headers, start: int, *, marker: bool) -> tuple[int, int]:
    """A number whose first set bit tells its length; ids keep that bit, sizes do not."""
    first = headers.bytes_at(start, 1)[0]
    length = 9 - first.bit_length()
    if length > 8:
        raise _DamagedError
    value = int.from_bytes(headers.bytes_at(start, length), "big")
    return length, value if marker else value & ((1 << (7 * length)) - 1)


def _doc_type(headers: _Headers) -> bytes | None:
    try:
        for part in headers.inside(next(headers.top())):
            if part.id == _DOC_TYPE:
                return headers.content(part).rstrip(b"\0")
    except _DamagedError:
        return None
    return None


def _webm(found: Container, headers: _Headers) -> Container:
    for element in headers.top():
        if element.id == _SEGMENT:
            for part in headers.inside(element):
                if part.id == _INFO:
                    found = replace(found, duration_s=_webm_duration(headers, part))
                elif part.id == _TRACKS:
                    found = _webm_tracks(found, headers, part)
                elif part.id == _CLUSTER:
                    break
            break
    return found


def _webm_duration(headers: _Headers, info: _Element) -> float | None:
    scale_ns, duration = 1_000_000, math.nan
    for part in headers.inside(info):
        data = headers.content(part)
        if part.id == _TIMESTAMP_SCALE:
            scale_ns = int.from_bytes(data, "big")
        elif part.id == _DURATION and len(data) in (4, 8):
            (duration,) = struct.unpack(">f" if len(data) == 4 else ">d", data)
    return _seconds(duration * scale_ns / 1e9)


def _webm_tracks(found: Container, headers: _Headers, tracks: _Element) -> Container:
    for track in headers.inside(tracks):
        for part in headers.inside(track) if track.id == _TRACK else ():
            if part.id == _VIDEO:
                sizes = {
                    field.id: int.from_bytes(headers.content(field), "big")
                    for field in headers.inside(part)
                }
                return _with_size(found, sizes.get(_WIDTH, 0), sizes.get(_HEIGHT, 0))
    return found


def _is_mp3(file: IO[bytes]) -> bool:
    """Whether two frames of MPEG audio, layer III, follow each other where the sound begins.

    One frame header is eleven bits and a few more: too little to tell it from chance.
    """
    file.seek(0)
    head = file.read(10)
    start = 0
    if head[:3] == b"ID3" and len(head) == 10 and max(head[6:]) < 0x80:
        start = 10 + sum(
            byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)
        )
        start += 10 if head[5] & 0x10 else 0  # a footer
    for _ in range(2):
        file.seek(start)
        length = _mp3_frame_bytes(file.read(4))
        if length is None:
            return False
        start += length
    return True


def _mp3_frame_bytes(header: bytes) -> int | None:
    """How long the frame with this header is; ``None`` for what is no layer III header."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, padding = header[1] >> 3 & 3, header[2] >> 1 & 1
    kbits = _MP3_KBITS[version == 3][header[2] >> 4]
    rate_index = header[2] >> 2 & 3
    if version == 1 or rate_index == 3 or not kbits:
        return None
    rate = (44_100, 48_000, 32_000)[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    return (144 if version == 3 else 72) * kbits * 1000 // rate + padding


def _seconds(value: float) -> float | None:
    return round(value, 3) if 0 < value < _MAX_SECONDS else None


def _with_size(found: Container, width: int, height: int) -> Container:
    if 0 < width <= _MAX_PIXELS and 0 < height <= _MAX_PIXELS:
        return replace(found, width=width, height=height)
    return found
