"""What is counted, who may see it, and that several workers make one sum."""

import os
import re
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from core.bus import Notice
from core.telemetry.metrics import Metrics
from core.telemetry.totals import Totals
from tests.core.asking import LIST, problem, write
from tests.core.conftest import BOOK, MakeApp, client_of, runtime_of
from tests.servers import Gunicorn, RedisServer, gunicorn, missing, sqlite_copy, wait_until

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def scrape(client: FlaskClient, **headers: str) -> str:
    """What Prometheus is answered; the client of these tests comes from loopback."""
    response = client.get("/metrics", headers=headers)
    assert response.status_code == 200, response.get_data(as_text=True)
    return response.get_data(as_text=True)


def samples_in(text: str) -> Samples:
    """The samples in *text*, as a parser of Prometheus's own project reads them."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the samples *name* with these labels."""
    return Totals(1, samples).value(f"coursewire_{name}", **labels)


def counted(app: Flask, name: str, **labels: str) -> float:
    return value(samples_in(scrape(client_of(app, None))), name, **labels)


def test_an_action_its_publication_and_the_refetches_are_counted(quick_app: Flask) -> None:
    owner, stranger = client_of(quick_app), client_of(quick_app, 3)

    write(owner, "one")
    first = owner.get(LIST)
    owner.get(LIST, headers={"If-None-Match": first.headers["ETag"]})
    stranger.get(LIST)
    refused = stranger.post("/a/notes/write", json={"book_id": BOOK, "text": "two"})
    owner.post("/a/notes/write", json={"book_id": BOOK})

    found = samples_in(scrape(client_of(quick_app, None)))
    assert refused.status_code == 404
    seconds = "action_seconds_count"
    assert value(found, seconds, action="notes.write", result="ok") == 1
    assert value(found, seconds, action="notes.write", result="refused") == 1
    assert value(found, seconds, action="notes.write", result="invalid") == 1
    assert value(found, "publications_total", result="ok") == 1
    assert value(found, "publication_seconds_count") == 1
    refetches = "refetches_total"
    assert value(found, refetches, namespace="notes.list", status="200") == 1
    assert value(found, refetches, namespace="notes.list", status="304") == 1
    assert value(found, refetches, namespace="notes.list", status="404") == 1
    assert value(found, "query_seconds_count", namespace="notes.list") == 2
    assert value(found, "cache_answers_total") == 2


def test_an_answer_tells_where_it_came_from(quick_app: Flask) -> None:
    runtime_of(quick_app).start()
    runtime_of(quick_app).hub.loaded.wait(10)
    owner = client_of(quick_app)

    said = [owner.get(LIST).headers["Server-Timing"] for _ in range(2)]

    assert said[0].startswith('cache;desc="database", read;dur=')
    assert said[1].startswith('cache;desc="memory", read;dur=')


def test_an_address_of_no_query_makes_no_label(quick_app: Flask) -> None:
    client_of(quick_app).get("/q/notes/unheard-of/7")

    assert "unheard" not in scrape(client_of(quick_app, None))


def test_the_outbox_is_measured_by_one_worker(
    make_app: MakeApp, sqlite_url: str, own_redis: RedisServer
) -> None:
    here = make_app(sqlite_url, redis_url=own_redis.url, fill=True)
    there = make_app(sqlite_url, redis_url=own_redis.url)
    own_redis.freeze()
    write(client_of(here), "owed")
    own_redis.thaw()

    wait_until(runtime_of(here).telemetry.tell, "report")
    wait_until(runtime_of(there).telemetry.tell, "report")

    assert [runtime_of(app).telemetry.measures for app in (here, there)] == [True, False]
    assert counted(there, "outbox_owed", kind="event") == 1
    assert counted(there, "outbox_age_seconds", kind="event") > 0
    assert counted(there, "outbox_parked", kind="event") == 0
    runtime_of(here).telemetry.tell(last=True)
    runtime_of(there).telemetry.tell()
    assert runtime_of(there).telemetry.measures


