"""What real servers write in their logs: one trace through all of it, and no secret."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask

from core.telemetry.lines import formatter, scrub
from core.telemetry.logs import trace_at_hand
from core.transactions import transaction
from tests.core.conftest import BOOK, MakeApp, client_of
from tests.core.listening import listening
from tests.servers import ROOT, Gunicorn, end, free_port, gunicorn, sqlite_copy, wait_until

SECRET = "what-nobody-may-read-4711"
SIGN_IN = {"email": "owner@example.test", "password": "demo"}
SECRETS = (SECRET, "example.test", "Cookie: s", "coursewire_session", "A secret title")

Line = dict[str, Any]


def lines_of(log: Path) -> list[Line]:
    """The objects in *log*; a line that is none fails the test."""
    return [json.loads(line) for line in log.read_text().split("\n")[:-1]]


def logged(log: Path, **fields: object) -> list[Line]:
    """The lines that have all these *fields*."""
    return [line for line in lines_of(log) if fields.items() <= line.items()]


@pytest.fixture(scope="module")
def talkative(
    tmp_path_factory: pytest.TempPathFactory, filled_sqlite: Path, valkey: str
) -> Iterator[Gunicorn]:
    """A server as in production, with an access log, and a plugin that does not keep secrets."""
    folder = tmp_path_factory.mktemp("logs")
    environment = {
        "DATABASE_URL": sqlite_copy(filled_sqlite, folder),
        "REDIS_URL": valkey,
        "COURSEWIRE_REDIS_PREFIX": "logs-of-workers",
        "COURSEWIRE_UPLOAD_DIR": str(folder / "uploads"),
        "COURSEWIRE_ACCESS_LOG": "-",
        "COURSEWIRE_LOG_LEVEL": "info",
        "WEB_CONCURRENCY": "1",
    }
    with gunicorn(folder, app="tests.core.talking_wsgi:app", **environment) as server:
        yield server


def test_one_trace_leads_from_an_action_to_the_refetches_of_others(talkative: Gunicorn) -> None:
    with httpx.Client(base_url=talkative.url, timeout=20) as client:
        client.post("/a/accounts/sign-in", json=SIGN_IN).raise_for_status()
        key = client.get("/q/courses/list").headers["Live-Key"]
        with listening(client, key) as told:
            told.next("hello")
            client.post("/a/courses/add", json={"title": "A secret title"}).raise_for_status()
            stale = told.next("stale")
            client.get("/q/courses/list", headers={"Live-Floor": stale.id}).raise_for_status()
        trace = stale.data["trace"]

    def traced_lines() -> list[Line]:
        return logged(talkative.log, trace=trace, logger="gunicorn.access")

    # A line is written after its answer.
    wait_until(lambda: len(traced_lines()) == 2, "line of the refetch")
    ended = {"logger": "coursewire.access", "path": "/live"}
    wait_until(lambda: logged(talkative.log, **ended), "line of the stream")
    traced = traced_lines()
    assert [(line["method"], line["path"], line["status"]) for line in traced] == [
        ("POST", "/a/courses/add", 200),
        ("GET", "/q/courses/list", 200),
    ]
    assert all(line["user"] == traced[0]["user"] and line["ms"] > 0 for line in traced)
    (stream,) = logged(talkative.log, **ended)
    assert stream["ended"] == "access"  # who adds a course may see more than before


def test_lines_of_plugins_and_failing_reactions_carry_the_trace(talkative: Gunicorn) -> None:
    whispered = httpx.post(f"{talkative.url}/a/talking/whisper", json={"secret": SECRET})
    failure = {"logger": "coursewire.relay", "level": "ERROR"}
    wait_until(lambda: logged(talkative.log, **failure), "failed reaction")

    assert whispered.status_code == 200
    (said,) = logged(talkative.log, logger="tests.core.talking")
    assert said["message"] == "somebody at <e-mail> whispers"
    failed = logged(talkative.log, **failure)[0]
    assert failed["message"].startswith("Reaction talking.hear (row ")
    assert "input_value=…, input_type=list" in failed["exception"]
    whispering = {"path": "/a/talking/whisper"}
    wait_until(lambda: logged(talkative.log, **whispering), "line of the request")
    (access,) = logged(talkative.log, **whispering)
    assert said["trace"] == failed["trace"] == access["trace"]


def test_no_line_tells_a_secret(talkative: Gunicorn) -> None:
    with httpx.Client(base_url=talkative.url, cookies={"coursewire_session": SECRET}) as client:
        said = [
            client.post("/a/talking/shout", json={"secret": SECRET}),
            client.post("/a/talking/whisper", json={"secret": SECRET}),
            client.get(f"/talking/{SECRET}?token={SECRET}", headers={"Referer": f"/?q={SECRET}"}),
            client.get(f"/q/talking/list/{SECRET}", headers={"User-Agent": SECRET}),
            client.get(f"/{SECRET}?token={SECRET}"),
            client.get("/q/media/list", params={"token": SECRET}),
            client.get("/live", params={"key": f"talking:list:{SECRET}", "since": SECRET}),
            client.get("/static/coursewire.css", params={"v": SECRET}),
        ]
    wait_until(lambda: logged(talkative.log, path="/static/coursewire.css"), "last line")
    wait_until(lambda: logged(talkative.log, path="/live", status=400), "line before it")

    assert [answer.status_code for answer in said] == [500, 200, 410, 200, 404, 401, 400, 200]
    answered = logged(talkative.log, logger="gunicorn.access")
    paths = {line["path"]: line["status"] for line in answered}
    assert paths["/talking/…"] == 410
    assert paths["/q/talking/list/…"] == 200
    assert paths["/…"] == 404
    (failed,) = logged(talkative.log, message="POST /a/talking/shout failed")
    assert failed["exception"].endswith(
        "CoursewireError: GET /talking?… was refused\nCookie: …\n"
        "redis://…@127.0.0.1 has no <e-mail>"
    )
    assert logged(talkative.log, path="/a/talking/shout")[0]["trace"] == failed["trace"]
    text = talkative.log.read_text()
    assert [secret for secret in SECRETS if secret in text] == []


def test_every_line_of_gunicorn_is_an_object_too(talkative: Gunicorn) -> None:
    (begun,) = [line for line in lines_of(talkative.log) if "Listening at" in line["message"]]

    assert begun["logger"] == "gunicorn.error"
    assert begun["pid"] == talkative.process.pid
    assert {"time", "level", "message"} <= begun.keys()


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_flask_run_writes_in_the_format_that_is_set(
    log_format: str, filled_sqlite: Path, valkey: str, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{(port := free_port())}"
    environment = {
        "SECRET_KEY": "a key for tests",
        "DATABASE_URL": sqlite_copy(filled_sqlite, tmp_path),
        "COURSEWIRE_REDIS_URL": valkey,
        "COURSEWIRE_LOG_FORMAT": log_format,
        "COURSEWIRE_UPLOAD_DIR": str(tmp_path / "uploads"),
        "FLASK_APP": "tests.core.talking_wsgi:app",
    }
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "flask", "run", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        wait_until(lambda: answers(url), "server")
        httpx.post(f"{url}/a/talking/shout", json={"secret": SECRET})
    finally:
        server.send_signal(signal.SIGINT)
        end(server)

    text = (tmp_path / "log").read_text()
    (line,) = [line for line in text.splitlines() if "/a/talking/shout failed" in line]
    assert SECRET not in text
    if log_format == "json":
        told = json.loads(line)
        assert (told["level"], told["logger"]) == ("ERROR", "coursewire.web")
        assert len(told["trace"]) == 16
    else:
        assert "[ERROR] POST /a/talking/shout failed (trace " in line


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def test_what_a_database_quotes_is_not_logged(
    make_app: MakeApp, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(database_url, fill=True)
    for log_format in ("json", "text"):
        caplog.handler.setFormatter(formatter(log_format, trace_at_hand))
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            client = client_of(app)
            answers = [
                client.post("/a/notes/write", json={"book_id": BOOK, "text": SECRET})
                for _ in range(2)
            ]

        assert answers[-1].status_code == 409
        assert "A write met another one: " in caplog.text
        assert SECRET not in caplog.text
        assert "trace" in caplog.text


def test_a_line_inside_a_transaction_has_its_trace(quick_app: Flask) -> None:
    assert trace_at_hand() is None
    with quick_app.app_context():
        assert trace_at_hand() is None
        with transaction() as work:
            assert trace_at_hand() == work.trace
        assert trace_at_hand() == work.trace


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("redis://user:word@host:6379/0 is away", "redis://…@host:6379/0 is away"),
        ("to ada.b+c@mail.example.org, now", "to <e-mail>, now"),
        ("Error handling request /a/b?x=1&y=2", "Error handling request /a/b?…"),
        ('"GET https://a.test/b?x=1 HTTP/1.1" 200', '"GET https://a.test/b?… HTTP/1.1" 200'),
        ("why? because/so?", "why? because/so?"),
        ("key 'media:list:%7B%22search%22%3A%22x%22%7D'", "key 'media:list:{…}'"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer …"),
        (
            "duplicate key\nDETAIL:  Key (title)=(a\nb) exists.\n\n[SQL: INSERT]\n",
            "duplicate key\nDETAIL: …\n[SQL: INSERT]\n",
        ),
        ('invalid input syntax for type integer: "x"', "invalid input syntax for type integer: …"),
    ],
)
def test_what_is_scrubbed(text: str, told: str) -> None:
    assert scrub(text) == told


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    told = scrub("first" + "x" * 20_000 + "last")

    assert len(told) < 8_100
    assert told.startswith("first")
    assert told.endswith("last")
