"""The library: uploads, addresses elsewhere, search, and what is served."""

import hashlib
import io
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from core import Settings, db, now, transaction
from plugins.media.models import Media
from tests.conftest import act
from tests.plugins.story import Story, add_videos, on_sqlite, react, read, refused

DEMO = Path(__file__).parents[2] / "plugins" / "media" / "demo"
WEBM = (DEMO / "rule-of-thirds.webm").read_bytes()
MP4 = (DEMO / "choosing-a-lens.mp4").read_bytes()
JSON = {"Accept": "application/json"}
_YOUTUBE = "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ?rel=0"
_VIMEO = "https://player.vimeo.com/video/76979871?dnt=1"


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
    versions = video.pop("versions")
    assert [version["sha256"] for version in versions] == [video["sha256"]]
    assert video | {"media_file_id": 0, "video_url": "", "title": "", "created_at": ""} == {
        "media_file_id": 0,
        "description": "",
        "provider": None,
        "embed_url": None,
        "captions": [],
        "created_at": "",
        "user_name": "Olive Owner",
        "title": "",
        "video_url": "",
        "kind": "video",
        "source": "upload",
        "mime_type": mime_type,
        "duration_s": duration_s,
        "size_bytes": len(content),
        "poster_url": None,
        "status": "ready",
        "problem": None,
        "use_count": 0,
        "trashed_at": None,
        "version": 1,
        "url": None,
        "width": 640,
        "height": 360,
        "sha256": hashlib.sha256(content).hexdigest(),
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
        "“film.mp4” is neither an MP4, WebM, MP3 nor M4A file. Nothing was stored."
    )
    assert problem["errors"] == {"file": "Choose an MP4, WebM, MP3 or M4A file."}
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
    from plugins.media.storage import current_storage

    before = stored(settings)

    def break_off() -> None:
        with transaction():
            current_storage().store(io.BytesIO(WEBM))
            assert len(stored(settings)) == len(before) + 1
            raise RuntimeError("the database went away")

    with app.app_context(), pytest.raises(RuntimeError):
        break_off()

    assert stored(settings) == before


@on_sqlite
def test_a_copy_that_breaks_off_leaves_no_part(app: Flask, settings: Settings) -> None:
    from core import transaction
    from plugins.media.storage import current_storage

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 0:
                raise OSError("the connection was cut")
            return super().read(4)

    before = stored(settings)

    def break_off() -> None:
        with transaction():
            current_storage().store(Broken(WEBM))

    with app.app_context(), pytest.raises(OSError, match="cut"):
        break_off()

    assert stored(settings) == before


@pytest.mark.parametrize(
    ("url", "mime_type"),
    [
        ("https://video.test/films/One.MP4?x=1#t=3", "video/mp4"),
        ("https://video.test/one.webm", "video/webm"),
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
        "http://video.test/one.mp4",
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

    assert problem["errors"] == {"url": "Enter an address that starts with https://."}


@pytest.mark.parametrize(
    ("url", "provider", "page", "player"),
    [
        (address, "YouTube", "https://www.youtube.com/watch?v=dQw4w9WgXcQ", _YOUTUBE)
        for address in (
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PL1&t=3s",
            "https://youtu.be/dQw4w9WgXcQ?si=abc",
            "https://m.youtube.com/shorts/dQw4w9WgXcQ",
            "https://www.youtube.com/embed/dQw4w9WgXcQ?autoplay=1",
        )
    ]
    + [
        ("https://vimeo.com/76979871", "Vimeo", "https://vimeo.com/76979871", _VIMEO),
        (
            "https://player.vimeo.com/video/76979871?h=8272103f6e&onload=x",
            "Vimeo",
            "https://vimeo.com/76979871/8272103f6e",
            f"{_VIMEO}&h=8272103f6e",
        ),
    ],
)
@on_sqlite
def test_a_video_of_a_known_provider_is_played_by_its_player(
    owner: FlaskClient, url: str, provider: str, page: str, player: str
) -> None:
    video = act(owner, "media/add-url", title="There", url=url)["result"]

    found = (video["provider"], video["url"], video["embed_url"])
    assert found == (provider, page, player)
    policy = owner.get("/media").headers["Content-Security-Policy"].split("; ")
    frames = next(rule for rule in policy if rule.startswith("frame-src"))
    assert frames == "frame-src 'self' https://www.youtube-nocookie.com https://player.vimeo.com"
    shown = owner.get(f"/media/{video['media_file_id']}").get_data(as_text=True)
    assert f'src="{player.replace("&", "&amp;")}"' in shown
    assert 'sandbox="allow-scripts allow-same-origin' in shown


@on_sqlite
@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://www.youtube.com/@channel", "Open the video there"),
        ("https://www.youtube.com/watch?v=short", "Open the video there"),
        ("https://youtu.be/", "Open the video there"),
        ("https://vimeo.com/about", "Open the video there"),
        ("https://video.test/watch.html", "Enter the address of the file itself"),
        ("https://video.test/live.m3u8?x=1", "Enter the address of the file itself"),
    ],
)
def test_an_address_that_no_player_plays_is_refused(
    owner: FlaskClient, url: str, told: str
) -> None:
    problem = refused(owner, "media/add-url", 422, title="There", url=url)

    assert problem["errors"]["url"].startswith(told)


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


