"""The library: uploads, addresses elsewhere, search, and what is served."""

import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core import Settings
from tests.conftest import act
from tests.plugins.story import Story, add_videos, on_sqlite, react, read, refused

DEMO = Path(__file__).parents[2] / "plugins" / "media" / "demo"
WEBM = (DEMO / "rule-of-thirds.webm").read_bytes()
MP4 = (DEMO / "choosing-a-lens.mp4").read_bytes()
JSON = {"Accept": "application/json"}


def upload(client: FlaskClient, content: bytes, name: str, **fields: str) -> TestResponse:
    """Send a file as a browser's form does."""
    data = {"file": (io.BytesIO(content), name), **fields}
    return client.post("/a/media/upload", data=data, headers=JSON)


def stored(settings: Settings) -> set[str]:
    """The names of the files in the storage."""
    return {path.name for path in settings.upload_dir.iterdir()}


@pytest.mark.parametrize(
    ("content", "name", "mime_type", "duration_s"),
    [(WEBM, "thirds.webm", "video/webm", 4.008), (MP4, "lens.mp4", "video/mp4", 5.0)],
)
def test_an_upload_is_known_by_its_content_and_played(
    owner: FlaskClient, content: bytes, name: str, mime_type: str, duration_s: float
) -> None:
    response = upload(owner, content, name.replace(".", ".not-"))

    body = response.get_json()
    assert response.status_code == 200, body
    video = body["result"]
    assert body["message"] == f"“{video['title']}” was added to the library."
    assert video | {"media_file_id": 0, "video_url": "", "title": ""} == {
        "media_file_id": 0,
        "title": "",
        "video_url": "",
        "kind": "video",
        "source": "upload",
        "mime_type": mime_type,
        "duration_s": duration_s,
        "size_bytes": len(content),
        "poster_url": None,
        "status": "ready",
        "use_count": 0,
        "url": None,
        "width": 640,
        "height": 360,
    }
    with owner.get(video["video_url"]) as served:
        assert served.data == content
        assert served.content_type == mime_type


@on_sqlite
@pytest.mark.parametrize(
    ("name", "fields", "title"),
    [
        ("holiday.webm", {}, "holiday"),
        ("films/beach.day.webm", {"title": ""}, "beach.day"),
        ("../../etc/passwd.webm", {}, "passwd"),
        (".webm", {}, ".webm"),
        ("x.webm", {"title": " My\n film "}, "My film"),
    ],
)
def test_a_title_is_taken_from_the_file_when_none_is_given(
    owner: FlaskClient, name: str, fields: dict[str, str], title: str
) -> None:
    response = upload(owner, WEBM, name, **fields)

    assert response.get_json()["result"]["title"] == title


@on_sqlite
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"<html><script>alert(1)</script>",
        b"\x00\x00\x00\x1cftypavif" + bytes(40),
        b"\x1a\x45\xdf\xa3\x8a\x42\x82\x88matroska",
        b"\x1a\x45\xdf\xa3",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1",
    ],
)
def test_what_is_no_video_is_refused_and_not_stored(
    owner: FlaskClient, settings: Settings, content: bytes
) -> None:
    before = stored(settings)

    response = upload(owner, content, "film.mp4")

    problem = response.get_json()
    assert response.status_code == 422
    assert problem["detail"] == (
        "“film.mp4” is neither an MP4 nor a WebM video. Nothing was stored."
    )
    assert problem["errors"] == {"file": "Choose an MP4 or WebM file."}
    assert stored(settings) == before


@on_sqlite
def test_an_upload_without_a_file_says_so(owner: FlaskClient) -> None:
    response = owner.post(
        "/a/media/upload",
        data={"title": "x"},
        headers=JSON,
        content_type="multipart/form-data",
    )

    assert response.status_code == 422
    assert response.get_json()["errors"] == {"file": "Choose a file."}


