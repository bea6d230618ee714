"""Uploads in parts: they go on after any failure, and only what was checked becomes a file.

The storage keeps to the same contract on local disk and on S3, where parts go to the bucket itself.
"""

import hashlib
import io
import os
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from core import Settings, create_app, db, now, transaction
from plugins.media.commands import clean_files
from plugins.media.models import MediaUpload
from plugins.media.sessions import fingerprint_of
from tests.conftest import act, dispose, settings_on
from tests.plugins.story import Story, on_sqlite, react, read, refused
from tests.s3 import Bucket

DEMO = Path(__file__).parents[2] / "plugins" / "media" / "demo"
PART = 65_536
WEBM = (DEMO / "rule-of-thirds.webm").read_bytes()
LONG = WEBM + bytes(PART) + random.Random(7).randbytes(3 * PART)
"""Five parts or more: what follows a video's last cluster is nobody's concern."""


on_both_storages = pytest.mark.parametrize("settings", ["sqlite", "s3"], indirect=True)
on_disk = pytest.mark.parametrize("settings", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(params=["sqlite", "postgresql", "s3"])
def settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Files in a folder, on either database; or in a bucket."""
    on_s3 = request.param == "s3"
    bucket = request.getfixturevalue("bucket") if on_s3 else None
    for settings in settings_on("sqlite" if on_s3 else request.param, request):
        more = bucket.settings if bucket is not None else {}
        yield settings.model_copy(update={"upload_part_bytes": PART, **more})


@dataclass
class Files:
    """What lies in the storage."""

    settings: Settings

    @property
    def _bucket(self) -> Bucket | None:
        s3 = self.settings.storage == "s3"
        return Bucket(self.settings.s3_endpoint, self.settings.s3_bucket) if s3 else None

    def names(self) -> set[str]:
        """The files that can be asked for."""
        if self._bucket is not None:
            return {key for key in self._bucket.names() if not key.startswith("pending/")}
        return {path.name for path in self.settings.upload_dir.iterdir()} - {"pending"}

    def pending(self) -> list[str]:
        """What is there of files on their way."""
        if self._bucket is not None:
            joined = {key for key in self._bucket.names() if key.startswith("pending/")}
            return [*joined, *self._bucket.unfinished()]
        return [path.name for path in self.settings.upload_dir.glob("pending/*")]


@pytest.fixture
def files(settings: Settings) -> Files:
    return Files(settings)


def fetch(client: FlaskClient, url: str) -> bytes:
    """What is played, wherever it is."""
    with client.get(url) as served:
        if served.status_code == 302:
            found = httpx.get(served.location)
            assert found.status_code == 200, found.text
            return found.content
        assert served.status_code == 200
        content: bytes = served.data
    return content


@dataclass
class Sender:
    """A browser that sends one file."""

    client: FlaskClient
    content: bytes = LONG
    name: str = "a film.webm"
    ticket: dict[str, Any] | None = None

    def start(self, **more: Any) -> dict[str, Any]:
        self.ticket = act(
            self.client,
            "media/start-upload",
            name=self.name,
            size_bytes=len(self.content),
            last_modified_ms=1_700_000_000_000,
            fingerprint=fingerprint_of(io.BytesIO(self.content), len(self.content)),
            **more,
        )["result"]
        return self.ticket

    @property
    def path(self) -> str:
        assert self.ticket is not None
        return f"/media/uploads/{self.ticket['upload_id']}"

    @property
    def count(self) -> int:
        return -(-len(self.content) // PART)

    def put(self, number: int, data: bytes | None = None) -> int:
        part = self.content[number * PART : (number + 1) * PART] if data is None else data
        path, headers = f"{self.path}/parts/{number}", {"Accept": "application/json"}
        if self.ticket is not None and self.ticket["direct"]:
            address = self.client.post(f"{path}/address", headers=headers)
            if address.status_code != 200:
                return address.status_code
            told = address.get_json()
            answer = httpx.put(told["url"], content=part, headers=told["headers"])
            return 204 if answer.status_code == 200 else answer.status_code
        return self.client.put(path, data=part, headers=headers).status_code

    def send(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            assert self.put(number) == 204

    def state(self) -> dict[str, Any]:
        response = self.client.get(self.path)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.get_json()
        return found

    def complete(self) -> dict[str, Any]:
        assert self.ticket is not None
        answer = act(self.client, "media/complete-upload", upload_id=self.ticket["upload_id"])
        found: dict[str, Any] = answer["result"]
        return found


@pytest.fixture
def sender(owner: FlaskClient) -> Sender:
    return Sender(owner)


def test_parts_in_any_order_become_the_very_same_file(
    sender: Sender, app: Flask, files: Files
) -> None:
    ticket = sender.start(title="A film")
    order = list(range(sender.count))
    random.Random(3).shuffle(order)

    sender.send([*order, order[0]])  # and one twice
    assert sender.state()["received"] == list(range(sender.count))
    outcome = sender.complete()

    media = outcome["media"]
    assert (outcome["state"], outcome["problem"], outcome["same_as"]) == ("done", None, [])
    assert media["media_file_id"] == ticket["media_file_id"]
    assert (media["status"], media["width"], media["title"]) == ("ready", 640, "A film")
    assert media["sha256"] == hashlib.sha256(LONG).hexdigest()
    assert fetch(sender.client, media["video_url"]) == LONG
    react(app)
    assert files.pending() == []


def test_completing_again_answers_with_what_came_of_it(sender: Sender, files: Files) -> None:
    sender.start()
    sender.send(range(sender.count))
    first = sender.complete()
    stored = files.names()

    again = sender.complete()

    assert again == first
    assert files.names() == stored
    assert sender.state()["state"] == "done"
    assert sender.put(0) == 409


def test_the_same_file_goes_on_where_it_was_after_the_server_was_restarted(
    sender: Sender, app: Flask, settings: Settings
) -> None:
    ticket = sender.start()
    sender.send([0, 2])
    app.extensions["coursewire"].stop()
    dispose(app)
    restarted = create_app(settings)
    later = Sender(restarted.test_client())
    act(later.client, "accounts/sign-in", email="owner@example.test", password="demo")

    resumed = later.start()

    assert resumed == {**ticket, "resumed": True}
    assert later.state()["received"] == [0, 2]
    later.send(set(range(later.count)) - {0, 2})
    assert later.complete()["media"]["sha256"] == hashlib.sha256(LONG).hexdigest()
    restarted.extensions["coursewire"].stop()
    dispose(restarted)


@on_sqlite
def test_another_file_of_the_same_name_is_another_upload(sender: Sender) -> None:
    ticket = sender.start()

    other = Sender(sender.client, content=LONG[:-1] + b"x").start()

    assert other["resumed"] is False
    assert other["upload_id"] != ticket["upload_id"]


def test_what_is_missing_is_said_and_nothing_is_lost(sender: Sender) -> None:
    ticket = sender.start()
    sender.send([1])

    problem = refused(sender.client, "media/complete-upload", 409, upload_id=ticket["upload_id"])

    assert problem["missing"] == [number for number in range(sender.count) if number != 1]
    assert sender.state()["received"] == [1]
    assert sender.state()["state"] == "receiving"


@on_sqlite
@pytest.mark.parametrize(
    ("number", "size", "status"),
    [(0, PART - 1, 422), (0, PART + 1, 422), (99, PART, 422), (0, 0, 422)],
)
def test_a_part_has_exactly_its_length(sender: Sender, number: int, size: int, status: int) -> None:
    sender.start()

    assert sender.put(number, bytes(size)) == status

    assert sender.state()["received"] == []


@on_sqlite
def test_a_body_that_breaks_off_leaves_no_part(sender: Sender, settings: Settings) -> None:
    sender.start()

    response = sender.client.put(
        f"{sender.path}/parts/0",
        data=LONG[: PART // 2],
        environ_overrides={"CONTENT_LENGTH": str(PART)},
    )

    assert response.status_code == 400
    assert sender.state()["received"] == []
    assert list(settings.upload_dir.rglob("*.part")) == []


@on_sqlite
def test_a_body_without_a_length_is_refused_before_it_is_read(sender: Sender) -> None:
    sender.start()

    class Endless(io.RawIOBase):
        def read(self, _size: int = -1) -> bytes:
            raise AssertionError("it was read")

    response = sender.client.put(
        f"{sender.path}/parts/0",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input": Endless(), "wsgi.input_terminated": True},
    )

    assert response.status_code == 422


def test_another_users_upload_is_not_there(sender: Sender, editor: FlaskClient) -> None:
    ticket = sender.start()
    stranger = Sender(editor, ticket=ticket)

    assert editor.get(stranger.path).status_code == 404
    assert stranger.put(0) == 404
    refused(editor, "media/complete-upload", 404, upload_id=ticket["upload_id"])
    refused(editor, "media/cancel-upload", 404, upload_id=ticket["upload_id"])
    assert sender.state()["received"] == []


@on_sqlite
def test_who_may_not_use_the_library_uploads_nothing(
    sender: Sender, viewer: FlaskClient, anonymous: FlaskClient
) -> None:
    ticket = sender.start()

    refused(viewer, "media/start-upload", 404, name="x.mp4", size_bytes=10)
    assert Sender(viewer, ticket=ticket).put(0) == 403
    assert Sender(anonymous, ticket=ticket).put(0) == 401
    assert anonymous.get(sender.path, headers={"Accept": "application/json"}).status_code == 401


@on_sqlite
@pytest.mark.parametrize("identifier", ["..%2f..%2fetc", "x" * 500, "%00", "a b"])
def test_an_upload_of_a_strange_name_is_not_there(sender: Sender, identifier: str) -> None:
    assert sender.client.put(f"/media/uploads/{identifier}/parts/0", data=b"x").status_code == 404
    assert sender.client.get(f"/media/uploads/{identifier}").status_code == 404


@on_sqlite
@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("../../../etc/passwd.mp4", "passwd"),
        ("C:\\films\\CON.mp4", "CON"),
        ("a\x00b\r\nSet-Cookie: x.mp4", "a b Set-Cookie: x"),
        ("holiday\u202e4pm.mp4", "holiday 4pm"),
        ("..", ".."),
        ("é" * 400 + ".mp4", "é" * 200),
    ],
)
def test_a_strange_file_name_is_a_title_and_no_path(
    sender: Sender, settings: Settings, name: str, title: str
) -> None:
    sender.name, sender.content = name, WEBM
    before = {path.name for path in settings.upload_dir.iterdir()}

    sender.start(again=True)
    sender.send(range(sender.count))
    media = sender.complete()["media"]

    assert media["title"] == title
    (new,) = {path.name for path in settings.upload_dir.iterdir()} - before - {"pending"}
    assert len(new) == 32
    assert set(new) <= set("0123456789abcdef")
    with sender.client.get(media["video_url"]) as served:
        assert served.data == WEBM
        assert "\n" not in served.headers["Content-Disposition"]


@on_both_storages
@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/secret\n",
        b"<!doctype html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n",
        b"ID3\x04\x00\x00\x00\x00\x00\x00<html>",
        b"\xff\xfb",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
        b"PK\x03\x04" + bytes(100),
    ],
)
def test_what_is_no_media_never_becomes_a_file(
    sender: Sender, files: Files, app: Flask, content: bytes
) -> None:
    before = files.names()
    sender.content, sender.name = content, "lesson.mp4"
    ticket = sender.start()
    sender.send(range(sender.count))

    outcome = sender.complete()

    assert outcome["state"] == "failed"
    assert outcome["problem"] == (
        "This is neither an MP4, WebM, MP3 nor M4A file. Choose another file."
    )
    assert (outcome["media"]["status"], outcome["media"]["sha256"]) == ("failed", None)
    served = sender.client.get(f"/media/{ticket['media_file_id']}/file")
    assert served.status_code == 404
    react(app)
    assert files.names() == before
    assert files.pending() == []


@on_sqlite
def test_a_page_hidden_in_a_video_is_served_as_a_video(sender: Sender) -> None:
    sender.content = WEBM + b"<html><script>alert(document.cookie)</script>"
    sender.start()
    sender.send(range(sender.count))

    media = sender.complete()["media"]

    with sender.client.get(media["video_url"]) as served:
        assert served.content_type == "video/webm"
        assert served.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in served.headers["Content-Security-Policy"]


def test_a_file_that_the_library_has_is_pointed_out_before_it_is_sent(sender: Sender) -> None:
    sender.start()
    sender.send(range(sender.count))
    first = sender.complete()["media"]
    again = Sender(sender.client, name="a copy.webm")

    found = again.start()

    assert found["upload_id"] is None
    assert found["same_as"] == [
        {"media_file_id": first["media_file_id"], "title": "a film", "use_count": 0}
    ]
    again.start(again=True)
    again.send(range(again.count))
    assert again.complete()["same_as"] == found["same_as"]


@on_sqlite
def test_a_file_too_large_is_refused_before_it_is_sent(sender: Sender, settings: Settings) -> None:
    problem = refused(
        sender.client,
        "media/start-upload",
        413,
        name="huge.mp4",
        size_bytes=settings.max_upload_bytes + 1,
    )

    assert problem["detail"].startswith("“huge.mp4” is larger than 500 MB")


@on_sqlite
def test_a_user_has_so_many_unfinished_uploads(app: Flask, settings: Settings) -> None:
    strict = create_app(settings.model_copy(update={"uploads_per_user": 2}))
    client = strict.test_client()
    act(client, "accounts/sign-in", email="owner@example.test", password="demo")
    for size in (1, 2):
        act(client, "media/start-upload", name="x.mp4", size_bytes=size)

    refused(client, "media/start-upload", 429, name="x.mp4", size_bytes=3)

    strict.extensions["coursewire"].stop()
    dispose(strict)


@on_disk
def test_a_video_is_linked_while_it_is_still_on_its_way(sender: Sender, story: Story) -> None:
    media_id = sender.start(title="Waited for")["media_file_id"]
    light = story.chapter("Light")["id"]
    story.act("chapters/link-media", chapter_id=light, media_ids=[media_id])

    def shown() -> Any:
        return story.chapter("Light")["videos"][-1]

    assert (shown()["title"], shown()["status"]) == ("Waited for", "uploading")
    sender.send(range(sender.count))
    sender.complete()
    assert (shown()["status"], shown()["duration_s"]) == ("ready", 4.008)


def test_a_cancelled_upload_is_gone_unless_a_chapter_holds_its_video(
    sender: Sender, story: Story, app: Flask, files: Files
) -> None:
    gone = sender.start()
    sender.send([0])
    act(sender.client, "media/cancel-upload", upload_id=gone["upload_id"])
    assert sender.client.get(f"/q/media/detail/{gone['media_file_id']}").status_code == 404
    assert sender.client.get(sender.path).status_code == 404
    react(app)
    assert files.pending() == []

    kept = sender.start(title="Linked")
    light = story.chapter("Light")["id"]
    story.act("chapters/link-media", chapter_id=light, media_ids=[kept["media_file_id"]])
    act(sender.client, "media/cancel-upload", upload_id=kept["upload_id"])

    video = story.chapter("Light")["videos"][-1]
    assert video["status"] == "failed"
    assert video["problem"] == (
        "The upload was cancelled. Choose a file again, or remove this video."
    )
    sender.start(media_id=kept["media_file_id"], again=True)
    sender.send(range(sender.count))
    sender.complete()
    assert story.chapter("Light")["videos"][-1]["status"] == "ready"


@on_disk
def test_others_see_how_far_an_upload_is(sender: Sender, editor: FlaskClient, app: Flask) -> None:
    sender.start(title="On its way")
    assert read(editor, "media/uploads") == [
        {
            "media_file_id": sender.state()["media_file_id"],
            "title": "On its way",
            "user_name": _name_of_owner(sender.client),
            "size_bytes": len(LONG),
            "received_bytes": 0,
            "replaces": False,
            "state": "receiving",
        }
    ]
    sender.send([0, 1])  # within the second in which nothing more is told
    assert read(editor, "media/uploads")[0]["received_bytes"] == 0
    with app.app_context(), transaction():
        db.session.execute(update(MediaUpload).values(told_at=now() - timedelta(seconds=2)))

    sender.send([2])

    assert read(editor, "media/uploads")[0]["received_bytes"] == 3 * PART
    sender.send(range(sender.count))
    sender.complete()
    assert read(editor, "media/uploads") == []


def test_an_abandoned_upload_ends_when_somebody_uploads(
    sender: Sender, app: Flask, files: Files
) -> None:
    lost = sender.start(title="Forgotten")
    sender.send([0])
    with app.app_context(), transaction():
        db.session.execute(update(MediaUpload).values(told_at=now() - timedelta(days=8)))
    Sender(sender.client, content=WEBM, name="another.webm").start(again=True)

    react(app)

    detail = read(sender.client, f"media/detail/{lost['media_file_id']}")
    assert (detail["status"], detail["problem"]) == (
        "failed",
        "The upload was not finished. Choose the file again.",
    )
    assert files.pending() == []


@on_sqlite
def test_clean_spares_the_parts_of_an_upload_that_goes_on(
    sender: Sender, app: Flask, settings: Settings
) -> None:
    sender.start()
    sender.send([0])
    orphan = settings.upload_dir / "pending" / ("0" * 32)
    orphan.mkdir()
    for path in (settings.upload_dir / "pending").iterdir():
        os.utime(path, (time.time() - 90_000, time.time() - 90_000))

    with app.app_context():
        assert clean_files(older_than_s=86_400) == 1

    assert not orphan.exists()
    assert sender.state()["received"] == [0]


@on_disk
def test_who_still_sends_a_part_cannot_change_what_was_checked(
    sender: Sender, app: Flask, settings: Settings
) -> None:
    """The slow body of a part that was sent once more, and is there."""
    sender.start()
    sender.send(range(sender.count))
    late: list[int] = []

    class Slow(io.BytesIO):
        def readinto(self, buffer: Any, /) -> int:
            if not late:
                late.append(1)
                sender_again.complete()
            return super().readinto(buffer)

    sender_again = Sender(sender.client, ticket=sender.ticket)
    other = app.test_client()
    act(other, "accounts/sign-in", email="owner@example.test", password="demo")
    other.put(f"{sender.path}/parts/0", input_stream=Slow(b"\0" * PART), content_length=PART)

    assert late
    media = read(sender.client, f"media/detail/{sender.ticket['media_file_id']}")  # type: ignore[index]
    with sender.client.get(media["video_url"]) as served:
        assert hashlib.sha256(served.data).hexdigest() == media["sha256"]
        assert served.data == LONG


def _name_of_owner(client: FlaskClient) -> str:
    members = read(client, "courses/members/1")
    return next(str(member["name"]) for member in members if member["role"] == "owner")
