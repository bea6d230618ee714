"""The storage in a bucket: addresses that are signed for one thing and for a while."""

import hashlib
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient

from core import Settings, SetupError, create_app, db
from plugins.media.commands import clean_files
from plugins.media.platforms import forgetful_platform, warn_of_a_disk_that_forgets
from plugins.media.s3 import S3
from plugins.media.storage import current_storage
from tests.conftest import settings_on
from tests.plugins.story import react, read
from tests.plugins.test_media import JSON, upload
from tests.plugins.test_uploads import LONG, PART, WEBM, Files, Sender
from tests.s3 import Bucket
from tests.servers import gunicorn, sqlite_copy


@pytest.fixture
def settings(request: pytest.FixtureRequest, bucket: Bucket) -> Iterator[Settings]:
    for settings in settings_on("sqlite", request):
        yield settings.model_copy(update={"upload_part_bytes": PART, **bucket.settings})


@pytest.fixture
def sender(owner: FlaskClient) -> Sender:
    return Sender(owner)


def address_of(sender: Sender, number: int) -> str:
    """Where the sender may put that part."""
    answer = sender.client.post(f"{sender.path}/parts/{number}/address")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    url: str = answer.get_json()["url"]
    return url


def test_an_address_of_a_part_holds_for_this_part_and_its_size(sender: Sender) -> None:
    sender.start()
    url = address_of(sender, 1)

    others = {
        "shorter": httpx.put(url, content=bytes(PART - 1)),
        "longer": httpx.put(url, content=bytes(PART + 1)),
        "another part": httpx.put(url.replace("partNumber=2", "partNumber=1"), content=bytes(PART)),
        "another name": httpx.put(url.replace("/pending/", "/"), content=bytes(PART)),
        "the file": httpx.get(url),
        "for longer": httpx.put(url.replace("Expires=3600", "Expires=9999"), content=bytes(PART)),
        "unsigned": httpx.put(url.partition("?")[0], content=bytes(PART)),
    }

    assert {what: answer.status_code for what, answer in others.items()} == dict.fromkeys(
        others, 403
    )
    assert sender.state()["received"] == []
    assert httpx.put(url, content=bytes(PART)).status_code == 200
    assert sender.state()["received"] == [1]


def test_parts_do_not_come_by_us(sender: Sender) -> None:
    sender.start()

    answer = sender.client.put(f"{sender.path}/parts/0", data=bytes(PART))

    assert answer.status_code == 409
    assert "POST …/parts/0/address" in answer.text


def test_another_users_upload_gives_no_address(sender: Sender, editor: FlaskClient) -> None:
    sender.start()

    assert editor.post(f"{sender.path}/parts/0/address").status_code == 404
    assert sender.client.post(f"{sender.path}/parts/99/address").status_code == 422


def test_a_bucket_that_forgot_the_parts_is_sent_them_again(sender: Sender, bucket: Bucket) -> None:
    sender.start()
    sender.send([0, 1])
    with bucket.client() as client:
        (lost,) = client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]
        client.abort_multipart_upload(
            Bucket=bucket.name, Key=lost["Key"], UploadId=lost["UploadId"]
        )

    assert sender.state()["received"] == []
    sender.send(range(sender.count))

    assert sender.complete()["media"]["sha256"] == hashlib.sha256(LONG).hexdigest()


def test_what_is_played_is_a_signed_address_with_a_fixed_type(sender: Sender) -> None:
    media = uploaded(sender)

    answer = sender.client.get(media["video_url"])
    asked = parse_qs(urlsplit(answer.location).query)
    found = httpx.get(answer.location, headers={"Range": "bytes=-5"})

    assert answer.status_code == 302
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert asked["response-content-type"] == ["video/webm"]
    assert (found.status_code, found.content) == (206, LONG[-5:])
    assert found.headers["Content-Type"] == "video/webm"
    assert found.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''a%20film")
    lease = sender.client.get(f"/media/{media['media_file_id']}/lease")
    assert lease.get_json() == {"lasts_s": 3600}
    assert "X-Amz" not in str(read(sender.client, "media/list"))


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("video%2Fwebm", "text%2Fhtml"),
        ("attachment", "inline"),
        ("X-Amz-Expires=3600", "X-Amz-Expires=604800"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
    ],
)
def test_a_signed_address_that_was_tampered_with_opens_nothing(
    sender: Sender, part: str, other: str
) -> None:
    location = sender.client.get(uploaded(sender)["video_url"]).location
    assert part in location

    assert httpx.get(location.replace(part, other)).status_code == 403


