"""Captions: what is read, what is stored, and how they are served."""

import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from plugins.media.webvtt import MAX_BYTES, read_captions
from tests.conftest import act
from tests.plugins.story import Story, add_videos, on_sqlite, read, refused

HELLO = b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n"
JSON = {"Accept": "application/json"}


def add(client: FlaskClient, media_id: int, content: bytes, language: str = "en") -> TestResponse:
    """Send captions as a browser's form does."""
    data = {"media_id": str(media_id), "language": language, "file": (io.BytesIO(content), "a.vtt")}
    return client.post("/a/media/add-captions", data=data, headers=JSON)


def captions_of(client: FlaskClient, media_id: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(client, f"media/detail/{media_id}")["captions"]
    return found


def test_what_is_stored_is_written_anew() -> None:
    found = read_captions(
        b"\xef\xbb\xbfWEBVTT - a film\r\nKind: captions\r\n\r\n"
        b"STYLE\r\n::cue { color: red }\r\n\r\n"
        b"NOTE <script>\r\n\r\nfirst\r\n00:01.000 --> 00:02.500 align:start onload:1 size:50%\r\n"
        b"<v Ann>Tom &amp; <b.loud>Jerry</b> <script>x</script> 1 < 2\r\n\r\n"
        b"01:00:00.000 --> 01:00:01.000\r\n<00:00:01.000>one\r\n&lt;img&gt;\r\n"
    )

    assert found.cues == 2
    assert found.text == (
        "WEBVTT\n\n"
        "00:00:01.000 --> 00:00:02.500 align:start size:50%\n"
        "<v Ann>Tom &amp; <b.loud>Jerry</b> x 1 &lt; 2\n\n"
        "01:00:00.000 --> 01:00:01.000\n<00:00:01.000>one\n&lt;img&gt;\n"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "This is no WebVTT file"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nHello", "This is no WebVTT file"),
        (b"<html>WEBVTT", "This is no WebVTT file"),
        (b"WEBVTTX\n\n00:01.000 --> 00:02.000\nHello", "This is no WebVTT file"),
        (b"WEBVTT\n\n", "There is no caption in this file."),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\n\xff", "This file is not in UTF-8."),
        (b"WEBVTT\n\n00:01 --> 00:02\nHello", "Line 3 should say when the caption is shown"),
        (b"WEBVTT\n\n00:02.000 --> 00:01.000\nA", "Line 3: the caption ends before it begins."),
        (HELLO + b"\n00:00.500 --> 00:02.000\nB", "Line 6: this begins before the caption above"),
        (HELLO + b"00:03.000 --> 00:04.000\nB", "Line 5: an empty line is missing above"),
        (HELLO + b"x" * 2_001, "Line 5 has more than 2000 characters."),
        (HELLO + b"\n" * MAX_BYTES, "Captions have at most 1 MB."),
    ],
)
def test_what_is_no_caption_file_is_refused_in_words(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        read_captions(data)


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("<<b>script>")
@example("<b <i>>")
@example("&lt;/b&gt;<c.x onload>")
def test_no_text_comes_out_as_anything_but_captions(text: str) -> None:
    line = text.replace("\r", " ").replace("\n", " ").replace("-->", "")[:500]

    stored = read_captions(f"WEBVTT\n\n00:01.000 --> 00:02.000\n.{line}\n".encode()).text

    for tag in stored.split("\n", 3)[3].split("<")[1:]:
        name = tag.strip("/").split(">")[0].split(" ")[0].split(".")[0]
        assert name in {"b", "i", "u", "c", "ruby", "rt", "v", "lang"} or name[:2].isdigit(), stored
    assert read_captions(stored.encode()).text == stored


def test_captions_in_several_languages_stand_wherever_the_video_does(
    story: Story, viewer: FlaskClient
) -> None:
    video = story.chapter("Light")["videos"][-1]
    media_id = video["media_file_id"]
    before = len(captions_of(story.client, media_id))

    for language in ("pt", "zh-Hans"):
        assert add(story.client, media_id, HELLO, language).status_code == 200

    shown = read(viewer, f"chapters/outline/{story.course_id}")[0]["videos"][-1]["captions"]
    assert len(shown) == before + 2
    assert [(each["language"], each["name"]) for each in shown][-2:] == [
        ("pt", "Português"),
        ("zh-Hans", "简体中文"),
    ]
    with viewer.get(shown[-1]["url"]) as served:
        assert served.status_code == 200
        assert served.get_data(as_text=True) == "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHello\n"
        assert served.content_type == "text/vtt; charset=utf-8"
        assert served.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in served.headers["Content-Security-Policy"]


def test_captions_are_replaced_chosen_and_removed(owner: FlaskClient) -> None:
    (media_id,) = add_videos(owner, "Spoken")
    add(owner, media_id, HELLO, "en")
    add(owner, media_id, HELLO, "de")
    first = captions_of(owner, media_id)

    add(owner, media_id, HELLO.replace(b"Hello", b"Goodbye"), "en")
    replaced = captions_of(owner, media_id)
    act(owner, "media/choose-captions", media_id=media_id, language="de")
    chosen = captions_of(owner, media_id)
    act(owner, "media/choose-captions", media_id=media_id, language=None)
    none = captions_of(owner, media_id)
    act(owner, "media/remove-captions", media_id=media_id, language="en")

    assert [(each["language"], each["is_default"]) for each in first] == [
        ("de", False),
        ("en", False),
    ]
    assert replaced[0] == first[0]
    assert replaced[1]["url"] != first[1]["url"]
    assert [each["is_default"] for each in chosen] == [True, False]
    assert [each["is_default"] for each in none] == [False, False]
    assert [each["language"] for each in captions_of(owner, media_id)] == ["de"]
    assert owner.get(first[1]["url"]).status_code == 404
    refused(owner, "media/remove-captions", 404, media_id=media_id, language="en")


@on_sqlite
def test_what_is_refused_is_told_at_its_field(owner: FlaskClient) -> None:
    not_captions = add(owner, 1, b"<script>alert(1)</script>")
    not_a_language = add(owner, 1, HELLO, "../en")

    problem = not_captions.get_json()
    assert not_captions.status_code == 422
    assert problem["errors"]["file"].startswith("This is no WebVTT file")
    assert problem["detail"].endswith("Nothing was saved.")
    assert not_a_language.status_code == 422
    assert not_a_language.get_json()["errors"] == {
        "language": "This is not written as it has to be."
    }


def test_captions_are_seen_and_changed_by_those_who_may(
    story: Story, viewer: FlaskClient, anonymous: FlaskClient
) -> None:
    (unlinked,) = add_videos(story.client, "Nobody's")
    linked = story.chapter("Light")["videos"][0]["media_file_id"]
    add(story.client, unlinked, HELLO)

    assert viewer.get(f"/media/{unlinked}/captions/en", headers=JSON).status_code == 404
    assert anonymous.get(f"/media/{unlinked}/captions/en", headers=JSON).status_code == 401
    assert add(viewer, linked, HELLO).status_code == 403
