"""Posters: what counts as a picture, what is stored of it, and how a video gets one."""

import io
import struct
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from core import Settings
from plugins.media.pictures import MAX_BYTES, read_picture
from tests.conftest import act
from tests.plugins.story import on_sqlite, react, read

DEMO = Path(__file__).parents[2] / "plugins" / "media" / "demo"
WEBP = (DEMO / "white-balance.webp").read_bytes()
JSON = {"Accept": "application/json"}


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


FRAME = struct.pack(">BHHB", 8, 360, 640, 1) + b"\x01\x11\x00"
SCAN = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x12\xff\x00\x34\xff\xd0\x56"
BODY = segment(0xDB, bytes(65)) + segment(0xC0, FRAME) + segment(0xC4, bytes(20)) + SCAN
JPEG = b"\xff\xd8" + BODY + b"\xff\xd9"


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


LOSSY = WEBP[20 : 20 + struct.unpack_from("<I", WEBP, 16)[0]]


def test_a_jpeg_keeps_what_a_picture_needs_and_loses_the_rest() -> None:
    script = b"<script>alert(1)</script>"

    found = read_picture(
        b"\xff\xd8"
        + segment(0xE1, b"Exif\0\0" + script)
        + segment(0xFE, script)
        + BODY
        + b"\xff\xd9"
        + script
    )

    assert (found.suffix, found.width, found.height) == (".jpg", 640, 360)
    assert script not in found.content
    assert found.content.endswith(BODY + b"\xff\xd9")
    assert read_picture(found.content) == found


def test_a_webp_keeps_its_picture_and_its_transparency_alone() -> None:
    header = bytes([0x3C, 0, 0, 0]) + (639).to_bytes(3, "little") + (359).to_bytes(3, "little")
    extended = [chunk(b"VP8X", header), chunk(b"ICCP", b"<html>"), chunk(b"ALPH", b"\x00abc")]

    plain = read_picture(WEBP + b"<html>")
    found = read_picture(riff(*extended, chunk(b"VP8 ", LOSSY), chunk(b"EXIF", b"<html>")))

    assert (plain.suffix, plain.width, plain.height) == (".webp", 640, 360)
    assert plain.content == riff(chunk(b"VP8 ", LOSSY))
    assert b"<html>" not in found.content
    assert b"ALPH" in found.content
    assert read_picture(found.content) == found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        b"\xff\xd8\xff\xd9",
        JPEG[:-30],
        b"\xff\xd8" + segment(0xC0, FRAME) + b"\xff\xd9",
        b"\xff\xd8" + SCAN + b"\xff\xd9",
        JPEG.replace(FRAME, struct.pack(">BHHB", 8, 9000, 640, 1) + FRAME[6:]),
        JPEG.replace(FRAME, struct.pack(">BHHB", 8, 0, 640, 1) + FRAME[6:]),
        JPEG.replace(FRAME, struct.pack(">BHHB", 12, 360, 640, 1) + FRAME[6:]),
        b"\xff\xd8" + segment(0xC9, FRAME) + JPEG[2:],
        b"\xff\xd8\xff\xe0\xff\xff" + JPEG[2:],
        riff(),
        riff(chunk(b"VP8 ", b"\x01" + LOSSY[1:])),
        riff(chunk(b"VP8 ", LOSSY), chunk(b"VP8 ", LOSSY)),
        riff(chunk(b"VP8X", b"\x02" + bytes(9)), chunk(b"ANIM", bytes(6)), chunk(b"VP8 ", LOSSY)),
        WEBP[:-9],
        WEBP + bytes(MAX_BYTES),
    ],
)
def test_what_is_no_still_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"[.]$"):
        read_picture(data)


@given(st.binary(max_size=300), st.integers(0, 200), st.sampled_from([JPEG, WEBP]))
def test_whatever_comes_is_a_picture_or_refused(junk: bytes, at: int, whole: bytes) -> None:
    data = whole[:at] + junk + whole[at + len(junk) :]

    try:
        found = read_picture(data)
    except ValueError:
        return

    assert read_picture(found.content) == found


def test_a_video_gets_another_poster_and_loses_the_one_before(
    app: Flask, owner: FlaskClient, settings: Settings
) -> None:
    before = read(owner, "media/detail/1")["poster_url"]
    files = {path.name for path in settings.upload_dir.iterdir()}

    sent = owner.post(
        "/a/media/set-poster",
        data={"media_id": "1", "file": (io.BytesIO(JPEG), "p.webp")},
        headers=JSON,
    )

    react(app)
    after = read(owner, "media/detail/1")["poster_url"]
    assert sent.status_code == 200, sent.get_json()
    assert after != before
    with owner.get(after) as served:
        assert served.content_type == "image/jpeg"
        assert served.data == read_picture(JPEG).content
    now = {path.name for path in settings.upload_dir.iterdir()}
    assert (len(now - files), len(files - now)) == (1, 1)


@on_sqlite
def test_what_is_no_poster_is_told_at_its_field(owner: FlaskClient) -> None:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"

    refusal = owner.post(
        "/a/media/set-poster",
        data={"media_id": "1", "file": (io.BytesIO(svg), "p.svg")},
        headers=JSON,
    )

    assert refusal.status_code == 422
    assert refusal.get_json()["errors"] == {
        "file": "This is neither a JPEG nor a WebP picture. Choose another one."
    }


def test_the_poster_of_an_upload_comes_with_its_file(
    app: Flask, owner: FlaskClient, editor: FlaskClient, settings: Settings
) -> None:
    mp3 = (b"\xff\xfb\x90\x00" + bytes(413)) * 3
    start = {"name": "a.mp3", "size_bytes": len(mp3), "duration_s": 12.5, "again": True}
    ticket = act(owner, "media/start-upload", **start)["result"]
    url = f"/media/uploads/{ticket['upload_id']}"

    refusals = [
        owner.put(f"{url}/poster", data=b"<svg/>", headers=JSON).status_code,
        owner.put(f"{url}/poster", data=bytes(MAX_BYTES + 1), headers=JSON).status_code,
        editor.put(f"{url}/poster", data=WEBP, headers=JSON).status_code,
    ]
    accepted = [owner.put(f"{url}/poster", data=each).status_code for each in (WEBP, JPEG)]
    owner.put(f"{url}/parts/0", data=mp3)
    outcome = act(owner, "media/complete-upload", upload_id=ticket["upload_id"])["result"]
    late = owner.put(f"{url}/poster", data=WEBP, headers=JSON).status_code

    media = outcome["media"]
    assert refusals == [422, 413, 404]
    assert accepted == [204, 204]
    assert (media["duration_s"], media["kind"], late) == (12.5, "audio", 409)
    react(app)
    with owner.get(media["poster_url"]) as served:
        assert served.data == read_picture(WEBP).content


def test_the_poster_of_an_upload_that_ends_goes_with_it(
    app: Flask, owner: FlaskClient, settings: Settings
) -> None:
    before = {path.name for path in settings.upload_dir.iterdir()}
    ticket = act(owner, "media/start-upload", name="a.mp4", size_bytes=10)["result"]
    owner.put(f"/media/uploads/{ticket['upload_id']}/poster", data=WEBP)

    act(owner, "media/cancel-upload", upload_id=ticket["upload_id"])
    react(app)

    after = {path.name for path in settings.upload_dir.iterdir()}
    assert after - {"pending"} == before - {"pending"}
