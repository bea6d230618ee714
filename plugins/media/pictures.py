"""Still pictures, JPEG and WebP, taken apart without a decoder and put together again.

What is stored is never what was sent: only the parts that a picture needs, in their places, up to
its end. Whatever else a file can carry (camera data, comments, profiles, animation, a page behind
the end) is left out or refused. Every part is bounded by the file, which is small, and read once.

JPEG: ITU-T T.81, annex B. WebP: RFC 9649, section 2.7.
"""

import struct
from dataclasses import dataclass

from core.languages import gettext as _

MAX_BYTES = 2_000_000
_MIN_PIXELS, _MAX_PIXELS = 16, 4_096

_SOF = {0xC0, 0xC1, 0xC2}
_TABLES = {0xC4, 0xDB, 0xDD}
_LEFT_OUT = {*range(0xE0, 0xF0), 0xFE}
_SOS, _EOI = 0xDA, 0xD9
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_ANIMATED, _ALPHA = 0x02, 0x10


@dataclass(frozen=True)
class Picture:
    """A picture as it may be stored; *suffix* is that of its kind."""

    content: bytes
    suffix: str
    width: int
    height: int


def read_picture(data: bytes) -> Picture:
    """The picture in *data*; raises `ValueError`, in words for people, for anything else."""
    if len(data) > MAX_BYTES:
        raise ValueError(_("A poster has at most 2 MB. Choose a smaller picture."))
    try:
        if data[:3] == b"\xff\xd8\xff":
            picture = _jpeg(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            picture = _webp(data)
        else:
            raise ValueError(_("This is neither a JPEG nor a WebP picture. Choose another one."))
    except (struct.error, IndexError):
        raise _damaged() from None
    if not all(_MIN_PIXELS <= side <= _MAX_PIXELS for side in (picture.width, picture.height)):
        raise ValueError(
            _(
                "A poster has %(min_pixels)s to %(max_pixels)s pixels on each side. This one has "
                "%(width)s × %(height)s.",
                min_pixels=_MIN_PIXELS,
                max_pixels=_MAX_PIXELS,
                width=picture.width,
                height=picture.height,
            )
        )
    return picture


def _damaged() -> ValueError:
    return ValueError(_("This picture is damaged, or of a kind that is not taken. Choose another."))


def _jpeg(data: bytes) -> Picture:
    kept, size, at = [b"\xff\xd8", _JFIF], None, 2
    while data[at + 1] != _EOI:
        if data[at] != 0xFF:
            raise _damaged()
        marker = data[at + 1]
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if length < 2 or end > len(data):
            raise _damaged()
        if marker in _SOF and size is None:
            size = _frame(data[at + 4 : end])
        elif marker == _SOS and size is not None:
            end = _scan_end(data, end)
        elif marker not in _TABLES and marker not in _LEFT_OUT:
            raise _damaged()
        if marker not in _LEFT_OUT:
            kept.append(data[at:end])
        at = end
    if size is None or kept[-1][1] != _SOS:
        raise _damaged()
    return Picture(b"".join([*kept, b"\xff\xd9"]), ".jpg", *size)


def _frame(header: bytes) -> tuple[int, int]:
    """Width and height, out of a frame header of 8 bits a sample, grey or in three colours."""
    bits, height, width, components = struct.unpack_from(">BHHB", header)
    if bits != 8 or components not in (1, 3) or len(header) != 6 + 3 * components:
        raise _damaged()
    return width, height


def _scan_end(data: bytes, at: int) -> int:
    """Where the next marker stands; in a scan, 0xFF is followed by zero or a restart's number."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0:
            raise _damaged()
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2


def _webp(data: bytes) -> Picture:
    chunks = _chunks(data)
    kind = next(iter(chunks), b"")
    if kind == b"VP8X":
        flags = chunks[kind][0]
        if flags & _ANIMATED or (b"VP8 " in chunks) == (b"VP8L" in chunks):
            raise _damaged()
        kind = b"VP8 " if b"VP8 " in chunks else b"VP8L"
    if kind not in (b"VP8 ", b"VP8L"):
        raise _damaged()
    width, height = _lossy(chunks[kind]) if kind == b"VP8 " else _lossless(chunks[kind])
    kept = [_chunk(kind, chunks[kind])]
    if kind == b"VP8 " and b"ALPH" in chunks:
        canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        extended = _chunk(b"VP8X", bytes([_ALPHA, 0, 0, 0]) + canvas)
        kept = [extended, _chunk(b"ALPH", chunks[b"ALPH"]), *kept]
    body = b"WEBP" + b"".join(kept)
    return Picture(b"RIFF" + struct.pack("<I", len(body)) + body, ".webp", width, height)


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of a RIFF file, by their names; a second one of a name is none of a picture."""
    (size,) = struct.unpack_from("<I", data, 4)
    end, at = 8 + size, 12
    if end > len(data):
        raise _damaged()
    found: dict[bytes, bytes] = {}
    while at < end:
        name, length = struct.unpack_from("<4sI", data, at)
        stop = at + 8 + length
        if stop > end or name in found:
            raise _damaged()
        found[name] = data[at + 8 : stop]
        at = stop + length % 2
    return found


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _lossy(frame: bytes) -> tuple[int, int]:
    """Out of a key frame's header (RFC 6386, section 9.1)."""
    if frame[0] & 1 or frame[3:6] != b"\x9d\x01\x2a":
        raise _damaged()
    width, height = struct.unpack_from("<HH", frame, 6)
    return width & 0x3FFF, height & 0x3FFF


def _lossless(stream: bytes) -> tuple[int, int]:
    """Out of the header of a lossless stream (RFC 9649, section 3.4)."""
    (bits,) = struct.unpack_from("<I", stream, 1)
    if stream[0] != 0x2F or bits >> 29:
        raise _damaged()
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