def test_a_scrape_of_any_worker_shows_all_of_them(make_app: MakeApp, sqlite_url: str) -> None:
    here, there = make_app(sqlite_url, fill=True), make_app(sqlite_url)
    write(client_of(here), "one")
    write(client_of(there), "two")
    runtime_of(here).telemetry.tell()

    for app in (there, here):
        assert counted(app, "action_seconds_count", action="notes.write") == 2
        assert counted(app, "workers") == 2
        assert counted(app, "plugin_info", plugin="notes") == 1
        assert counted(app, "metrics_partial") == 0


def test_open_descriptors_are_counted(quick_app: Flask) -> None:
    if not Path("/proc/self/fd").stat().st_size:
        missing("the count of open descriptors", "a Linux of 6.2 or newer")
    before = counted(quick_app, "process_open_descriptors")
    share = counted(quick_app, "process_descriptors_share")

    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(200)]
    try:
        more = counted(quick_app, "process_open_descriptors")
        larger = counted(quick_app, "process_descriptors_share")
    finally:
        for descriptor in opened:
            os.close(descriptor)

    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 195 <= more - before <= 205
    assert larger == more / most
    assert 0 < share < larger < 1


def test_a_worker_that_ended_is_no_worker_any_more_and_what_it_counted_stays(
    make_app: MakeApp, sqlite_url: str
) -> None:
    here, there = make_app(sqlite_url, fill=True), make_app(sqlite_url)
    runtime_of(here).start()
    write(client_of(here), "one")
    runtime_of(here).stop()

    assert counted(there, "action_seconds_count", action="notes.write") == 1
    assert counted(there, "workers") == 1


def test_a_report_whose_answer_is_lost_is_added_once(
    make_app: MakeApp, sqlite_url: str, own_redis: RedisServer
) -> None:
    """A frozen Redis has the report in its socket: it adds it as soon as it goes on."""
    app = make_app(sqlite_url, redis_url=own_redis.url, fill=True)
    metrics, telemetry = runtime_of(app).metrics, runtime_of(app).telemetry
    assert telemetry.tell()
    metrics.publications.labels("ok").inc(3)

    own_redis.freeze()
    assert not telemetry.tell()
    metrics.publications.labels("ok").inc(5)
    own_redis.thaw()
    with own_redis.client() as client:
        sums = f"{{{runtime_of(app).settings.redis_prefix}}}:metrics:sums"
        name = '["coursewire_publications_total",[["result","ok"]]]'
        wait_until(lambda: client.hget(sums, name) == "3", "late report")
        wait_until(telemetry.tell, "next report")

        assert client.hget(sums, name) == "8"
    assert counted(app, "publications_total") == 8


def test_while_redis_is_away_a_worker_shows_its_own_and_says_so(
    make_app: MakeApp, sqlite_url: str, own_redis: RedisServer
) -> None:
    app = make_app(sqlite_url, redis_url=own_redis.url, fill=True)
    runtime_of(app).metrics.publications.labels("ok").inc(3)
    assert counted(app, "publications_total") == 3

    own_redis.kill()
    own = samples_in(scrape(client_of(app, None)))
    runtime_of(app).metrics.publications.labels("ok").inc(4)
    own_redis.start()

    worker = f"{os.uname().nodename}:{os.getpid()}"
    assert all(("worker", worker) in labels for _, labels in own)
    assert value(own, "publications_total") == 3
    assert value(own, "metrics_partial") == 1
    wait_until(lambda: counted(app, "metrics_partial") == 0, "sum over all workers")
    # The new Redis is empty: the sums begin again with what was counted since the last report.
    assert counted(app, "publications_total") == 4


