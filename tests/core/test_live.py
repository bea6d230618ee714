"""Streams as browsers get them: real gunicorn, two gevent workers, a real Valkey."""

import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest

from core.stamps import Stamp
from tests.core.listening import Listening, listening
from tests.servers import Gunicorn, RedisServer, gunicorn, redis_server, sqlite_copy, wait_until

HEARTBEAT_S = 0.3
CHAPTERS, DETAIL, MEMBERS = "chapters:list:1", "courses:detail:1", "courses:members:1"
NO_STAMP = "000000000000-1"
AFRESH = httpx.Limits(max_keepalive_connections=0)
"""A connection for each request, which any worker may take."""


Action = Callable[[], None]


@dataclass
class Site:
    """A running Coursewire, the Redis under it, and its people."""

    server: Gunicorn
    redis: RedisServer
    owner: httpx.Client
    editor: httpx.Client
    viewer: httpx.Client

    def add_chapter(self, title: str = "One more") -> dict[str, Any]:
        """Make the chapters of course 1 stale."""
        return act(self.owner, "chapters/add", course_id=1, title=title)

    def touch_library(self) -> dict[str, Any]:
        """Make something stale that no test watches."""
        return act(self.owner, "media/add-url", title="Clip", url="https://video.test/a.mp4")


def act(client: httpx.Client, action: str, **arguments: Any) -> dict[str, Any]:
    answer = client.post(f"/a/{action}", json=arguments)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@contextmanager
def running(folder: Path, redis: RedisServer, database_url: str, **chosen: str) -> Iterator[Site]:
    """A site with two workers and quick beats, unless *chosen* says otherwise."""
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis.url,
        "WEB_CONCURRENCY": "2",
        "COURSEWIRE_HEARTBEAT_S": str(HEARTBEAT_S),
        "COURSEWIRE_REDIS_TIMEOUT_S": "1",
        "COURSEWIRE_UPLOAD_DIR": str(folder / "uploads"),
        **chosen,
    }
    with gunicorn(folder, **environment) as server, ExitStack() as clients:
        people = []
        for role in ("owner", "editor", "viewer"):
            client = clients.enter_context(
                httpx.Client(base_url=server.url, timeout=20, limits=AFRESH)
            )
            act(client, "accounts/sign-in", email=f"{role}@example.test", password="demo")
            people.append(client)
        yield Site(server, redis, *people)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, filled_sqlite: Path) -> Iterator[Site]:
    """The site of most tests; each leaves course 1 with its members."""
    folder = tmp_path_factory.mktemp("site")
    with (
        redis_server("valkey") as redis,
        running(folder, redis, sqlite_copy(filled_sqlite, folder)) as site,
    ):
        yield site


@contextmanager
def fresh(client: httpx.Client) -> Iterator[httpx.Client]:
    """The same user on a new connection, which any worker may take."""
    base, cookies = client.base_url, client.cookies
    with httpx.Client(base_url=base, cookies=cookies, timeout=20) as other:
        yield other


def told_stale(stream: Listening) -> list[Any]:
    """The keys that a stream says are stale, at once or as soon as its worker has heard."""
    hello = stream.next("hello")
    if hello.data["verdict"] == "stale":
        return list(hello.data["stale"])
    assert hello.data["verdict"] == "current"
    return list(stream.next("stale", past=("degraded", "restored")).data["keys"])


def stamp_of(client: httpx.Client, path: str = "chapters/list/1") -> str:
    """The stamp of what this client is shown now."""
    stamp: str = client.get(f"/q/{path}").headers["Live-Stamp"]
    return stamp


def test_what_has_not_changed_is_current(site: Site) -> None:
    since = stamp_of(site.editor)

    with listening(site.editor, CHAPTERS, DETAIL, since=since) as stream:
        hello = stream.next("hello")

    assert hello.data == {
        "verdict": "current",
        "stale": [],
        "denied": [],
        "heartbeat_s": HEARTBEAT_S,
    }
    assert hello.stamp.reaches(Stamp.parse(since))


def test_what_changed_since_then_is_stale_and_the_rest_is_not(site: Site) -> None:
    since = stamp_of(site.editor)
    site.add_chapter()

    with listening(site.editor, CHAPTERS, MEMBERS, since=since) as stream:
        assert told_stale(stream) == [["chapters", "list", 1]]