def test_a_signed_address_expires(sender: Sender, app: Flask, settings: Settings) -> None:
    media = uploaded(sender)
    with app.app_context():
        storage: Any = current_storage()
        (key,) = Files(settings).names()
        short = S3(storage._client, settings.s3_bucket, "", 1).send(key, "video/webm", "x")
    assert media["size_bytes"] == len(LONG)

    until = time.monotonic() + 30
    while httpx.get(short.location).status_code == 200 and time.monotonic() < until:
        time.sleep(0.1)

    assert httpx.get(short.location).status_code == 403


def test_a_form_without_scripts_stores_into_the_bucket_too(
    owner: FlaskClient, bucket: Bucket
) -> None:
    answer = upload(owner, WEBM, "in one piece.webm")

    assert answer.status_code == 200, answer.text
    location = owner.get(answer.get_json()["result"]["video_url"]).location
    assert httpx.get(location).content == WEBM
    assert len(bucket.names()) == 1


def test_clean_deletes_what_is_ours_and_nobodys(sender: Sender, app: Flask, bucket: Bucket) -> None:
    uploaded(sender)
    react(app)
    kept = bucket.names()
    sender.content, sender.name = WEBM, "on its way.webm"
    sender.start(again=True)
    sender.send([0])
    with bucket.client() as client:
        for key in ("0" * 32, "pending/" + "0" * 32, "somebody's notes.txt"):
            client.put_object(Bucket=bucket.name, Key=key, Body=b"x")
        client.create_multipart_upload(Bucket=bucket.name, Key="pending/" + "1" * 32)

    with app.app_context():
        assert clean_files(older_than_s=-60) == 3

    assert bucket.names() == kept | {"somebody's notes.txt"}
    assert sender.state()["received"] == [0]


def test_no_word_with_s3_is_spoken_inside_a_transaction(sender: Sender, app: Flask) -> None:
    spoken: list[str] = []
    held: list[str] = []
    storage: Any = app.extensions["coursewire_media_storage"]

    def listen(model: Any, **_: Any) -> None:
        spoken.append(model.name)
        if db.session.registry.has() and db.session().in_transaction():
            held.append(model.name)

    storage._client.meta.events.register("before-call.s3", listen)
    media = uploaded(sender)
    upload(sender.client, WEBM, "in one piece.webm")
    sender.client.get(media["video_url"])
    react(app)

    assert {"CreateMultipartUpload", "ListParts", "CopyObject", "DeleteObject"} <= set(spoken)
    assert held == []