def test_a_removed_video_lies_in_the_trash_and_comes_back(story: Story, owner: FlaskClient) -> None:
    media_id = upload(owner, WEBM, "film.webm").get_json()["result"]["media_file_id"]
    before = read(owner, "media/list")

    answer = act(owner, "media/remove", media_id=media_id)

    assert answer["message"] == "“film” was moved to the trash."
    after = read(owner, "media/list")
    assert (after["total"], after["counts"]["trash"]) == (before["total"] - 1, 1)
    assert [row["title"] for row in read(owner, "media/list", show="trash")["rows"]] == ["film"]
    light = story.chapter("Light")["id"]
    linked = story.act("chapters/link-media", chapter_id=light, media_ids=[media_id])
    assert linked[0]["status"] == "not_found"
    with owner.get(f"/media/{media_id}/file") as served:
        assert served.data == WEBM
    assert act(owner, "media/restore", media_id=media_id)["message"] == (
        "“film” is back in the library."
    )
    assert read(owner, "media/list") == before
    refused(owner, "media/delete-for-good", 409, media_id=media_id)


@pytest.mark.parametrize("way", ["by hand", "by age"])
def test_what_leaves_the_trash_is_gone_and_so_are_its_files(
    app: Flask, owner: FlaskClient, settings: Settings, way: str
) -> None:
    before = stored(settings)
    media_id = upload(owner, WEBM, "film.webm").get_json()["result"]["media_file_id"]
    (other,) = add_videos(owner, "Another")
    act(owner, "media/remove", media_id=media_id)
    if way == "by hand":
        act(owner, "media/delete-for-good", media_id=media_id)
    else:
        with app.app_context(), transaction():
            month_ago = now() - timedelta(days=31)
            db.session.execute(
                update(Media).where(Media.id == media_id).values(trashed_at=month_ago)
            )
        act(owner, "media/remove", media_id=other)

    react(app)

    assert stored(settings) == before
    assert owner.get(f"/q/media/detail/{media_id}").status_code == 404
    refused(owner, "media/restore", 404, media_id=media_id)


def test_several_are_removed_at_once_and_the_used_ones_stay(story: Story) -> None:
    loose = add_videos(story.client, "One", "Two")
    used = story.chapter("Light")["videos"][0]["media_file_id"]

    answer = act(story.client, "media/remove-several", media_ids=[*loose, used, 9_999])

    assert [outcome["status"] for outcome in answer["result"]] == [
        "trashed",
        "trashed",
        "in_use",
        "not_found",
    ]
    assert answer["message"] == "2 videos were moved to the trash. 1 video is used and stayed."
    assert story.read("media/list")["counts"]["trash"] == 2
    assert act(story.client, "media/restore-several", media_ids=loose)["result"] == 2
    assert story.read("media/list")["counts"]["trash"] == 0


def test_a_replaced_file_keeps_its_id_and_every_chapter_follows(
    app: Flask, story: Story, settings: Settings
) -> None:
    video = story.chapter("Light")["videos"][0]
    files = stored(settings)
    data = {"media_id": str(video["media_file_id"]), "file": (io.BytesIO(MP4), "new.mp4")}

    response = story.client.post("/a/media/replace", data=data, headers=JSON)

    assert response.status_code == 200, response.text
    after = story.chapter("Light")["videos"][0]
    assert (after["media_file_id"], after["link_id"]) == (video["media_file_id"], video["link_id"])
    assert (after["mime_type"], after["duration_s"]) == ("video/mp4", 5.0)
    assert after["video_url"] == f"/media/{video['media_file_id']}/file?v=2"
    with story.client.get(after["video_url"]) as served:
        assert served.data == MP4
    react(app)
    assert len(stored(settings)) == len(files) - 1  # the file and its picture went, one came