def test_counters_restart_after_a_flush_and_stay_there(
    make_app: MakeApp, sqlite_url: str, own_redis: RedisServer
) -> None:
    app = make_app(sqlite_url, redis_url=own_redis.url, fill=True)
    runtime_of(app).metrics.publications.labels("ok").inc(3)
    assert counted(app, "publications_total") == 3

    with own_redis.client() as client:
        client.flushall()
    runtime_of(app).metrics.publications.labels("ok").inc()

    assert counted(app, "publications_total") == 1
    assert counted(app, "degraded_seconds_total") == 0


def test_both_formats_are_read_by_their_parsers(quick_app: Flask) -> None:
    write(client_of(quick_app), "one")
    client = client_of(quick_app, None)

    plain = client.get("/metrics")
    opened = client.get("/metrics", headers={"Accept": OPEN_METRICS})

    assert plain.content_type.startswith("text/plain; version=0.0.4")
    assert opened.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert {plain.headers["Cache-Control"], opened.headers["Cache-Control"]} == {"no-store"}
    declared = {
        name: metric.kind for name, metric in runtime_of(quick_app).metrics.declared.items()
    }
    for families in (
        text_string_to_metric_families(plain.text),
        open_metrics_families(opened.text),
    ):
        assert {family.name: family.type for family in families} == declared


@pytest.mark.parametrize(
    "sent",
    [None, "Bearer", "Bearer wrong", "Bearer sécret", "Basic secret", "secret", "Bearer secret x"],
)
def test_the_wrong_token_finds_nothing_even_from_loopback(
    make_app: MakeApp, sqlite_url: str, sent: str | None
) -> None:
    client = client_of(make_app(sqlite_url, metrics_token="secret"), None)

    response = client.get("/metrics", headers={"Authorization": sent} if sent else {})

    assert problem(response, 404)["detail"] == problem(client.get("/openapi.json/x"), 404)["detail"]


def test_the_right_token_comes_from_anywhere(make_app: MakeApp, sqlite_url: str) -> None:
    client = client_of(make_app(sqlite_url, metrics_token="sécret"), None)
    headers = {"Authorization": "Bearer sécret".encode().decode("latin-1")}

    far = client.get(
        "/metrics",
        headers={**headers, "X-Forwarded-For": "203.0.113.9"},
        environ_base={"REMOTE_ADDR": "203.0.113.9"},
    )

    assert far.status_code == 200


@pytest.mark.parametrize("proxies", [0, 1])
@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("10.0.0.4", {}, 404),
        ("", {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 404),
        ("10.0.0.4", {"X-Forwarded-For": "127.0.0.1"}, 404),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}, 404),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 404),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}, 404),
    ],
)
def test_without_a_token_only_this_machine_itself_may_ask(
    make_app: MakeApp,
    sqlite_url: str,
    proxies: int,
    peer: str,
    headers: dict[str, str],
    status: int,
) -> None:
    """A trusted proxy's word changes the address that the app sees, and opens nothing here."""
    client = client_of(make_app(sqlite_url, trusted_proxies=proxies), None)

    response = client.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": peer})

    assert response.status_code == status


def test_every_metric_has_a_sentence_and_a_proper_name() -> None:
    for declared in Metrics().declared.values():
        assert declared.name.startswith("coursewire_")
        assert not declared.name.endswith("_total")
        assert declared.text.endswith("."), declared.name
        assert set(declared.labels) <= {
            "action", "build", "event", "kind", "namespace", "of", "plugin", "python", "reaction",
            "reason", "result", "source", "status", "verdict", "version", "within",
        }  # fmt: skip
        if declared.kind == "histogram":
            assert declared.name.endswith("_seconds")


def test_every_metric_is_counted_somewhere() -> None:
    """One that is only declared looks like one at which all is well."""
    core = Path(__file__).resolve().parent.parent.parent / "core"
    code = "".join(p.read_text() for p in core.rglob("*.py") if p.name != "metrics.py")
    held = vars(Metrics())
    names = [name for name in held if not name.startswith("_") and name != "declared"]

    assert len(names) > 40
    assert [name for name in names if not re.search(rf"\.{name}\b", code)] == []