def test_a_rolled_back_upload_leaves_no_file(
    app: Flask, owner: FlaskClient, settings: Settings
) -> None:
    from core import transaction
    from plugins.media import storage

    before = stored(settings)

    def break_off() -> None:
        with transaction():
            storage.store(io.BytesIO(WEBM))
            assert len(stored(settings)) == len(before) + 1
            raise RuntimeError("the database went away")

    with app.app_context(), pytest.raises(RuntimeError):
        break_off()

    assert stored(settings) == before


@on_sqlite
def test_a_copy_that_breaks_off_leaves_no_part(app: Flask, settings: Settings) -> None:
    from core import transaction
    from plugins.media import storage

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 0:
                raise OSError("the connection was cut")
            return super().read(4)

    before = stored(settings)

    def break_off() -> None:
        with transaction():
            storage.store(Broken(WEBM))

    with app.app_context(), pytest.raises(OSError, match="cut"):
        break_off()

    assert stored(settings) == before


@pytest.mark.parametrize(
    ("url", "mime_type"),
    [
        ("https://video.test/films/One.MP4?x=1#t=3", "video/mp4"),
        ("http://video.test/one.webm", "video/webm"),
        ("https://video.test/one", None),
        ("https://video.test", None),
        ("https://bücher.test/one", None),
    ],
)
def test_a_video_elsewhere_is_reached_by_a_redirect(
    owner: FlaskClient, url: str, mime_type: str | None
) -> None:
    video = act(owner, "media/add-url", title="Elsewhere", url=url)["result"]

    response = owner.get(video["video_url"])

    assert (video["source"], video["mime_type"]) == ("url", mime_type)
    assert response.status_code == 302
    assert response.location.lower().startswith(url[:8])
    assert response.headers["Cache-Control"] == "private, no-cache"


@on_sqlite
@pytest.mark.parametrize(
    "url",
    [
        "",
        "video.test/one.mp4",
        "ftp://video.test/one.mp4",
        "javascript:alert(1)",
        "data:video/mp4;base64,AAAA",
        "file:///etc/passwd",
        "https://",
        "//video.test/one.mp4",
        "https://video.test/" + "x" * 2000,
    ],
)
def test_what_is_no_address_of_the_web_is_refused(owner: FlaskClient, url: str) -> None:
    problem = refused(owner, "media/add-url", 422, title="Elsewhere", url=url)

    assert problem["errors"] == {"url": "Enter an address that starts with https:// or http://."}


@on_sqlite
def test_an_address_with_a_password_is_refused(owner: FlaskClient) -> None:
    problem = refused(
        owner, "media/add-url", 422, title="Elsewhere", url="https://me:secret@video.test/one.mp4"
    )

    assert problem["errors"] == {"url": "Enter an address without a user name and password."}


@on_sqlite
def test_a_video_is_served_safely_and_in_ranges(owner: FlaskClient) -> None:
    url = read(owner, "media/detail/1")["video_url"]

    with owner.get(url) as whole:
        assert whole.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in whole.headers["Content-Security-Policy"]
        assert whole.headers["Cache-Control"] == "private, no-cache"
        assert whole.headers["Accept-Ranges"] == "bytes"
        tag, content = whole.headers["ETag"], whole.data
    with owner.get(url, headers={"Range": "bytes=5-9"}) as part:
        assert (part.status_code, part.data) == (206, content[5:10])
        assert part.headers["Content-Range"] == f"bytes 5-9/{len(content)}"
    with owner.get(url, headers={"Range": "bytes=-3"}) as end:
        assert (end.status_code, end.data) == (206, content[-3:])
    with owner.get(url, headers={"Range": f"bytes={len(content)}-"}) as beyond:
        assert beyond.status_code == 416
    with owner.get(url, headers={"If-None-Match": tag}) as again:
        assert (again.status_code, again.data) == (304, b"")


@on_sqlite
def test_a_poster_is_served_as_the_picture_it_is(owner: FlaskClient) -> None:
    url = read(owner, "media/detail/1")["poster_url"]

    with owner.get(url) as poster:
        assert poster.status_code == 200
        assert poster.content_type == "image/webp"
        assert poster.headers["X-Content-Type-Options"] == "nosniff"