def test_a_storage_that_is_away_is_said_and_nothing_is_lost(
    sender: Sender, app: Flask, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    sender.start()
    sender.send([0])
    storage: Any = app.extensions["coursewire_media_storage"]
    there = storage._bucket
    storage._bucket = "no-such-bucket"

    answer = sender.client.get(sender.path)

    assert answer.status_code == 503
    assert "The file storage refused to list the parts of a file: NoSuchBucket" in caplog.text
    storage._bucket = there
    assert sender.state()["received"] == [0]


def test_a_storage_that_does_not_answer_holds_up_nobody_else(
    tmp_path: Path, filled_sqlite: Path, valkey: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = {
            "DATABASE_URL": sqlite_copy(filled_sqlite, tmp_path),
            "REDIS_URL": valkey,
            "COURSEWIRE_REDIS_PREFIX": f"test-{uuid4().hex[:12]}",
            "COURSEWIRE_UPLOAD_DIR": str(tmp_path / "var" / "uploads"),
            "WEB_CONCURRENCY": "1",
            **Bucket(f"http://127.0.0.1:{silent.getsockname()[1]}", "silence").environment,
        }
        with (
            gunicorn(tmp_path, **environment) as site,
            httpx.Client(base_url=site.url, timeout=60, headers=JSON) as client,
            ThreadPoolExecutor(1) as threads,
        ):
            person = {"email": "owner@example.test", "password": "demo"}
            client.post("/a/accounts/sign-in", json=person).raise_for_status()
            file = {"name": "a.webm", "size_bytes": PART}
            ticket = client.post("/a/media/start-upload", json=file).json()["result"]
            path = f"/media/uploads/{ticket['upload_id']}/parts/0/address"
            asking = threads.submit(client.post, path)
            silent.settimeout(30)
            asked, _ = silent.accept()
            with asked:
                assert httpx.get(f"{site.url}/healthz", timeout=10).status_code == 200
                assert httpx.get(f"{site.url}/readyz", timeout=10).status_code == 200
                assert not asking.done()
            silent.close()

            answer = asking.result()

    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("The file storage does not answer.")


@pytest.mark.parametrize(
    ("changes", "environment", "text"),
    [
        (
            {"s3_bucket": ""},
            {},
            r"COURSEWIRE_STORAGE is “s3”, and COURSEWIRE_S3_BUCKET is “”, which names .*",
        ),
        (
            {"s3_endpoint": "", "s3_region": "eu-central-1"},
            {},
            r"COURSEWIRE_UPLOAD_PART_BYTES is 65536, and S3 takes parts of 5242880 bytes or .*",
        ),
        (
            {"s3_endpoint": "", "upload_part_bytes": 8_388_608},
            {},
            r"S3 needs a region, and none is set\. Set COURSEWIRE_S3_REGION\.",
        ),
        (
            {},
            {"AWS_SECRET_ACCESS_KEY": None},
            r"The settings of S3 cannot be used: Partial credentials .* AWS_SECRET_ACCESS_KEY.*",
        ),
        (
            {},
            {"AWS_SECRET_ACCESS_KEY": None, "AWS_ACCESS_KEY_ID": None},
            r"There are no credentials for S3\. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,.*",
        ),
    ],
)
def test_a_storage_that_cannot_be_used_stops_the_start_and_says_why(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
    environment: dict[str, None],
    text: str,
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    for name in environment:
        monkeypatch.delenv(name)

    with pytest.raises(SetupError) as stopped:
        create_app(settings.model_copy(update=changes))

    (fault,) = stopped.value.faults
    assert re.fullmatch(text, fault.text)


def test_the_pages_may_load_from_the_bucket_and_from_nowhere_else(
    app: Flask, bucket: Bucket
) -> None:
    policy = app.test_client().get("/healthz").headers["Content-Security-Policy"].split("; ")

    assert f"connect-src 'self' {bucket.endpoint}" in policy
    assert f"media-src 'self' blob: https: {bucket.endpoint}" in policy
    assert f"img-src 'self' data: https: {bucket.endpoint}" in policy
    assert "script-src 'self'" in policy


@pytest.mark.parametrize(
    ("environment", "changes", "platform"),
    [
        ({"DYNO": "web.1"}, {}, "Heroku"),
        ({"FLY_APP_NAME": "courses"}, {"upload_dir": Path("/uploads")}, "Fly"),
        ({"FLY_APP_NAME": "courses"}, {"upload_dir": Path("/dev/shm/x")}, None),  # noqa: S108
        ({"DYNO": "web.1"}, {"storage": "s3"}, None),
        ({}, {}, None),
    ],
)
def test_a_platform_whose_disk_forgets_is_named(
    environment: dict[str, str], changes: dict[str, Any], platform: str | None
) -> None:
    settings = Settings(upload_dir=Path("/app/var/uploads")).model_copy(update=changes)

    assert forgetful_platform(settings, environment) == platform


def test_a_worker_warns_once_that_its_uploads_will_be_lost(
    app: Flask,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("DYNO", "web.1")

    warn_of_a_disk_that_forgets(settings)
    assert caplog.text == ""
    warn_of_a_disk_that_forgets(settings.model_copy(update={"storage": "local"}))

    assert (
        f"Uploads are stored in {settings.upload_dir}, on a disk that Heroku empties" in caplog.text
    )
    assert "Use a bucket (COURSEWIRE_STORAGE=s3)" in caplog.text


def uploaded(sender: Sender) -> Any:
    """Send the whole file; returns the video."""
    sender.start(again=True)
    sender.send(range(sender.count))
    outcome = sender.complete()
    assert outcome["state"] == "done", outcome
    return outcome["media"]
