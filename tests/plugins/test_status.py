"""`/status`: who may see it, that it says what /metrics says, and that ordinary writes move it."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from core import db, now, reading, transaction
from core.database import writing
from core.freshness.findings import MissedInvalidation
from core.outbox import OutboxEvent, OutboxReaction
from core.streams import PulledStream
from core.testing import Client, Site, conforms
from plugins.accounts.models import User
from plugins.status import plugin as status
from plugins.status.figures import Figures
from plugins.status.models import FoundMistake, Sample
from plugins.status.queries import status_now
from plugins.status.sampling import measure, take_sample
from tests.conftest import act
from tests.core.test_metrics import samples_in, value
from tests.servers import Gunicorn, gunicorn, sqlite_copy, wait_until

ClientFor = Callable[[str | None], FlaskClient]
KEYS = ("status:now", "status:parked", "status:findings")
ACTIONS = {
    "measure": {},
    "retry": {"kind": "event", "row_id": 1},
    "discard-row": {"kind": "event", "row_id": 1},
    "put-away": {"finding_id": 1},
}


def make_staff(app: Flask, email: str = "owner@example.test") -> None:
    with app.app_context(), writing():
        db.session.execute(update(User).where(User.email == email).values(staff=True))


@pytest.fixture
def staff(app: Flask, client_for: ClientFor) -> FlaskClient:
    make_staff(app)
    return client_for("owner")


@pytest.fixture
def watching(site: Site) -> Client:
    """Staff of a site that runs."""
    make_staff(site.app)
    client = site.client()
    client.act("accounts/sign-in", email="owner@example.test", password="demo")
    return client


@contextmanager
def somebody_looks(site: Site) -> Iterator[None]:
    """Meanwhile a stream of the site's worker watches the figures."""
    key = status_now.key()
    stream = PulledStream({key.text: key.parts}, None)
    site.runtime.hub.join(stream)
    yield
    site.runtime.hub.leave(stream)


def figures(client: FlaskClient) -> Any:
    response = client.get("/q/status/now")
    assert response.status_code == 200, response.get_data(as_text=True)
    return response.get_json()


def test_only_staff_see_it_and_for_others_it_is_not_there(
    staff: FlaskClient, editor: FlaskClient, anonymous: FlaskClient
) -> None:
    for page in ("/status", "/status/style"):
        assert staff.get(page).status_code == 200
        assert editor.get(page).status_code == 404
        assert anonymous.get(page).location == f"/sign-in?next={page}"
    for key in KEYS:
        path = f"/q/{key.replace(':', '/')}"
        assert staff.get(path).status_code == 200
        assert editor.get(path).status_code == 404
        assert anonymous.get(path).status_code in (401, 404)
    for name, body in ACTIONS.items():
        assert editor.post(f"/a/status/{name}", json=body).status_code == 404
        assert anonymous.post(f"/a/status/{name}", json=body).status_code == 401


def test_the_menu_of_staff_alone_leads_there(staff: FlaskClient, editor: FlaskClient) -> None:
    assert '<a class="menu-item" href="/status">' in staff.get("/courses").text
    assert 'href="/status"' not in editor.get("/courses").text


def test_before_the_first_sample_it_says_what_to_do(staff: FlaskClient) -> None:
    page = staff.get("/status").text

    assert "Nothing is measured yet" in page
    assert 'action="/a/status/measure"' in page


def test_it_says_what_metrics_says(app: Flask, staff: FlaskClient, editor: FlaskClient) -> None:
    act(staff, "status/measure")
    editor.get("/q/chapters/list/1")
    act(editor, "chapters/add", course_id=1, title="Counted")
    metrics = app.extensions["coursewire"].metrics
    metrics.painted_seconds.add(0.02)
    for within in ("1", "2", "10", "60"):
        metrics.fresh_writes.add(within, by=0 if within == "1" else 1)
    metrics.sighted_writes.add()

    act(staff, "status/measure")
    shown = figures(staff)
    scraped = samples_in(staff.get("/metrics").text)

    assert shown["number"] == 2
    assert shown["workers"] == value(scraped, "workers") == 1
    assert shown["browsers"] == value(scraped, "streams_open")
    assert shown["watched_keys"] == value(scraped, "watched_keys")
    assert shown["parked"] == value(scraped, "outbox_parked") == 0
    painted = next(lag for lag in shown["lags"] if lag["name"] == "Painted")
    assert painted["count"] == value(scraped, "painted_seconds_count") == 1
    writes = next(row for row in shown["nines"] if row["name"] == "Writes")
    assert writes["ever"] == {"of": 1, "within": {"1": 0.0, "2": 1.0, "10": 1.0, "60": 1.0}}
    plugins = {plugin["name"]: plugin["version"] for plugin in shown["plugins"]}
    told = [dict(labels) for name, labels in scraped if name == "coursewire_plugin_info"]
    assert plugins == {labels["plugin"]: labels["version"] for labels in told}
    assert "unknown" not in plugins.values()