def test_a_video_without_a_poster_has_no_address_for_one(owner: FlaskClient) -> None:
    (media_id,) = add_videos(owner, "Elsewhere")

    assert read(owner, f"media/detail/{media_id}")["poster_url"] is None
    assert owner.get(f"/media/{media_id}/poster").status_code == 404


@on_sqlite
def test_a_file_lost_from_the_disk_says_so(owner: FlaskClient, settings: Settings) -> None:
    for path in settings.upload_dir.iterdir():
        path.unlink()

    response = owner.get("/media/1/file", headers=JSON)

    assert response.status_code == 404
    assert response.get_json()["detail"] == (
        "The file of this video is missing on the server. Upload the video again."
    )


@on_sqlite
@pytest.mark.parametrize("title", ["Crème brûlée «Ü» ☀️", 'a"b\\c', "x; y", "אבג"])
def test_a_title_of_any_letters_can_be_served(owner: FlaskClient, title: str) -> None:
    media_id = upload(owner, WEBM, "x.webm", title=title).get_json()["result"]["media_file_id"]

    with owner.get(f"/media/{media_id}/file") as served:
        assert served.status_code == 200


def test_viewers_see_the_videos_of_their_courses_and_no_others(
    story: Story, viewer: FlaskClient
) -> None:
    linked = story.chapter("Light")["videos"][0]["media_file_id"]
    (unlinked,) = add_videos(story.client, "Nobody's")

    with viewer.get(f"/media/{linked}/file") as served:
        assert served.status_code == 200
    assert viewer.get(f"/q/media/detail/{linked}").status_code == 200
    assert viewer.get(f"/media/{unlinked}/file").status_code == 404
    assert viewer.get(f"/q/media/detail/{unlinked}").status_code == 404
    assert viewer.get("/q/media/list").status_code == 404
    assert viewer.get(f"/q/media/usage/{linked}").status_code == 404
    refused(
        viewer, "media/rename", 403, media_id=linked, title="X", was={"title": "Light and exposure"}
    )
    refused(viewer, "media/remove", 403, media_id=linked)
    refused(viewer, "media/add-url", 404, title="X", url="https://video.test/x.mp4")


def test_nobody_sees_a_video_without_signing_in(anonymous: FlaskClient) -> None:
    assert anonymous.get("/media/1/file", headers=JSON).status_code == 401
    assert anonymous.get("/q/media/detail/1").status_code == 401
    assert upload(anonymous, WEBM, "x.webm").status_code == 401


def test_a_video_is_renamed_wherever_it_is_shown(story: Story, viewer: FlaskClient) -> None:
    video = story.chapter("Light")["videos"][0]

    answer = act(
        story.client,
        "media/rename",
        media_id=video["media_file_id"],
        title="Sunlight",
        was={"title": video["title"]},
    )

    assert answer["message"] == "Renamed to “Sunlight”."
    assert story.videos("Light")[0] == "Sunlight"
    assert read(viewer, "courses/detail/1")["chapters"][0]["videos"][0]["title"] == "Sunlight"
    assert [row["title"] for row in story.read("media/list", search="SUN")["rows"]] == ["Sunlight"]


def test_a_video_renamed_meanwhile_is_not_overwritten(story: Story, editor: FlaskClient) -> None:
    (media_id,) = add_videos(editor, "Old")
    rename = {"media_id": media_id, "was": {"title": "Old"}}
    act(editor, "media/rename", **rename, title="Theirs")

    problem = refused(story.client, "media/rename", 409, **rename, title="Mine")

    assert (problem["theirs"], problem["mine"]) == ({"title": "Theirs"}, {"title": "Mine"})


def test_a_used_video_stays_and_says_where_it_is_used(story: Story) -> None:
    chapter = story.chapter("Light")
    video = chapter["videos"][0]

    problem = refused(story.client, "media/remove", 409, media_id=video["media_file_id"])

    assert problem["detail"] == (
        f"“{video['title']}” is used in 1 place, so it was not removed. Take it out there first."
    )
    assert problem["uses"] == story.read(f"media/usage/{video['media_file_id']}")["chapters"]
    assert story.videos("Light")[0] == video["title"]


