"""Ends that are meant: a deploy, a platform that signals everybody, and Redis hung meanwhile."""

import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.core.listening import listening
from tests.faults.ledger import Ledger, State
from tests.faults.site import CHAPTERS, Site, Writer, running, watched
from tests.servers import RedisServer, sqlite_copy, wait_until

GONE_S = 10.0
"""How long an end may take; the product's own promise."""


@pytest.fixture
def site(tmp_path: Path, filled_sqlite: Path, own_redis: RedisServer) -> Iterator[Site]:
    with running(tmp_path, own_redis.url, sqlite_copy(filled_sqlite, tmp_path)) as site:
        yield site


class SlowRequest:
    """An action whose body arrives in two parts."""

    def __init__(self, site: Site, chapter_id: int, title: str) -> None:
        was = {"title": site.title_of(chapter_id)}
        body = json.dumps({"chapter_id": chapter_id, "title": title, "was": was}).encode()
        self._rest = body[10:]
        address = site.url.removeprefix("http://")
        self._connection = http.client.HTTPConnection(address, timeout=20)
        self._connection.putrequest("POST", "/a/chapters/rename")
        cookies = "; ".join(f"{name}={value}" for name, value in site.owner.cookies.items())
        for name, value in (
            ("Cookie", cookies),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
        ):
            self._connection.putheader(name, value)
        self._connection.endheaders()
        self._connection.send(body[:10])

    def finish(self) -> int:
        """Send the rest; the status of the answer."""
        with closing(self._connection):
            self._connection.send(self._rest)
            return self._connection.getresponse().status


def signal_everybody(site: Site, times: int) -> None:
    """SIGTERM to the master and to every worker, again and again."""
    for _ in range(times):
        for pid in [site.server.process.pid, *site.server.workers]:
            os.kill(pid, signal.SIGTERM)


def wait_until_gone(site: Site, begun: float) -> None:
    wait_until(lambda: site.server.process.poll() is not None, "end", GONE_S + 5)
    assert time.monotonic() - begun < GONE_S
    assert site.server.process.returncode == 0


def test_sigterm_to_every_process_again_and_again_ends_all_in_order(site: Site) -> None:
    requests = [SlowRequest(site, chapter, "v1") for chapter in (1, 2, 3)]
    with ExitStack() as open_streams:
        streams = [open_streams.enter_context(listening(site.owner, CHAPTERS)) for _ in range(20)]
        for stream in streams:
            stream.next("hello")
        workers = site.server.workers

        begun = time.monotonic()
        signal_everybody(site, 5)
        byes = [stream.next("bye", past=("stale", "degraded", "restored")) for stream in streams]
        statuses = [request.finish() for request in requests]
        wait_until_gone(site, begun)

    assert statuses == [200, 200, 200], "what was in flight has ended well"
    assert {bye.data["reason"] for bye in byes} == {"drain"}
    assert all(bye.data["retry_ms"] > 0 for bye in byes), "they do not come back all at once"
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_an_end_does_not_wait_for_a_redis_that_hangs(site: Site, own_redis: RedisServer) -> None:
    with listening(site.owner, CHAPTERS) as stream:
        stream.next("hello")
        own_redis.freeze()

        begun = time.monotonic()
        signal_everybody(site, 1)

        stream.next("bye", past=("degraded", "restored"))
        wait_until_gone(site, begun)
    own_redis.thaw()


@pytest.mark.parametrize("keep_alive", [False, True], ids=["new connections", "kept connections"])
def test_no_write_fails_while_the_workers_are_replaced_one_after_the_other(
    site: Site, ledger: Ledger, keep_alive: bool
) -> None:
    with watched(site, ledger, 6) as screens, ExitStack() as writing:
        writers = [
            writing.enter_context(Writer(site, ledger, chapter, 0.01, keep_alive=keep_alive))
            for chapter in (1, 2, 3)
        ]
        before = set(site.server.workers)
        site.server.process.send_signal(signal.SIGHUP)
        wait_until(
            lambda: len(site.server.workers) == 2 and not before & set(site.server.workers),
            "two new workers, and the end of the old ones",
        )
        goals = [writer.committed + 10 for writer in writers]
        wait_until(
            lambda: all(w.committed > goal for w, goal in zip(writers, goals, strict=True)),
            "writes",
        )
        for writer in writers:
            writer.close()

    assert {commit.state for commit in ledger.commits} == {State.COMMITTED}
    assert all(screen.heard("bye") for screen in screens)
    assert {bye.data["reason"] for screen in screens for bye in screen.heard("bye")} == {"drain"}