def test_rates_and_lags_are_of_what_was_counted_between_samples(
    app: Flask, staff: FlaskClient
) -> None:
    metrics = app.extensions["coursewire"].metrics
    metrics.notice_written_seconds.add(40)
    act(staff, "status/measure")
    for _ in range(100):
        metrics.notice_written_seconds.add(0.02)

    act(staff, "status/measure")
    told = next(lag for lag in figures(staff)["lags"] if lag["name"] == "Told")

    assert told["count"] == 100, "what was before the first sample is no part of it"
    assert 10 <= told["p50_ms"] <= told["p99_ms"] <= 25


def test_its_fragment_draws_with_attributes_alone(staff: FlaskClient) -> None:
    act(staff, "status/measure")
    act(staff, "status/measure")

    fragment = staff.get("/q/status/now", headers={"Accept": "text/html"}).text

    assert "<svg" in fragment
    assert "<table" in fragment
    assert "style=" not in fragment
    assert "<script" not in fragment


def test_a_parked_row_is_shown_without_secrets_tried_again_and_discarded(
    app: Flask, staff: FlaskClient
) -> None:
    parked = {"attempts": 12, "parked_at": now(), "trace": "0" * 16, "payload": {}}
    error = "OperationalError: redis://:hunter2@cache.test refused ada@example.test"
    with app.app_context(), writing() as session:
        session.add(
            OutboxReaction(reaction="media.forget", event="media-removed", error=error, **parked)
        )
        session.add(OutboxEvent(event="gone", keys=[], due_at=now(), error="No", **parked))
    act(staff, "status/measure")

    event, reaction = sorted(staff.get("/q/status/parked").get_json(), key=lambda row: row["kind"])
    page = staff.get("/status").text
    assert (reaction["name"], reaction["attempts"]) == ("media.forget", 12)
    assert "hunter2" not in page
    assert "ada@example.test" not in page
    assert "media.forget" in page

    act(staff, "status/discard-row", kind="event", row_id=event["row_id"])
    act(staff, "status/retry", kind="reaction", row_id=reaction["row_id"])
    again = staff.post("/a/status/retry", json={"kind": "reaction", "row_id": reaction["row_id"]})

    assert staff.get("/q/status/parked").get_json() == []
    assert again.status_code == 409
    with app.app_context(), reading() as session:
        assert session.scalar(select(func.count(OutboxEvent.id))) == 0
        row = session.scalars(select(OutboxReaction)).one()
        assert (row.parked_at, row.attempts, row.error) == (None, 0, None)


def test_a_canary_flies_the_whole_way_and_is_counted(site: Site, watching: Client) -> None:
    with site.app.app_context(), site.live.expect_stale("status:now"):
        lag_s = measure()

    assert lag_s is not None
    assert 0 < lag_s < 60
    scraped = samples_in(watching.http.get("/metrics").text)
    assert value(scraped, "canaries_total", result="seen") == 1
    assert value(scraped, "canary_seconds_count") == 1
    assert value(scraped, "fresh_canaries_total", within="60") == 1
    assert value(scraped, "notice_heard_seconds_count") >= 1
    assert value(scraped, "notice_written_seconds_count") >= 1
    assert value(scraped, "streams_opened_total") == 0, "a canary is no browser"
    assert value(scraped, "action_seconds_count", action="status.measure") == 0
    assert figures(watching.http)["number"] == 1
    site.assert_fresh()


def test_a_round_measures_when_it_is_due_and_else_does_nothing(
    site: Site, watching: Client
) -> None:
    site.runtime.rounds.run()
    assert figures(watching.http)["number"] == 0, "nobody looks, and canaries are off"

    with somebody_looks(site):
        site.runtime.rounds.run()
        site.runtime.rounds.run()

    assert figures(watching.http)["number"] == 1, "the second round came before it was due"


