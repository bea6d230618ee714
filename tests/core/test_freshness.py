"""The freshness guard finds the bug that Coursewire exists for, and heals it."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient

from core import Settings, create_app
from core.freshness.findings import MissedInvalidation
from core.freshness.guard import FreshnessGuard
from tests.conftest import act, dispose
from tests.core import progress
from tests.core.conftest import runtime_of
from tests.core.listening import listening, listening_here
from tests.plugins.story import COURSE, add_videos, on_sqlite, read
from tests.servers import RedisServer, gunicorn, wait_until

Mode = Literal["strict", "heal", "off"]

EXACT = """\
Missed invalidation: action 'chapters.link_media' changed what 'progress:summary:1' shows, and \
nothing named that key.
  It emitted MediaUseChanged and MediaLinked, and wrote chapter_media.
  Query 'progress.summary' of the plugin 'progress' reads that, and is stale on ChapterAdded, \
ChapterRemoved and MediaUnlinked.
  Write: @plugin.query("summary", …, stale_on=[ChapterAdded, ChapterRemoved, MediaUnlinked, \
MediaLinked])
  Trace: {trace}"""


@pytest.fixture
def serve(settings: Settings) -> Iterator[Callable[[Mode], Flask]]:
    """Starts a worker with the forgetful plugin beside the first-party ones."""
    made: list[Flask] = []

    def start(mode: Mode, **chosen: Any) -> Flask:
        app = create_app(
            settings.model_copy(update={"freshness": mode, **chosen}), [progress.plugin]
        )
        made.append(app)
        runtime_of(app).start()
        wait_until(lambda: runtime_of(app).hub.settled, "hub")
        return app

    yield start
    for app in made:
        runtime_of(app).stop()
        dispose(app)


def guard_of(app: Flask) -> FreshnessGuard:
    return runtime_of(app).freshness


def signed_in(app: Flask) -> FlaskClient:
    client = app.test_client()
    act(client, "accounts/sign-in", email="owner@example.test", password="demo")
    return client


def link_a_video(client: FlaskClient) -> str:
    """Link a new video to a chapter of the course; returns the title of the chapter."""
    chapter = read(client, f"chapters/list/{COURSE}")[-1]
    media_ids = add_videos(client, "A new video")
    act(client, "chapters/link-media", chapter_id=chapter["id"], media_ids=media_ids)
    title: str = chapter["title"]
    return title


def test_strict_mode_says_what_to_write(
    serve: Callable[[Mode], Flask], caplog: pytest.LogCaptureFixture
) -> None:
    app = serve("strict")
    client = signed_in(app)
    before = read(client, f"progress/summary/{COURSE}")

    with caplog.at_level(logging.WARNING, "coursewire.freshness"):
        link_a_video(client)
        assert guard_of(app).wait(20)

    (found,) = guard_of(app).findings
    assert isinstance(found, MissedInvalidation)
    assert str(found) == EXACT.format(trace=found.trace)
    assert (found.namespace, found.key) == ("progress.summary", "progress:summary:1")
    assert len(found.trace) == 16
    assert [record.getMessage() for record in caplog.records] == [str(found)]
    assert read(client, f"progress/summary/{COURSE}") == before, "strict mode heals nothing"


def test_what_was_found_is_told_once_and_laid_to_no_other_write(
    serve: Callable[[Mode], Flask], caplog: pytest.LogCaptureFixture
) -> None:
    app = serve("strict")
    client = signed_in(app)
    read(client, f"progress/summary/{COURSE}")
    link_a_video(client)
    assert guard_of(app).wait(20)

    read(client, f"progress/summary/{COURSE}")
    chapter = read(client, f"chapters/list/{COURSE}")[-1]
    links = [video["link_id"] for video in chapter["videos"]][::-1]
    act(client, "chapters/reorder-media", chapter_id=chapter["id"], link_ids=links)
    assert guard_of(app).wait(20)

    assert len(guard_of(app).findings) == 1


def test_heal_mode_tells_the_screen_that_nobody_told(
    serve: Callable[[Mode], Flask], caplog: pytest.LogCaptureFixture
) -> None:
    app = serve("heal")
    client = signed_in(app)
    before = read(client, f"progress/summary/{COURSE}")["videos"]
    stream = listening_here(client, f"key=progress:summary:{COURSE}")
    stream.next("hello")

    with caplog.at_level(logging.WARNING, "coursewire.freshness"):
        link_a_video(client)
        told = stream.next("stale")

    assert told.data["cause"] == "healed"
    assert told.data["keys"] == [["progress", "summary", COURSE]]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == EXACT.format(trace=told.data["trace"])
    answer = client.get(f"/q/progress/summary/{COURSE}", headers={"Live-Floor": told.id})
    assert answer.get_json() == {"videos": before + 1}
    wait_until(lambda: guard_of(app).report().healed == 1, "count of the healing")
    runtime_of(app).drain()


@on_sqlite
def test_the_screens_of_another_worker_are_healed_too(serve: Callable[[Mode], Flask]) -> None:
    here, there = serve("heal"), serve("heal")
    watching, writing = signed_in(there), signed_in(here)
    read(watching, f"progress/summary/{COURSE}")
    stream = listening_here(watching, f"key=progress:summary:{COURSE}")
    stream.next("hello")

    link_a_video(writing)

    assert stream.next("stale").data["cause"] == "healed"
    runtime_of(there).drain()


@on_sqlite
def test_switched_off_it_observes_nothing(serve: Callable[[Mode], Flask]) -> None:
    app = serve("off")
    client = signed_in(app)
    read(client, f"progress/summary/{COURSE}")

    link_a_video(client)

    report = guard_of(app).report()
    assert (report.answers, report.verdicts, report.findings) == (0, {}, ())
    assert guard_of(app)._inquiry._thread is None


def test_under_gunicorn_each_worker_heals_the_screens_of_the_other(
    settings: Settings, own_redis: RedisServer, tmp_path: Path
) -> None:
    environment = {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": own_redis.url,
        "WEB_CONCURRENCY": "2",
        "COURSEWIRE_HEARTBEAT_S": "0.5",
        "COURSEWIRE_UPLOAD_DIR": str(settings.upload_dir),
    }
    app = "tests.core.progress_wsgi:app"
    afresh = httpx.Limits(max_keepalive_connections=0)  # so that any worker may answer
    with (
        gunicorn(tmp_path, app=app, **environment) as server,
        httpx.Client(base_url=server.url, timeout=20, limits=afresh) as client,
        ExitStack() as streams,
    ):
        sign_in = {"email": "owner@example.test", "password": "demo"}
        client.post("/a/accounts/sign-in", json=sign_in).raise_for_status()
        before = client.get(f"/q/progress/summary/{COURSE}").json()["videos"]
        key = f"progress:summary:{COURSE}"
        watching = [streams.enter_context(listening(client, key)) for _ in range(6)]
        for stream in watching:
            stream.next("hello")
        chapter = client.get(f"/q/chapters/list/{COURSE}").json()[-1]["id"]
        video = {"title": "A new video", "url": "https://video.test/a.mp4"}
        media = client.post("/a/media/add-url", json=video).json()["result"]["media_file_id"]

        body = {"chapter_id": chapter, "media_ids": [media]}
        client.post("/a/chapters/link-media", json=body).raise_for_status()

        told = [stream.next("stale") for stream in watching]
        assert {each.data["cause"] for each in told} == {"healed"}
        answer = client.get(f"/q/progress/summary/{COURSE}", headers={"Live-Floor": told[0].id})
        assert answer.json() == {"videos": before + 1}
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    (found,) = {line["trace"]: line for line in lines if "finding" in line}.values()
    assert 'Write: @plugin.query("summary", …, stale_on=[ChapterAdded, ' in found["message"]
    assert found["trace"] == told[0].data["trace"]
    assert (found["plugin"], found["key"]) == ("progress", key)
