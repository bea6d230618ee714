"""What a video file says about itself, also when it lies."""

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.media.containers import Container, read_container

DEMO = Path(__file__).parents[2] / "plugins" / "media" / "demo"
WEBM = (DEMO / "rule-of-thirds.webm").read_bytes()
MP4 = (DEMO / "choosing-a-lens.mp4").read_bytes()


class CountingFile(io.BytesIO):
    """Counts what is read of it."""

    bytes_read = 0
    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.bytes_read += len(data)
        self.reads += 1
        return data


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def element(id_: int, content: bytes, size: int | None = None) -> bytes:
    head = id_.to_bytes((id_.bit_length() + 7) // 8, "big")
    return (
        head + ((1 << 56) | (len(content) if size is None else size)).to_bytes(8, "big") + content
    )


def mp4(*boxes: bytes, brand: bytes = b"isom") -> io.BytesIO:
    return io.BytesIO(box(b"ftyp", brand + bytes(4)) + b"".join(boxes))


def webm(*elements: bytes, unknown_size: bool = False) -> io.BytesIO:
    head = element(0x1A45DFA3, element(0x4282, b"webm"))
    size = (1 << 56) - 1 if unknown_size else None
    return io.BytesIO(head + element(0x18538067, b"".join(elements), size))


def test_the_details_of_real_films_are_read() -> None:
    assert read_container(io.BytesIO(WEBM)) == Container("video/webm", 4.008, 640, 360)
    assert read_container(io.BytesIO(MP4)) == Container("video/mp4", 5.0, 640, 360)


@pytest.mark.parametrize("version", [0, 1])
def test_an_mp4_tells_its_length_in_32_or_64_bits(version: int) -> None:
    layout = ">B3xIIII" if version == 0 else ">B3xQQIQ"
    header = struct.pack(layout, version, 0, 0, 1000, 61_500)

    found = read_container(mp4(box(b"free", b"x"), box(b"moov", box(b"mvhd", header + bytes(80)))))

    assert found == Container("video/mp4", 61.5)


def test_a_box_may_have_a_64_bit_size_or_reach_to_the_end() -> None:
    header = box(b"mvhd", struct.pack(">B3xIIII", 0, 0, 0, 1, 7) + bytes(80))
    long_box = struct.pack(">I4sQ", 1, b"free", 16 + 5) + b"12345"
    last = struct.pack(">I4s", 0, b"moov") + header

    assert read_container(mp4(long_box, last)) == Container("video/mp4", 7.0)


def test_sound_has_no_size_and_the_picture_does() -> None:
    sound = box(b"trak", box(b"tkhd", bytes(84)))
    picture = box(b"trak", box(b"tkhd", bytes(76) + struct.pack(">HHHH", 1920, 0, 1080, 0)))

    found = read_container(mp4(box(b"moov", sound + picture)))

    assert found == Container("video/mp4", None, 1920, 1080)


def test_a_webm_of_unknown_size_is_read_up_to_its_first_cluster() -> None:
    info = element(
        0x1549A966, element(0x2AD7B1, b"\x0f\x42\x40") + element(0x4489, struct.pack(">f", 2500))
    )
    cluster = element(0x1F43B675, bytes(10), (1 << 56) - 1)

    found = read_container(webm(info, cluster, unknown_size=True))

    assert found == Container("video/webm", 2.5)


@pytest.mark.parametrize("duration", [float("nan"), float("inf"), float("-inf"), -1.0, 0.0, 1e300])
def test_a_length_that_cannot_be_is_not_told(duration: float) -> None:
    info = element(0x1549A966, element(0x4489, struct.pack(">d", duration)))

    assert read_container(webm(info)) == Container("video/webm")


def test_a_timescale_of_zero_is_no_division_by_zero() -> None:
    header = struct.pack(">B3xIIII", 0, 0, 0, 0, 7)

    assert read_container(mp4(box(b"moov", box(b"mvhd", header)))) == Container("video/mp4")


@pytest.mark.parametrize(
    ("brand", "mime_type"),
    [(b"qt  ", "video/quicktime"), (b"mp42", "video/mp4"), (b"avif", None), (b"M4A ", "audio/mp4")],
)
def test_the_brand_tells_films_from_pictures_and_sound(brand: bytes, mime_type: str | None) -> None:
    found = read_container(mp4(brand=brand))

    assert (found.mime_type if found else None) == mime_type


def test_a_file_of_endless_headers_is_given_up() -> None:
    boxes = CountingFile(mp4(*[box(b"free", b"")] * 100_000).getvalue())
    elements = CountingFile(webm(*[element(0xEC, b"")] * 100_000).getvalue())

    assert read_container(boxes) == Container("video/mp4")
    assert read_container(elements) == Container("video/webm")
    assert max(boxes.reads, elements.reads) < 20_000


@given(st.data())
def test_damage_never_raises_and_never_reads_it_all(data: st.DataObject) -> None:
    film = bytearray(data.draw(st.sampled_from([MP4, WEBM])))
    for _ in range(data.draw(st.integers(0, 8))):
        film[data.draw(st.integers(0, min(3000, len(film) - 1)))] = data.draw(st.integers(0, 255))
    file = CountingFile(bytes(film[: data.draw(st.integers(0, len(film)))]))

    found = read_container(file)

    assert file.bytes_read < 100_000
    if found is not None:
        assert found.mime_type in ("video/mp4", "video/webm", "video/quicktime")
        assert found.duration_s is None or 0 < found.duration_s < 10**6
        assert (found.width is None) == (found.height is None)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_film_or_none(content: bytes) -> None:
    for head in (b"", b"\x00\x00\x00\x18ftypisom", element(0x1A45DFA3, element(0x4282, b"webm"))):
        read_container(io.BytesIO(head + content))
