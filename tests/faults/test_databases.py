"""Databases that are slow, locked, or gone: no stream waits for them, and nothing is half done."""

import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from tests.faults.ledger import Ledger, State
from tests.faults.proxy import Proxy
from tests.faults.site import (
    CHAPTERS,
    OUTLINE,
    Site,
    Writer,
    postgresql_copy,
    running,
    settle,
    watched,
)
from tests.servers import RedisServer, sqlite_copy, wait_until

STREAMS = 500
LOCKED_S = 4.0


def test_a_wait_for_sqlites_lock_never_stalls_the_beats(
    tmp_path: Path, filled_sqlite: Path, own_redis: RedisServer, ledger: Ledger
) -> None:
    database_url = sqlite_copy(filled_sqlite, tmp_path)
    quick = {"COURSEWIRE_HEARTBEAT_S": "0.2", "COURSEWIRE_DATABASE_TIMEOUT_S": "20"}
    with (
        running(tmp_path, own_redis.url, database_url, WEB_CONCURRENCY="1", **quick) as site,
        watched(site, ledger, 3) as screens,
        closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as other,
        ExitStack() as writing,
    ):
        wait_until(lambda: all(screen.beats for screen in screens), "beats")
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        writers = [writing.enter_context(Writer(site, ledger, n, 0.01)) for n in (1, 2, 3)]
        wait_until(
            lambda: all(s.beats and s.beats[-1] > begun + LOCKED_S for s in screens),
            "beats during the lock",
        )
        assert not any(writer.committed for writer in writers), "they wait for the lock"
        other.rollback()
        wait_until(lambda: all(writer.committed for writer in writers), "writes")

    beats = [[beat for beat in s.beats if beat > begun] for s in screens]
    gaps = [after - before for each in beats for before, after in pairwise(each)]
    assert max(gaps) < LOCKED_S / 2, "a stalled worker would have been silent for all that time"


class Watching:
    """A socket with a stream on it, and nothing else: hundreds of them are cheap."""

    def __init__(self, site: Site) -> None:
        host, _, port = site.url.removeprefix("http://").partition(":")
        cookies = "; ".join(f"{name}={value}" for name, value in site.owner.cookies.items())
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        request = f"GET /live?key={CHAPTERS} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookies}\r\n\r\n"
        self.socket.sendall(request.encode())
        self._data = ""

    def frame(self, event: str) -> str:
        """The data of the next frame of this kind."""
        while True:
            while "\n\n" not in self._data:
                read = self.socket.recv(65536)
                assert read, f"the stream ended before {event}"
                self._data += read.decode()
                assert not self._data.startswith("HTTP/1.1") or "200 OK" in self._data, self._data
            frame, _, self._data = self._data.partition("\n\n")
            if f"event: {event}" in frame:
                return frame.partition("data: ")[2]


@pytest.mark.postgres
def test_hundreds_of_streams_hold_none_of_two_connections_and_a_reset_is_spread_over_them(
    tmp_path: Path, filled_postgresql: Path, postgresql_url: str, own_redis: RedisServer
) -> None:
    limits = {
        "WEB_CONCURRENCY": "1",
        "COURSEWIRE_DATABASE_POOL_SIZE": "2",
        "COURSEWIRE_STREAMS_PER_USER": str(STREAMS),
    }
    with (
        postgresql_copy(postgresql_url) as url,
        running(tmp_path, own_redis.url, url, **limits) as site,
        ExitStack() as leaving,
    ):
        streams = []
        for _ in range(STREAMS):
            stream = Watching(site)
            leaving.callback(stream.socket.close)
            stream.frame("hello")
            streams.append(stream)
        assert connections(url) <= 2

        assert site.owner.get("/q/chapters/list/1").status_code == 200
        site.act("chapters/add", course_id=1, title="Seen by all")
        assert {'"spread_ms":0' in stream.frame("stale") for stream in streams} == {True}

        with own_redis.client() as client:
            client.flushall()
        spread = {stream.frame("stale").partition('"spread_ms":')[2].strip() for stream in streams}
        assert spread == {"1000}"}, "two milliseconds for each of them"


def connections(url: str) -> int:
    """How many connections to the database there are, but ours."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert found is not None
    return int(found[0])


class OnPostgres:
    """Two workers that reach PostgreSQL through a proxy, and the way around it."""

    def __init__(self, site: Site, proxy: Proxy, url: str) -> None:
        self.site, self.proxy, self._url = site, proxy, url

    def run(self, statement: str) -> None:
        """Run *statement*, on a connection of its own."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def end_all_connections(self) -> None:
        """As a restart of PostgreSQL does, to whatever they are at."""
        self.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory,
    filled_postgresql: Path,
    postgresql_url: str,
    redis_of_module: RedisServer,
) -> Iterator[OnPostgres]:
    port = psycopg.conninfo.conninfo_to_dict(postgresql_url)["port"]
    folder = tmp_path_factory.mktemp("on-postgres")
    with (
        postgresql_copy(postgresql_url) as url,
        Proxy(int(str(port))) as proxy,
        running(folder, redis_of_module.url, url.replace(f":{port}/", f":{proxy.port}/")) as site,
    ):
        yield OnPostgres(site, proxy, url)


