"""A browser may come back with any stamp at all: it is told exactly what it has not seen."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from core.bus import Bus, Notice
from core.stamps import Stamp
from tests.conftest import settings_for
from tests.core.listening import Heard, listening
from tests.faults.site import CHAPTERS, DETAIL, Site, running
from tests.servers import RedisServer, redis_server, sqlite_copy, wait_until

MEMBERS = "courses:members:1"
QUIET = {"COURSEWIRE_HEARTBEAT_S": "50", "COURSEWIRE_SWEEP_S": "600"}
"""No beat and no sweep: what Redis is asked, it is asked by those who come."""
SMALL = {"COURSEWIRE_VERSIONS_KEPT": "100", "COURSEWIRE_VERSIONS_LOADED": "50"}


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server("valkey") as server:
        yield server


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, filled_sqlite: Path, redis: RedisServer
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("since")
    database_url = sqlite_copy(filled_sqlite, folder)
    with running(folder, redis.url, database_url, **QUIET, **SMALL) as site:
        for number in range(8):  # both workers serve, and have heard
            site.act("chapters/add", course_id=1, title=f"Chapter {number}")
        yield site


def rename(site: Site, title: str) -> Stamp:
    """Make the chapters of course 1 stale."""
    body = {"title": site.title_of(3)}
    return Stamp.parse(site.act("chapters/rename", chapter_id=3, title=title, was=body)["stamp"])


def hello(site: Site, *keys: str, since: object = None) -> Heard:
    """The first frame, once its worker has heard of all that is published."""
    newest = site.stamp("courses/detail/1")
    while True:
        with listening(site.owner, *keys, since=None if since is None else str(since)) as stream:
            heard = stream.next("hello")
        if heard.id and heard.stamp.sequence >= newest.sequence:
            return heard


def told(heard: Heard) -> tuple[str, list[list[Any]]]:
    return heard.data["verdict"], heard.data["stale"]


def noise(redis: RedisServer, count: int) -> None:
    """Let *count* keys that nobody watches be published."""
    bus = Bus(
        settings_for("sqlite://", redis.url, Path()).model_copy(
            update={"redis_prefix": "coursewire", "versions_kept": 100}
        )
    )
    for number in range(count):
        bus.publish(Notice((f"noise:{number}",), "test", ""))
    bus.close()


def test_with_the_stamp_of_now_nothing_is_stale(site: Site) -> None:
    now = rename(site, "Now")

    assert told(hello(site, CHAPTERS, DETAIL, since=now)) == ("current", [])


def test_with_an_old_stamp_exactly_what_changed_is_stale(site: Site) -> None:
    before = rename(site, "Before")
    rename(site, "After")

    assert told(hello(site, CHAPTERS, MEMBERS, since=before)) == (
        "stale",
        [["chapters", "list", 1]],
    )


def test_each_key_has_its_own_past(site: Site) -> None:
    before = rename(site, "Own past")
    now = rename(site, "Own present")

    heard = hello(site, f"{CHAPTERS}@{now}", f"{DETAIL}@{before}", since="000000000000-1")

    assert told(heard) == ("stale", [["courses", "detail", 1]])


def test_below_the_horizon_what_nobody_remembers_is_stale(site: Site, redis: RedisServer) -> None:
    before = rename(site, "Long ago")
    noise(redis, 300)

    assert told(hello(site, CHAPTERS, MEMBERS, since=before)) == (
        "stale",
        [["chapters", "list", 1], ["courses", "members", 1]],
    )


def test_a_quiet_page_whose_id_moves_with_the_beats_stays_above_the_horizon(
    tmp_path: Path, filled_sqlite: Path, own_redis: RedisServer
) -> None:
    database_url = sqlite_copy(filled_sqlite, tmp_path)
    quick = {**SMALL, "COURSEWIRE_HEARTBEAT_S": "0.2", "WEB_CONCURRENCY": "1"}
    with running(tmp_path, own_redis.url, database_url, **quick) as site:
        first = site.stamp("courses/members/1")
        with listening(site.owner, MEMBERS, since=str(first)) as stream:
            stream.next("hello")
            noise(own_redis, 300)
            wait_until(
                lambda: stream.beats and stream.beats[-1].stamp.sequence >= first.sequence + 300,
                "beat above the noise",
            )
            last = stream.beats[-1].stamp
            said = [heard.event for heard in stream.everything if heard.event == "stale"]
        assert not said
        assert told(hello(site, MEMBERS, since=last)) == ("current", [])
        assert told(hello(site, MEMBERS, since=first))[0] == "stale"


@pytest.mark.parametrize("since", [None, "000000000000-1", "ffffffffffff-999999999"])
def test_without_a_stamp_of_this_generation_everything_is_read_again(
    site: Site, since: str | None
) -> None:
    assert told(hello(site, CHAPTERS, MEMBERS, since=since)) == (
        "reset",
        [["chapters", "list", 1], ["courses", "members", 1]],
    )


def test_with_a_stamp_from_the_future_later_notices_still_arrive(site: Site) -> None:
    now = rename(site, "The present")
    future = Stamp(now.generation, now.sequence + 1000)

    with listening(site.owner, CHAPTERS, since=str(future)) as stream:
        assert told(stream.next("hello")) == ("current", [])
        stamp = rename(site, "The future")
        assert stream.next("stale").stamp == stamp


@pytest.mark.parametrize("since", ["garbage", "-1", "000000000000--1", "0" * 12 + "-" + "9" * 30])
def test_garbage_is_refused(site: Site, since: str) -> None:
    answer = site.owner.get("/live", params={"key": CHAPTERS, "since": since})

    assert answer.status_code == 400
    assert "is not a stamp" in answer.json()["detail"]


def asked_so_far(client: Redis) -> int:
    """How many commands Redis has run, but for pings and for our own questions."""
    stats = client.info("commandstats")
    return sum(
        numbers["calls"]
        for name, numbers in stats.items()
        if name not in ("cmdstat_ping", "cmdstat_info", "cmdstat_hello")
    )


def test_who_comes_back_is_answered_without_asking_redis(site: Site, redis: RedisServer) -> None:
    before = rename(site, "Asked before")
    now = rename(site, "Asked after")
    asks = [now, before, Stamp(now.generation, 0), "000000000000-1", None]
    for _ in range(4):
        hello(site, CHAPTERS, DETAIL, since=now)  # sessions and guards are remembered from here on
    costs, verdicts = [], []
    with redis.client() as client:
        for _ in range(6):
            asked = asked_so_far(client)
            for since in asks:
                text = None if since is None else str(since)
                with listening(site.owner, CHAPTERS, DETAIL, since=text) as stream:
                    verdicts.append(stream.next("hello").data["verdict"])
            costs.append(asked_so_far(client) - asked)

    # What the workers tell of their metrics falls into one round or two; a question of those who
    # come would fall into all.
    assert costs.count(0) >= 4, costs
    assert verdicts == ["current", "stale", "stale", "reset", "reset"] * 6


def test_after_a_deploy_new_hubs_know_what_was_published_before_them(site: Site) -> None:
    before = rename(site, "Before the deploy")
    now = rename(site, "Just before the deploy")
    old = set(site.server.workers)

    site.server.process.send_signal(signal.SIGHUP)
    wait_until(
        lambda: len(site.server.workers) == 2 and not old & set(site.server.workers), "deploy"
    )

    assert told(hello(site, CHAPTERS, MEMBERS, since=now)) == ("current", [])
    assert told(hello(site, CHAPTERS, DETAIL, since=before)) == (
        "stale",
        [["chapters", "list", 1], ["courses", "detail", 1]],
    )