def test_a_removed_video_is_gone_and_so_are_its_files(
    app: Flask, owner: FlaskClient, settings: Settings
) -> None:
    before = stored(settings)
    media_id = upload(owner, WEBM, "film.webm").get_json()["result"]["media_file_id"]
    assert len(stored(settings)) == len(before) + 1

    answer = act(owner, "media/remove", media_id=media_id)

    assert answer["message"] == "“film” was removed from the library."
    react(app)
    assert stored(settings) == before
    assert owner.get(f"/q/media/detail/{media_id}").status_code == 404
    refused(owner, "media/remove", 404, media_id=media_id)


def test_the_library_is_searched_word_by_word_in_any_case(owner: FlaskClient) -> None:
    add_videos(owner, "ÜBERBLICK: Licht & 100 % Schatten", "Licht allein", "snake_case")

    def found(search: str) -> list[str]:
        return [row["title"] for row in read(owner, "media/list", search=search)["rows"]]

    assert found("schatten überblick") == ["ÜBERBLICK: Licht & 100 % Schatten"]
    assert found("licht") == ["Licht allein", "ÜBERBLICK: Licht & 100 % Schatten"]
    assert found("%") == ["ÜBERBLICK: Licht & 100 % Schatten"]
    assert found("_") == ["snake_case"]
    assert found("no such video") == []


def test_the_library_has_pages_and_shows_the_last_one_beyond_them(owner: FlaskClient) -> None:
    add_videos(owner, *(f"Number {n:02}" for n in range(30)))

    def page(number: int) -> Any:
        return read(owner, "media/list", search="number", sort="oldest", page=number)

    assert [row["title"] for row in page(1)["rows"]] == [f"Number {n:02}" for n in range(24)]
    assert [row["title"] for row in page(2)["rows"]] == [f"Number {n:02}" for n in range(24, 30)]
    assert page(99) == page(2)
    assert page(-1) == page(1)
    assert {name: page(1)[name] for name in ("total", "page", "pages")} == {
        "total": 30,
        "page": 1,
        "pages": 2,
    }


@pytest.mark.parametrize(
    ("sort", "order"), [("newest", "cBa"), ("oldest", "aBc"), ("title", "aBc")]
)
def test_the_library_is_sorted(owner: FlaskClient, sort: str, order: str) -> None:
    add_videos(owner, *(f"sorted {letter}" for letter in "aBc"))

    rows = read(owner, "media/list", search="sorted", sort=sort)["rows"]

    assert "".join(row["title"][-1] for row in rows) == order


@on_sqlite
def test_an_option_that_makes_no_sense_is_refused(owner: FlaskClient) -> None:
    for options in ("sort=size", "page=two", "colour=red"):
        assert owner.get(f"/q/media/list?{options}").status_code == 400


def test_files_that_no_video_refers_to_are_cleaned_up(
    app: Flask, owner: FlaskClient, settings: Settings
) -> None:
    before = stored(settings)
    for name, age_s in (("old.part", 2 * 24 * 3600), ("old", 2 * 24 * 3600), ("young", 60)):
        (settings.upload_dir / name).write_bytes(b"x")
        os.utime(settings.upload_dir / name, (time.time() - age_s,) * 2)
    for name in before:
        os.utime(settings.upload_dir / name, (1, 1))

    told = app.test_cli_runner().invoke(args=["media", "clean"])

    assert told.output == "2 files deleted.\n"
    assert stored(settings) == before | {"young"}


@on_sqlite
def test_an_upload_larger_than_allowed_is_refused(
    app: Flask, client_for: Callable[[Any], FlaskClient], settings: Settings
) -> None:
    client = client_for("owner")
    app.config["COURSEWIRE"] = settings.model_copy(update={"max_upload_bytes": 1000})
    before = stored(settings)

    response = upload(client, WEBM, "film.webm")

    assert response.status_code == 413
    assert response.get_json()["detail"] == (
        "“film.webm” is larger than 1 KB, the most that can be uploaded here. Nothing was stored. "
        "Choose a smaller file."
    )
    assert stored(settings) == before