@pytest.fixture
def on_postgres(shared: OnPostgres) -> Iterator[OnPostgres]:
    yield shared
    shared.proxy.heal()


def states(ledger: Ledger) -> set[State]:
    return {commit.state for commit in ledger.commits}


def let_them_write(writers: list[Writer], count: int = 5) -> None:
    goals = [writer.committed + count for writer in writers]
    wait_until(
        lambda: all(w.committed >= goal for w, goal in zip(writers, goals, strict=True)), "writes"
    )


@pytest.mark.postgres
def test_connections_that_postgresql_ends_cost_a_write_at_most_and_never_half_of_one(
    on_postgres: OnPostgres, ledger: Ledger
) -> None:
    site = on_postgres.site
    with watched(site, ledger, 3) as screens, ExitStack() as writing:
        writers = [writing.enter_context(Writer(site, ledger, n, 0.01)) for n in (1, 2, 3)]
        for _ in range(3):
            let_them_write(writers, 3)
            on_postgres.end_all_connections()
        let_them_write(writers)
        for writer in writers:
            writer.close()
        ledger.repeated = len(ledger.commits)  # their rows' deletions may have been cut off

    assert states(ledger) <= {State.COMMITTED, State.UNKNOWN}
    assert not any(screen.heard("bye") for screen in screens), "streams are none of its business"


@pytest.mark.postgres
def test_while_postgresql_is_away_writes_are_refused_and_streams_stay(
    on_postgres: OnPostgres, ledger: Ledger
) -> None:
    site = on_postgres.site
    with watched(site, ledger, 3) as screens, Writer(site, ledger, 3, 0.01) as writer:
        let_them_write([writer])

        on_postgres.proxy.refuse()
        wait_until(lambda: State.UNKNOWN in states(ledger), "refusal")
        gone_at = time.monotonic()
        wait_until(
            lambda: all(s.beats and s.beats[-1] > gone_at + 1 for s in screens), "beats meanwhile"
        )
        on_postgres.proxy.heal()

        let_them_write([writer])
        ledger.repeated = len(ledger.commits)
    assert not any(screen.heard("bye") or screen.heard("degraded") for screen in screens)


GIVE_WAY = """
CREATE SEQUENCE tries;
CREATE FUNCTION give_way() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  CASE nextval('tries') % 5
    WHEN 1 THEN RAISE 'another one was first' USING ERRCODE = 'serialization_failure';
    WHEN 2 THEN RAISE 'each waits for the other' USING ERRCODE = 'deadlock_detected';
    ELSE RETURN NEW;
  END CASE;
END $$;
CREATE TRIGGER give_way BEFORE INSERT ON outbox_event FOR EACH ROW EXECUTE FUNCTION give_way();
"""
NO_MORE = "DROP TRIGGER give_way ON outbox_event; DROP FUNCTION give_way; DROP SEQUENCE tries"


@pytest.mark.postgres
def test_transactions_that_give_way_to_others_are_tried_again(
    on_postgres: OnPostgres, ledger: Ledger
) -> None:
    site = on_postgres.site
    with watched(site, ledger, 3), ExitStack() as writing:
        on_postgres.run(GIVE_WAY)
        writers = [writing.enter_context(Writer(site, ledger, n, 0)) for n in (1, 2, 3)]
        let_them_write(writers, 10)
        for writer in writers:
            writer.close()
        on_postgres.run(NO_MORE)

    assert states(ledger) == {State.COMMITTED}
    assert "gave way to another transaction" in site.server.log.read_text()


@pytest.mark.postgres
def test_a_link_that_commits_while_a_rename_commits_is_never_missed(
    on_postgres: OnPostgres, ledger: Ledger
) -> None:
    """Each round renames a video and, at the same moment, links it to a chapter for the first
    time: whatever comes first, the screens of that course show the new title in the end.
    """
    site = on_postgres.site
    with watched(site, ledger, 3, (CHAPTERS, OUTLINE)):
        for number in range(1, 16):
            added = site.act("media/add-url", title="v0", url=f"https://video.test/{number}.mp4")
            media_id = added["result"]["media_file_id"]
            commit = ledger.send(f"media {media_id}", number, (CHAPTERS, OUTLINE))
            rename = threading.Thread(
                target=site.act,
                args=("media/rename",),
                kwargs={"media_id": media_id, "title": f"v{number}", "was": {"title": "v0"}},
            )
            rename.start()
            site.act("chapters/link-media", chapter_id=1, media_ids=[media_id])
            rename.join()
            ledger.end(commit, State.COMMITTED)
        settle(ledger)