def test_each_key_may_carry_a_stamp_of_its_own(site: Site) -> None:
    before = stamp_of(site.editor)
    after = site.add_chapter()["stamp"]

    keys = (f"{CHAPTERS}@{after}", f"{DETAIL}@{before}")
    with listening(site.editor, *keys, since=before) as stream:
        assert ["courses", "detail", 1] in told_stale(stream)


def test_last_event_id_wins_over_every_other_stamp(site: Site) -> None:
    before = stamp_of(site.editor)
    after = site.add_chapter()["stamp"]

    with listening(
        site.editor, f"{CHAPTERS}@{before}", since=before, Last_Event_ID=after
    ) as stream:
        assert stream.next("hello").data["verdict"] == "current"
    with listening(site.editor, f"{CHAPTERS}@{after}", since=after, Last_Event_ID=before) as stream:
        assert told_stale(stream) == [["chapters", "list", 1]]


def test_an_empty_last_event_id_says_nothing(site: Site) -> None:
    after = site.add_chapter()["stamp"]

    with listening(site.editor, f"{CHAPTERS}@{after}", Last_Event_ID="") as stream:
        assert stream.next("hello").data["verdict"] == "current"


@pytest.mark.parametrize("since", [None, NO_STAMP])
def test_without_a_stamp_of_this_generation_everything_is_reset(
    site: Site, since: str | None
) -> None:
    with listening(site.editor, CHAPTERS, DETAIL, since=since) as stream:
        hello = stream.next("hello")

    assert hello.data["verdict"] == "reset"
    assert hello.data["stale"] == [["chapters", "list", 1], ["courses", "detail", 1]]


def test_what_may_not_be_read_and_what_is_not_there_are_denied_alike(site: Site) -> None:
    with listening(
        site.viewer, CHAPTERS, "courses:detail:4711", MEMBERS, "courses:list:1",
        "courses:list:4711", since=stamp_of(site.viewer),
    ) as stream:  # fmt: skip
        hello = stream.next("hello")

    assert hello.data["denied"] == [
        ["courses", "detail", 4711],
        ["courses", "members", 1],
        ["courses", "list", 1],
        ["courses", "list", 4711],
    ]
    assert hello.data["verdict"] == "current"


def test_a_stream_of_denied_keys_alone_is_told_nothing_of_them(site: Site) -> None:
    with listening(site.viewer, MEMBERS, since=stamp_of(site.viewer)) as stream:
        stream.next("hello")
        act(site.owner, "courses/set-member", course_id=1, email="editor@example.test",
            role="editor")  # fmt: skip
        wait_until(lambda: len(stream.beats) > 2, "beats")

    assert {heard.event for heard in stream.everything} == {"hello", "beat"}


def test_what_is_written_between_the_page_and_the_stream_is_not_missed(site: Site) -> None:
    page = site.editor.get("/courses/1/edit", headers={"Accept": "text/html"}).text
    shown = dict(re.findall(r'<live-region[^>]* key="([^"]+)" stamp="([^"]+)"', page))
    site.add_chapter("In the gap")

    with listening(site.editor, *(f"{key}@{stamp}" for key, stamp in shown.items())) as stream:
        stale = told_stale(stream)

    assert {CHAPTERS, DETAIL} <= set(shown)
    assert ["chapters", "list", 1] in stale
    assert ["courses", "detail", 1] in stale


def test_a_write_reaches_streams_in_every_worker(site: Site) -> None:
    first, second = site.server.workers
    since = stamp_of(site.editor)
    with ExitStack() as open_streams:
        streams: dict[int, Listening] = {}
        for worker, other in ((first, second), (second, first)):
            client = open_streams.enter_context(fresh(site.editor))
            with site.server.paused(other):
                streams[worker] = open_streams.enter_context(
                    listening(client, CHAPTERS, since=since)
                )
                streams[worker].next("hello")

        for writer, other in ((first, second), (second, first)):
            with site.server.paused(other), fresh(site.owner) as client:
                answer = act(client, "chapters/add", course_id=1, title=f"By worker {writer}")
            for stream in streams.values():
                heard = stream.next("stale")
                assert heard.data["keys"] == [["chapters", "list", 1]]
                assert heard.data["cause"] == "chapter-added"
                assert re.fullmatch(r"[0-9a-f]{16}", heard.data["trace"])
                assert heard.id == answer["stamp"]


