"""What somebody may try with a file: on the way in, and when it is asked for."""

import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from core import Settings
from tests.plugins.story import on_sqlite, read
from tests.plugins.test_media import WEBM, stored, upload

pytestmark = on_sqlite

SCRIPT = b"/*\x00\x20ftypisom*/ window.ran = true; //"
"""An MP4 by its first bytes, and a script by all of them."""
PAGE = WEBM + b"<!doctype html><script>window.ran = true</script>"


class Endless(io.RawIOBase):
    """A body without an end, which counts what was read of it."""

    read_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.read_bytes += len(buffer)
        buffer[:] = bytes(len(buffer))
        return len(buffer)


@pytest.mark.parametrize("count", [2, 1_000])
def test_many_ranges_in_one_request_are_not_answered_one_by_one(
    owner: FlaskClient, count: int
) -> None:
    url = read(owner, "media/detail/1")["video_url"]
    with owner.get(url) as whole:
        content = whole.data

    with owner.get(url, headers={"Range": f"bytes={','.join(['0-'] * count)}"}) as answer:
        assert answer.status_code in (200, 416)
        assert len(answer.data) <= len(content)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=9999999999999999999999-", 416),
        ("bytes=5-3", 416),
        ("bytes=-0", 416),
        ("bytes=0-99999999999999999999", 206),
        ("lines=0-5", 416),
        ("bytes=" + "9" * 5_000 + "-", 416),
        ("bytes=\N{ARABIC-INDIC DIGIT ONE}-", 416),
    ],
)
def test_a_range_that_makes_no_sense_gives_no_more_than_the_file(
    owner: FlaskClient, asked: str, status: int
) -> None:
    url = read(owner, "media/detail/1")["video_url"]

    with owner.get(url, headers={"Range": asked}) as answer:
        assert answer.status_code == status
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_form_that_is_too_large_is_refused_and_leaves_nothing(
    owner: FlaskClient, settings: Settings
) -> None:
    before = stored(settings)

    body = owner.post(
        "/a/media/upload",
        data=b"",
        headers={"Content-Type": "multipart/form-data; boundary=x", "Accept": "application/json"},
        environ_overrides={"CONTENT_LENGTH": str(settings.max_upload_bytes * 2)},
    )

    assert body.status_code == 413
    assert stored(settings) == before


def test_a_form_without_an_end_is_read_no_further_than_a_file_may_be_large(
    owner: FlaskClient, settings: Settings
) -> None:
    before, body = stored(settings), Endless()

    answer = owner.post(
        "/a/media/upload",
        headers={"Content-Type": "multipart/form-data; boundary=x", "Accept": "application/json"},
        environ_overrides={"wsgi.input": body, "wsgi.input_terminated": False},
    )

    assert 400 <= answer.status_code < 500
    assert body.read_bytes <= settings.max_upload_bytes
    assert stored(settings) == before


@pytest.mark.parametrize("content", [SCRIPT, PAGE])
def test_a_script_or_page_in_the_shape_of_a_video_is_served_as_a_video_in_a_sandbox(
    owner: FlaskClient, content: bytes
) -> None:
    answer = upload(owner, content, "lesson.html")

    video = answer.get_json()["result"]
    assert video["mime_type"] in ("video/mp4", "video/webm")
    with owner.get(video["video_url"], headers={"Accept": "text/html"}) as served:
        assert served.data == content
        assert served.content_type == video["mime_type"]
        assert served.headers["X-Content-Type-Options"] == "nosniff"
        assert served.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        policy = served.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "sandbox"} <= set(policy)


@pytest.mark.parametrize(
    "name",
    [
        "../../../../tmp/x.webm",
        "/etc/cron.d/x.webm",
        "..\\..\\x.webm",
        "CON.webm",
        "x.webm\x00.html",
        "x%0d%0aSet-Cookie: a=b.webm",
        "\u202ebewm.exe.webm",
        "x" * 5_000 + ".webm",
    ],
)
def test_a_form_with_a_strange_name_writes_only_under_a_name_of_ours(
    owner: FlaskClient, settings: Settings, name: str
) -> None:
    before = stored(settings)
    elsewhere = set(Path(tempfile.gettempdir()).glob("x*"))

    answer = upload(owner, WEBM, name)

    assert answer.status_code == 200, answer.text
    title = answer.get_json()["result"]["title"]
    assert not any(ord(letter) < 32 or letter in "/\u202e" for letter in title)
    assert len(title) <= 200
    (new,) = stored(settings) - before
    assert len(new) == 32
    assert set(Path(tempfile.gettempdir()).glob("x*")) == elsewhere
    with owner.get(answer.get_json()["result"]["video_url"]) as served:
        assert "\n" not in served.headers["Content-Disposition"]
        assert "Set-Cookie" not in served.headers


@pytest.mark.parametrize(
    "path",
    [
        "/media/../1/file",
        "/media/1%2f..%2f..%2fetc%2fpasswd/file",
        "/media/%00/file",
        "/media/-1/file",
        "/media/1/file/../../../core/settings.py",
        "/static/../core/settings.py",
        "/static/%2e%2e/settings.py",
    ],
)
def test_no_address_leads_out_of_what_is_served(owner: FlaskClient, path: str) -> None:
    with owner.get(path, headers={"Accept": "application/json"}) as answer:
        assert answer.status_code in (400, 404)


def test_a_form_whose_file_name_breaks_its_line_is_refused(
    owner: FlaskClient, settings: Settings
) -> None:
    before = stored(settings)

    assert upload(owner, WEBM, "x\r\nSet-Cookie: a=b.webm").status_code == 422
    assert stored(settings) == before
