"""What the tests of faults share: two machines on one database, each with its own path to Redis.

::

    screens ──► site  (two workers) ──► proxy ──────┐
    writer  ──► other (one worker)  ──► its proxy ──┴──► Valkey
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.ledger import Ledger
from tests.faults.proxy import Proxy
from tests.faults.site import Site, running
from tests.servers import RedisServer, redis_server, sqlite_copy, wait_until

WORKERS = 3
"""Of both machines."""


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Fails a test that leaves a thread. (The sockets of the shared rig's proxies come and go with
    the servers' connections, so that they are here, and are no leak.)
    """
    threads = set(threading.enumerate())

    yield

    def left() -> list[str]:
        new = set(threading.enumerate()) - threads
        return [t.name for t in new if t.name != "proxy" and not t.name.startswith("asyncio_")]

    wait_until(lambda: not left(), f"end of {', '.join(left())}", 5)


@dataclass
class Rig:
    """The two machines, what lies between them and Redis, and Redis itself."""

    site: Site
    proxy: Proxy
    other: Site
    others_proxy: Proxy
    redis: RedisServer


@contextmanager
def make_rig(folder: Path, database_url: str, **chosen: str) -> Iterator[Rig]:
    """Start everything."""
    (folder / "other").mkdir(parents=True, exist_ok=True)
    with (
        redis_server("valkey") as redis,
        Proxy(redis.socket) as proxy,
        Proxy(redis.socket) as others_proxy,
        running(folder, f"redis://127.0.0.1:{proxy.port}", database_url, **chosen) as site,
        running(
            folder / "other",
            f"redis://127.0.0.1:{others_proxy.port}",
            database_url,
            **{**chosen, "WEB_CONCURRENCY": "1"},
        ) as other,
    ):
        yield Rig(site, proxy, other, others_proxy, redis)


@pytest.fixture(scope="package")
def shared_rig(tmp_path_factory: pytest.TempPathFactory, filled_sqlite: Path) -> Iterator[Rig]:
    """The one that most tests use."""
    folder = tmp_path_factory.mktemp("rig")
    with make_rig(folder, sqlite_copy(filled_sqlite, folder)) as rig:
        yield rig


@pytest.fixture
def rig(shared_rig: Rig) -> Iterator[Rig]:
    """The same, without a fault before the test and after it."""
    yield shared_rig
    shared_rig.redis.thaw()
    if not shared_rig.redis.answers():
        shared_rig.redis.kill()
        shared_rig.redis.start()
    for proxy in (shared_rig.proxy, shared_rig.others_proxy):
        proxy.heal()
        proxy.reset()  # half-open connections would stay for ever
    wait_until(lambda: subscribers(shared_rig.redis) == WORKERS, "subscription of every worker")
    for site in (shared_rig.site, shared_rig.other):
        wait_until(site.server.ready, "readiness")


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Valkey that only this test uses, and may do anything to."""
    with redis_server("valkey") as server:
        yield server


@pytest.fixture(scope="module")
def redis_of_module() -> Iterator[RedisServer]:
    """A Valkey that the tests of one module share."""
    with redis_server("valkey") as server:
        yield server


def subscribers(redis: RedisServer) -> int:
    """How many connections subscribe."""
    with redis.client() as client:
        return len(client.client_list(_type="pubsub"))


@pytest.fixture
def ledger() -> Ledger:
    """An empty one."""
    return Ledger()