def test_a_browser_hears_only_of_what_it_watches(site: Site) -> None:
    since = stamp_of(site.editor)
    with (
        listening(site.editor, CHAPTERS, DETAIL, since=since) as both,
        listening(site.editor, DETAIL, since=since) as detail,
        listening(site.editor, "chapters:list:11", "media:list", since=since) as neither,
    ):
        for stream in (both, detail, neither):
            stream.next("hello")

        site.add_chapter()
        library = site.touch_library()

        assert sorted(both.next("stale").data["keys"]) == [
            ["chapters", "list", 1],
            ["courses", "detail", 1],
        ]
        assert detail.next("stale").data["keys"] == [["courses", "detail", 1]]
        assert neither.next("stale").data["keys"] == [["media", "list"]]
        wait_until(lambda: both.beats and both.beats[-1].id == library["stamp"], "beat")
        assert [heard.event for heard in both.everything if heard.event != "beat"] == [
            "hello",
            "stale",
        ]


def test_the_refetch_after_a_notice_shows_what_was_written(site: Site) -> None:
    with listening(site.viewer, CHAPTERS, since=stamp_of(site.viewer)) as stream:
        stream.next("hello")
        site.add_chapter("Shown at once")
        heard = stream.next("stale")

        for _ in range(4):  # on whichever worker
            with fresh(site.viewer) as client:
                answer = client.get("/q/chapters/list/1", headers={"Live-Floor": heard.id})
            assert Stamp.parse(answer.headers["Live-Stamp"]).reaches(heard.stamp)
            assert "Shown at once" in [chapter["title"] for chapter in answer.json()]


def test_beats_keep_coming_with_ids_that_move(site: Site) -> None:
    with listening(site.editor, MEMBERS, since=stamp_of(site.editor)) as stream:
        hello = stream.next("hello")
        wait_until(lambda: len(stream.beats) >= 2, "two beats", 10 * HEARTBEAT_S)

        written = site.touch_library()

        wait_until(lambda: stream.beats[-1].id == written["stamp"], "beat with the new stamp")
        sequences = [beat.stamp.sequence for beat in stream.beats]
        assert sequences == sorted(sequences)
        assert sequences[0] == hello.stamp.sequence


def test_access_lost_ends_the_stream_and_the_reconnect_meets_the_guard(site: Site) -> None:
    viewer = {"course_id": 1, "email": "viewer@example.test", "role": "viewer"}
    user_id = site.viewer.get("/q/accounts/me", follow_redirects=True).json()["user_id"]
    since = stamp_of(site.viewer)
    with (
        listening(site.viewer, CHAPTERS, since=since) as lost,
        listening(site.editor, CHAPTERS, since=since) as kept,
    ):
        lost.next("hello")
        kept.next("hello")

        act(site.owner, "courses/remove-member", course_id=1, user_id=user_id)

        assert lost.next("stale").data["keys"] == [["chapters", "list", 1]]
        assert lost.next("bye").data["reason"] == "access"
        assert lost.rest() == []
        with listening(site.viewer, CHAPTERS, since=since) as again:
            assert again.next("hello").data["denied"] == [["chapters", "list", 1]]
        assert site.viewer.get("/q/chapters/list/1").status_code == 404
        act(site.owner, "courses/set-member", **viewer)
        site.add_chapter()
        kept.next("stale")

    with listening(site.viewer, CHAPTERS) as back:
        assert back.next("hello").data["denied"] == []


def test_signing_out_ends_the_streams_of_that_session(site: Site) -> None:
    with httpx.Client(base_url=site.server.url, timeout=20) as client:
        act(client, "accounts/sign-in", email="editor@example.test", password="demo")
        with listening(client, CHAPTERS, since=stamp_of(client)) as stream:
            stream.next("hello")

            act(client, "accounts/sign-out")

            assert stream.next("stale").data["cause"] == "access"
            assert stream.next("bye").data["reason"] == "access"
        assert client.get(f"/live?key={CHAPTERS}").status_code == 401