@pytest.fixture(scope="module")
def two_workers(
    tmp_path_factory: pytest.TempPathFactory, filled_sqlite: Path, valkey: str
) -> Iterator[Gunicorn]:
    """Coursewire as it is run in production, with two workers."""
    folder = tmp_path_factory.mktemp("metrics")
    environment = {
        "DATABASE_URL": sqlite_copy(filled_sqlite, folder),
        "REDIS_URL": valkey,
        "COURSEWIRE_REDIS_PREFIX": "metrics-of-workers",
        "COURSEWIRE_UPLOAD_DIR": str(folder / "var" / "uploads"),
        "WEB_CONCURRENCY": "2",
    }
    with gunicorn(folder, **environment) as server:
        yield server


def seen_at(server: Gunicorn) -> Samples:
    return samples_in(httpx.get(f"{server.url}/metrics").raise_for_status().text)


def test_a_notice_is_counted_by_each_worker_that_heard_it(two_workers: Gunicorn) -> None:
    wait_until(lambda: value(seen_at(two_workers), "workers") == 2, "report of both workers")
    before = value(seen_at(two_workers), "notices_heard_total", event="course-added")
    with httpx.Client(base_url=two_workers.url) as client:
        client.post(
            "/a/accounts/sign-in", json={"email": "owner@example.test", "password": "demo"}
        ).raise_for_status()
        client.post("/a/courses/add", json={"title": "Counted"}).raise_for_status()

    def heard() -> float:
        return value(seen_at(two_workers), "notices_heard_total", event="course-added") - before

    wait_until(lambda: heard() >= 2, "notice heard twice")
    assert heard() == 2
    assert value(seen_at(two_workers), "notices_unwatched_total") > 0
    assert value(seen_at(two_workers), "notice_heard_seconds_count") >= 2


def test_counters_of_a_worker_that_is_killed_do_not_go_down(
    two_workers: Gunicorn, valkey: str
) -> None:
    def requests() -> Any:
        return value(seen_at(two_workers), "refetches_total", namespace="media.list")

    def both() -> bool:
        return value(seen_at(two_workers), "workers") == 2

    first, second = two_workers.workers
    wait_until(both, "report of both workers")
    for stopped in (first, second):
        with two_workers.paused(stopped), httpx.Client(base_url=two_workers.url) as client:
            for _ in range(5):
                client.get("/q/media/list")
            seen_at(two_workers)  # answered by the one that has counted these, and tells them first
    before = requests()
    assert before == 10

    os.kill(first, signal.SIGKILL)
    wait_until(lambda: first not in two_workers.workers, "new worker")
    wait_until(lambda: len(two_workers.workers) == 2, "second worker")

    assert requests() == before
    assert value(seen_at(two_workers), "process_cpu_seconds_total") > 0
    assert value(seen_at(two_workers), "process_resident_memory_bytes") > 1_000_000
    with redis.Redis.from_url(valkey, decode_responses=True) as client:

        def telling() -> set[int]:
            told = client.hkeys("{metrics-of-workers}:metrics:gauges")
            return {int(worker.split(":")[-2]) for worker in told}

        wait_until(lambda: telling() == set(two_workers.workers), "gauges of the living alone", 60)
    assert both()


def test_what_a_bus_cannot_publish_is_counted(
    make_app: MakeApp, sqlite_url: str, own_redis: RedisServer
) -> None:
    app = make_app(sqlite_url, redis_url=own_redis.url, fill=True)
    own_redis.freeze()
    write(client_of(app), "owed")
    own_redis.thaw()

    wait_until(lambda: counted(app, "metrics_partial") == 0, "Redis")

    assert counted(app, "publications_total", result="failed") == 1
    runtime_of(app).bus.publish(Notice(("notes",), "refresh", "t"))
    assert counted(app, "publications_total", result="ok") == 1