def test_workers_that_measure_at_once_write_numbers_without_gap_or_twin(app: Flask) -> None:
    figures, start = Figures(), threading.Barrier(4)

    def write() -> bool:
        start.wait(10)
        with app.app_context():
            try:
                with transaction():
                    take_sample(figures)
            except IntegrityError:
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        written = sum(pool.map(lambda _: write(), range(4)))

    with app.app_context(), reading() as session:
        numbers = session.scalars(select(Sample.number).order_by(Sample.number)).all()
    assert list(numbers) == list(range(1, written + 1))
    assert written >= 1


def test_what_the_guard_found_is_noted_once_and_can_be_put_away(
    app: Flask, staff: FlaskClient
) -> None:
    found = MissedInvalidation(
        by="action 'chapters.link_media'",
        events=("MediaLinked",),
        tables=("chapter_media",),
        namespace="progress.summary",
        key="progress:summary:%7B%22search%22%3A%22classified%22%7D",
        owner="Query 'progress.summary'",
        plugin="progress",
        heard=("ChapterAdded",),
        trace="0" * 16,
        line='@plugin.query("summary", …, stale_on=[ChapterAdded, MediaLinked])',
    )
    runtime = app.extensions["coursewire"]
    runtime.freshness.findings.append(found)

    for _ in range(2):
        runtime.rounds.run()
    (shown,) = staff.get("/q/status/findings").get_json()
    page = staff.get("/status").text
    act(staff, "status/put-away", finding_id=shown["id"])
    runtime.rounds.run()

    assert shown["write"] == found.line
    assert shown["plugin"] == "progress"
    assert "MediaLinked])" in page
    assert "classified" not in page
    assert staff.get("/q/status/findings").get_json() == []
    with app.app_context(), reading() as session:
        assert session.scalar(select(func.count(FoundMistake.id))) == 1


def test_whatever_staff_do_an_event_names(site: Site, watching: Client) -> None:
    parked = {"attempts": 12, "parked_at": now(), "trace": "0" * 16, "payload": {}, "error": "No"}
    with site.app.app_context(), writing() as session:
        for _ in range(4):
            session.add(OutboxEvent(event="gone", keys=[], due_at=now(), **parked))
        session.add(FoundMistake(digest="1", plugin="progress", text="Missed invalidation: …"))
    rows = {"row_id": lambda: [1, 2, 3, 4], "finding_id": lambda: [1]}

    done = conforms(site, status, [watching], values=rows, examples=5)

    assert done["measure"]
    assert done["put_away"]


@pytest.fixture
def two_workers(filled_sqlite: Path, valkey: str, tmp_path: Path) -> Iterator[Gunicorn]:
    database_url = sqlite_copy(filled_sqlite, tmp_path)
    with sqlite3.connect(database_url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE account_user SET staff = 1 WHERE email LIKE 'owner@%'")
    connection.close()
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": valkey,
        "COURSEWIRE_REDIS_PREFIX": f"test-{tmp_path.name}"[:40],
        "COURSEWIRE_UPLOAD_DIR": str(tmp_path / "var" / "uploads"),
        "COURSEWIRE_CANARY_S": "1",
        "WEB_CONCURRENCY": "2",
    }
    with gunicorn(tmp_path, **environment) as server:
        yield server


def test_it_is_the_sum_over_two_workers_and_canaries_fly_by_themselves(
    two_workers: Gunicorn,
) -> None:
    with httpx.Client(base_url=two_workers.url) as client:
        body = {"email": "owner@example.test", "password": "demo"}
        client.post("/a/accounts/sign-in", json=body).raise_for_status()
        shown: dict[str, Any] = {}

        def both() -> bool:
            shown.update(client.get("/q/status/now").raise_for_status().json())
            return bool(shown["workers"] == 2 and shown["nines"][2]["ever"]["of"] > 0)

        wait_until(both, "sample of both workers after a canary")
        scraped = samples_in(client.get("/metrics").text)

    assert shown["nines"][2]["name"] == "Canaries"
    assert value(scraped, "canaries_total", result="seen") >= shown["nines"][2]["ever"]["of"]
    assert value(scraped, "canaries_total", result="lost") == 0