def test_a_redis_that_is_flushed_resets_everybody_and_nothing_stays_stale(site: Site) -> None:
    with listening(site.editor, CHAPTERS, since=stamp_of(site.editor)) as stream:
        before = stream.next("hello").stamp

        with site.redis.client() as client:
            client.flushall()

        heard = stream.next("stale")
        assert heard.data["keys"] == [["chapters", "list", 1]]
        assert heard.data["cause"] == "reset"
        assert heard.stamp.generation != before.generation
    with listening(site.editor, CHAPTERS, since=str(before)) as stream:
        if stream.next("hello").data["verdict"] != "reset":  # its worker has not noticed yet
            assert stream.next("stale").data["cause"] == "reset"


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("", "A stream needs at least one key: /live?key=chapters:list:42"),
        ("since=" + NO_STAMP, "A stream needs at least one key: /live?key=chapters:list:42"),
        ("key=", "“” is not a key: a segment is empty."),
        ("key=chapters", "“chapters” is not a key: no plugin has this namespace."),
        ("key=chapters:list", "“chapters:list” is not a key: chapters.list takes 1 parameters."),
        ("key=no:such:1", "“no:such:1” is not a key: no plugin has this namespace."),
        ("key=access:1", "“access:1” is not a key: no plugin has this namespace."),
        (
            "key=chapters:list:01",
            "“chapters:list:01” is not a key: “course_id” is not spelled right.",
        ),
        ("key=chapters:list:1%3A", "“chapters:list:1:” is not a key: a segment is empty."),
        (
            "key=chapters:list:%2531",
            "“chapters:list:%31” is not a key: write it as “chapters:list:1”.",
        ),
        (
            "key=media:list:%257B%2522page%2522%253A1%257D",
            "“media:list:%7B%22page%22%3A1%7D” is not a key: write it as “media:list”.",
        ),
        ("key=media:list:x", "“media:list:x” is not a key: its last segment is not a JSON object."),
        ("key=chapters:list:1@garbage", None),
        ("key=chapters:list:1&since=garbage", None),
        ("key=chapters:list:1&since=" + "1" * 500, None),
        ("key=chapters:list:%00", None),
        ("key=%ff%fe", None),
        ("key=" + "a" * 1100, None),
    ],
)  # fmt: skip
def test_what_is_no_key_or_stamp_is_refused(site: Site, query: str, detail: str | None) -> None:
    answer = site.editor.get(f"/live?{query}")

    assert_problem(answer, 400)
    assert detail is None or answer.json()["detail"] == detail


def test_hundreds_of_keys_in_one_stream_are_refused(site: Site) -> None:
    query = "&".join(f"key=courses:detail:{number}" for number in range(1, 301))

    answer = site.editor.get(f"/live?{query}")

    assert_problem(answer, 400)
    assert answer.json()["detail"] == "A stream watches at most 100 keys; 300 were asked for."


def test_a_stamp_in_last_event_id_that_is_none_is_refused(site: Site) -> None:
    answer = site.editor.get(f"/live?key={CHAPTERS}", headers={"Last-Event-ID": "garbage"})

    assert_problem(answer, 400)


def test_nobody_may_watch_what_needs_a_sign_in(site: Site) -> None:
    answer = httpx.get(f"{site.server.url}/live?key={CHAPTERS}")

    assert_problem(answer, 401)


def test_another_site_may_not_open_a_stream(site: Site) -> None:
    answer = site.editor.get(f"/live?key={CHAPTERS}", headers={"Sec-Fetch-Site": "cross-site"})

    assert_problem(answer, 403)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_stream_is_got_and_nothing_else(site: Site, method: str) -> None:
    assert_problem(site.editor.request(method, f"/live?key={CHAPTERS}"), 405)


def test_the_same_key_twice_is_one_key(site: Site) -> None:
    with listening(site.editor, CHAPTERS, CHAPTERS) as stream:
        assert stream.next("hello").data["stale"] == [["chapters", "list", 1]]