def test_the_library_is_filtered(app: Flask, story: Story) -> None:
    (loose,) = add_videos(story.client, "Loose")
    with app.app_context(), transaction():
        db.session.execute(update(Media).where(Media.id == loose).values(kind="audio"))
    act(story.client, "media/start-upload", name="coming.mp4", size_bytes=10)

    def found(**options: str) -> set[str]:
        return {row["title"] for row in story.read("media/list", **options)["rows"]}

    counts = story.read("media/list")["counts"]
    assert counts["all"] == len(found()) == counts["used"] + counts["unused"]
    assert found(kind="audio") == {"Loose"}
    assert found(show="arriving") == {"coming"}
    assert found(show="failed") == set()
    assert "Loose" in found(use="unused")
    assert len(found(use="used")) == counts["used"]
    assert found(use="used", kind="audio") == set()


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

    assert told.output == "2 files deleted; 0 uploads ended; 0 videos left the trash.\n"
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


def test_a_description_that_two_change_is_a_question(owner: FlaskClient) -> None:
    (media_id,) = add_videos(owner, "Told")
    say = {"media_id": media_id, "was": {"description": ""}}

    first = act(owner, "media/describe", **say, description="One\r\ntwo\u202e")
    again = act(owner, "media/describe", **say, description="One\ntwo")
    problem = refused(owner, "media/describe", 409, **say, description="Three")

    assert first["result"]["description"] == "One\ntwo"
    assert first["undo"]["action"] == "media/describe"
    assert again["undo"] is None
    assert problem["theirs"] == {"description": "One\ntwo"}
    assert read(owner, f"media/detail/{media_id}")["description"] == "One\ntwo"


def test_every_file_that_a_video_had_is_known(owner: FlaskClient, editor: FlaskClient) -> None:
    media_id = upload(owner, WEBM, "a.webm").get_json()["result"]["media_file_id"]
    data = {"media_id": str(media_id), "file": (io.BytesIO(MP4), "b.mp4")}

    editor.post("/a/media/replace", data=data, headers=JSON)

    versions = read(owner, f"media/detail/{media_id}")["versions"]
    assert [(each["number"], each["mime_type"], each["size_bytes"]) for each in versions] == [
        (2, "video/mp4", len(MP4)),
        (1, "video/webm", len(WEBM)),
    ]
    owner_name, editor_name = (
        read(owner, "accounts/me")["name"],
        read(editor, "accounts/me")["name"],
    )
    assert [each["user_name"] for each in versions] == [editor_name, owner_name]


def test_a_removal_is_undone_and_done_again(owner: FlaskClient) -> None:
    one, two = add_videos(owner, "One", "Two")

    removed = act(owner, "media/remove", media_id=one)
    several = act(owner, "media/remove-several", media_ids=[one, two])
    restored = act(owner, several["undo"]["action"], **several["undo"]["arguments"])

    assert removed["undo"] == {"action": "media/restore", "arguments": {"media_id": one}}
    assert several["undo"]["arguments"] == {"media_ids": [one, two]}
    assert restored["undo"] == {
        "action": "media/remove-several",
        "arguments": {"media_ids": [one, two]},
    }


def test_the_library_shows_who_added_what(
    app: Flask, owner: FlaskClient, editor: FlaskClient
) -> None:
    (mine,) = add_videos(editor, "Mine")
    me = read(editor, "accounts/me")

    found = read(owner, "media/list", by=me["user_id"])

    assert [row["media_file_id"] for row in found["rows"]] == [mine]
    owners = {each["name"]: each["count"] for each in found["owners"]}
    assert owners[me["name"]] == 1
    assert sum(owners.values()) == found["counts"]["all"]
    largest = read(owner, "media/list", sort="largest")["rows"]
    sizes = [row["size_bytes"] or 0 for row in largest]
    assert sizes == sorted(sizes, reverse=True)
    longest = [row["duration_s"] or 0 for row in read(owner, "media/list", sort="longest")["rows"]]
    assert longest == sorted(longest, reverse=True)