def test_an_address_with_the_host_in_it_is_understood(site: Site) -> None:
    """RFC 9112, section 3.2.2: a server must accept the absolute form."""
    target = f"{site.server.url}/q/chapters/list/1"

    answer = raw_answer(site, target)

    assert answer.startswith(b"HTTP/1.1 200 ")


def raw_answer(site: Site, target: str) -> bytes:
    address = urlsplit(site.server.url)
    cookies = "; ".join(f"{name}={value}" for name, value in site.editor.cookies.items())
    with socket.create_connection((address.hostname or "", address.port or 0), 10) as connection:
        connection.sendall(
            f"GET {target} HTTP/1.1\r\nHost: {address.netloc}\r\nCookie: {cookies}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        return connection.recv(1000)


def assert_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"title", "status", "detail"} <= answer.json().keys()


def test_the_headers_of_a_stream_keep_proxies_from_holding_it_back(site: Site) -> None:
    with site.editor.stream("GET", f"/live?key={CHAPTERS}") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache, no-transform"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert "Content-Length" not in answer.headers
        assert "Content-Encoding" not in answer.headers


def connections_to_redis(site: Site) -> tuple[int, int]:
    """How many there are, and how many of them subscribe."""
    with site.redis.client() as client:
        found = [one for one in client.client_list() if one["cmd"] != "client|list"]
        return len(found), sum(int(one["sub"]) > 0 for one in found)


def test_a_worker_has_one_subscriber_and_at_most_three_more_connections(site: Site) -> None:
    since = stamp_of(site.editor)
    with ExitStack() as open_streams:
        for _ in range(20):
            stream = open_streams.enter_context(listening(site.editor, CHAPTERS, since=since))
            stream.next("hello")
        for number in range(10):
            site.add_chapter(f"Chapter {number}")
        total, subscribers = connections_to_redis(site)

    workers = len(site.server.workers)
    assert workers == 2
    assert subscribers == workers
    assert total <= workers * (1 + 3)
    with site.redis.client() as client:
        channels = sorted(client.pubsub_channels())
        assert [str(channel).split(":")[-1] for channel in channels] == [
            "notices", "seen", "writes",
        ]  # fmt: skip
        assert client.pubsub_numsub(*channels) == [(channel, workers) for channel in channels]


@pytest.fixture(scope="module")
def small_site(
    tmp_path_factory: pytest.TempPathFactory, filled_postgresql: Path, postgresql_url: str
) -> Iterator[Site]:
    """One worker with one database connection (PostgreSQL), that may have five streams."""
    folder = tmp_path_factory.mktemp("small")
    name = f"live_{uuid4().hex}"
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE filled".encode())
    with (
        redis_server("valkey") as redis,
        running(
            folder,
            redis,
            postgresql_url.replace("/postgres", f"/{name}"),
            WEB_CONCURRENCY="1",
            COURSEWIRE_DATABASE_POOL_SIZE="1",
            COURSEWIRE_DATABASE_TIMEOUT_S="2",
            COURSEWIRE_STREAMS_PER_WORKER="5",
        ) as site,
    ):
        yield site


@pytest.mark.postgres
def test_a_stream_holds_no_database_connection(small_site: Site) -> None:
    with ExitStack() as open_streams:
        for _ in range(5):
            stream = open_streams.enter_context(listening(small_site.viewer, CHAPTERS))
            stream.next("hello")

        answer = small_site.add_chapter()

        assert stream.next("stale").id == answer["stamp"]
        assert small_site.viewer.get("/q/chapters/list/1").status_code == 200


@pytest.mark.postgres
def test_one_stream_more_than_allowed_is_told_to_come_back_and_may_once_one_left(
    small_site: Site,
) -> None:
    wait_until(lambda: may_open(small_site), "free place")
    with ExitStack() as open_streams:
        for _ in range(5):
            stream = open_streams.enter_context(listening(small_site.viewer, CHAPTERS))
            stream.next("hello")

        refused = small_site.owner.get(f"/live?key={CHAPTERS}")

        assert_problem(refused, 503)
        assert int(refused.headers["Retry-After"]) > 0

    wait_until(lambda: may_open(small_site), "free place")


def may_open(site: Site) -> bool:
    with site.owner.stream("GET", f"/live?key={CHAPTERS}") as answer:
        return answer.status_code == 200


@pytest.mark.postgres
def test_browsers_that_leave_at_once_or_ask_only_for_the_head_leave_nothing_behind(
    small_site: Site,
) -> None:
    address = urlsplit(small_site.server.url)
    cookies = "; ".join(f"{n}={v}" for n, v in small_site.viewer.cookies.items())
    for method in ["GET", "HEAD"] * 8:
        with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
            connection.sendall(
                f"{method} /live?key={CHAPTERS} HTTP/1.1\r\nHost: {address.netloc}\r\n"
                f"Cookie: {cookies}\r\n\r\n".encode()
            )

    wait_until(lambda: may_open(small_site), "free place")
    with ExitStack() as open_streams:
        wait_until(lambda: may_open(small_site), "free place")
        for _ in range(4):
            open_streams.enter_context(listening(small_site.viewer, CHAPTERS)).next("hello")


def test_a_server_told_to_end_sends_every_browser_away_quickly(
    tmp_path: Path, filled_sqlite: Path, own_redis: RedisServer
) -> None:
    with (
        running(tmp_path, own_redis, sqlite_copy(filled_sqlite, tmp_path)) as site,
        ExitStack() as open_streams,
    ):
        streams = [open_streams.enter_context(listening(site.viewer, CHAPTERS)) for _ in range(6)]
        for stream in streams:
            stream.next("hello")

        begun = time.monotonic()
        site.server.process.send_signal(signal.SIGTERM)

        for stream in streams:
            bye = stream.next("bye", past=("degraded", "restored"))  # its worker was just starting
            assert bye.data["reason"] == "drain"
            assert bye.data["retry_ms"] >= 0
            assert stream.rest() == []
        assert site.server.process.wait(15) == 0
        assert time.monotonic() - begun < 10, "graceful_timeout, 20 s, was not waited for"


def test_a_worker_that_dies_is_replaced_and_its_browsers_miss_nothing(site: Site) -> None:
    victim, other = site.server.workers
    with fresh(site.viewer) as client, site.server.paused(other):
        opening = listening(client, CHAPTERS)
        stream = opening.__enter__()
        last = stream.next("hello").id
    try:
        os.kill(victim, signal.SIGKILL)

        assert stream.rest() == []
    finally:
        opening.__exit__(None, None, None)
    site.add_chapter("Written while the browser was away")
    with (
        fresh(site.viewer) as client,
        listening(client, CHAPTERS, Last_Event_ID=last) as stream,
    ):
        assert told_stale(stream) == [["chapters", "list", 1]]
    wait_until(lambda: victim not in site.server.workers, "end of the worker")
    wait_until(lambda: len(site.server.workers) == 2, "worker in its place")


@pytest.fixture
def leave(site: Site, request: pytest.FixtureRequest) -> Iterator[tuple[Action, Action]]:
    """Takes Redis away, and gives it back; the next test finds everything well again."""
    redis = site.redis
    away, back = (redis.kill, redis.start) if request.param == "killed" else (
        redis.freeze, redis.thaw,
    )  # fmt: skip
    yield away, back
    if not redis.answers():
        back()
    for _ in range(2):
        wait_until(lambda: site.add_chapter()["stamp"] is not None, "a stamp again")


@pytest.mark.parametrize("leave", ["killed", "frozen"], indirect=True)
def test_redis_may_go_and_come_back_and_nothing_is_lost(
    site: Site, leave: tuple[Action, Action]
) -> None:
    away, back = leave
    with fresh(site.viewer) as client, listening(client, CHAPTERS) as stream:
        stream.next("hello")

        away()
        stream.next("degraded")
        begun = time.monotonic()
        answer = site.add_chapter("Written without Redis")
        took_s = time.monotonic() - begun

        assert answer["stamp"] is None
        assert took_s < 5
        shown = site.viewer.get("/q/chapters/list/1")
        assert shown.json()[-1]["title"] == "Written without Redis"

        back()
        told = [stream.next()]
        while told[-1].event != "stale":
            told.append(stream.next())

    assert told[-1].data["keys"] == [["chapters", "list", 1]]
    assert told[-1].data["cause"] in ("reset", "resume", "chapter-added")
