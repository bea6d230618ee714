"""What workers tell each other of sessions and guards' answers, and what they must not believe."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from core.bus import Notice
from core.shared import Shared
from core.stamps import Stamp
from tests.core.conftest import BOOK, OWNER, VIEWER, MakeApp, client_of, runtime_of
from tests.core.notes import switches
from tests.servers import RedisServer, wait_until

LIST = f"/q/notes/list/{BOOK}"

Start = Callable[..., list[Flask]]


@pytest.fixture
def asked() -> list[int]:
    """One member for each time that a guard was asked, on any worker."""
    return []


@pytest.fixture
def start(make_app: MakeApp, sqlite_url: str, own_redis: RedisServer, asked: list[int]) -> Start:
    def start(**chosen: object) -> list[Flask]:
        workers = []
        for number in range(2):
            defaults = {"redis_url": own_redis.url, "redis_timeout_s": 1.0, "heartbeat_s": 0.1}
            app = make_app(sqlite_url, fill=number == 0, **{**defaults, **chosen})
            switches(app).in_guard = lambda: asked.append(1)
            runtime_of(app).start()
            workers.append(app)
        wait_until(lambda: all(runtime_of(app).hub.settled for app in workers), "hubs")
        return workers

    return start


@pytest.fixture
def workers(start: Start) -> list[Flask]:
    return start()


def heard(workers: list[Flask], stamp: Stamp) -> None:
    hubs = [runtime_of(worker).hub for worker in workers]
    wait_until(lambda: all((hub.stamp or stamp).reaches(stamp) for hub in hubs), "notice")


def lend(workers: list[Flask], access: int) -> None:
    """Change the viewer's access, and wait until every worker has heard of it."""
    body = {"book_id": BOOK, "user_id": VIEWER, "access": access}
    answer = client_of(workers[0]).post("/a/notes/lend", json=body).get_json()
    heard(workers, Stamp.parse(answer["stamp"]))


def test_what_one_worker_knows_of_a_user_no_other_asks_the_database_for(
    workers: list[Flask], asked: list[int]
) -> None:
    for worker in workers:
        assert client_of(worker, VIEWER).get(LIST).status_code == 200

    assert len(asked) == 1


def test_access_that_one_worker_granted_is_lost_on_all(
    workers: list[Flask], asked: list[int]
) -> None:
    client_of(workers[0], VIEWER).get(LIST)
    lend(workers, 0)

    assert [client_of(worker, VIEWER).get(LIST).status_code for worker in workers] == [404, 404]


def test_what_was_read_while_access_changed_is_believed_by_nobody(workers: list[Flask]) -> None:
    """The guard has read the old row; what it granted is told after the loss was published."""

    def change_meanwhile() -> None:
        switches(workers[0]).in_guard = lambda: None
        other = threading.Thread(target=lend, args=(workers, 0))
        other.start()
        other.join()

    switches(workers[0]).in_guard = change_meanwhile
    client_of(workers[0], VIEWER).get(LIST)

    assert client_of(workers[1], VIEWER).get(LIST).status_code == 404


def test_after_a_reset_nothing_told_before_holds(workers: list[Flask], asked: list[int]) -> None:
    client_of(workers[0]).get(LIST)
    heard(workers, runtime_of(workers[0]).bus.reset("parked", ""))

    client_of(workers[1]).get(LIST)

    assert len(asked) == 2


def test_access_lost_while_redis_was_away_is_not_granted_by_what_was_told_before(
    workers: list[Flask], own_redis: RedisServer
) -> None:
    """Redis keeps what was told; the loss is committed and not published yet."""
    client_of(workers[0], VIEWER).get(LIST)
    own_redis.freeze()
    hubs = [runtime_of(worker).hub for worker in workers]
    wait_until(lambda: not any(hub.connected for hub in hubs), "notice of the outage")
    body = {"book_id": BOOK, "user_id": VIEWER, "access": 0}
    assert client_of(workers[0]).post("/a/notes/lend", json=body).get_json()["stamp"] is None

    own_redis.thaw()
    found: set[int] = set()

    def all_settled() -> bool:
        before = all(hub.settled for hub in hubs)
        found.update(client_of(worker, VIEWER).get(LIST).status_code for worker in workers)
        return before

    wait_until(all_settled, "restored")

    assert found == {404}


def test_a_dump_of_redis_holds_no_token(workers: list[Flask], own_redis: RedisServer) -> None:
    token = f"{OWNER}-86399"
    client = workers[0].test_client()
    client.set_cookie("user", token)
    client.get(LIST)

    with own_redis.client() as plain:
        names = list(plain.scan_iter("*:known:*"))
        dump = " ".join([*names, *(str(plain.get(name)) for name in names)])

    assert len(names) == 2
    assert token not in dump


def test_what_is_sealed_with_another_key_or_moved_is_not_believed(
    workers: list[Flask], own_redis: RedisServer
) -> None:
    runtime = runtime_of(workers[0])
    settings = runtime.settings.model_copy(update={"secret_key": "a stranger's"})
    shared = Shared(runtime.bus, runtime.hub, runtime.settings, "build")
    stranger = Shared(runtime.bus, runtime.hub, settings, "build")

    shared.give("a", "true")
    stranger.give("b", "false")
    texts = runtime.bus.fetch(["a"])
    runtime.bus.store({"c": texts["a"]}, 1_000_000, 60)

    assert [shared.find(name) for name in "abc"] == ["true", None, None]


def test_another_build_and_another_question_have_other_names(workers: list[Flask]) -> None:
    runtime = runtime_of(workers[0])
    names = {
        Shared(runtime.bus, runtime.hub, runtime.settings, build).name(kind, "x")
        for build in ("one", "another")
        for kind in ("session", "answer")
    }

    assert len(names) == 4


def test_those_who_ask_while_one_asks_are_asked_for_together(
    workers: list[Flask], own_redis: RedisServer
) -> None:
    runtime = runtime_of(workers[0])
    shared = Shared(runtime.bus, runtime.hub, runtime.settings, "build")
    names = [f"name-{number}" for number in range(50)]
    for name in names:
        shared.give(name, name)
    with own_redis.client() as client:
        client.config_resetstat()
        shared._asking.acquire()
        with ThreadPoolExecutor(len(names)) as pool:
            found = [pool.submit(shared.find, name) for name in names]
            wait_until(lambda: len(shared._next.names) == len(names), "all of them waiting")
            shared._asking.release()
            assert [future.result() for future in found] == names
        assert client.info("commandstats")["cmdstat_mget"]["calls"] == 1


def test_without_a_budget_nothing_is_told(
    start: Start, asked: list[int], own_redis: RedisServer
) -> None:
    for worker in start(cache_bytes=0):
        client_of(worker).get(LIST)

    assert len(asked) == 2
    with own_redis.client() as client:
        assert not list(client.scan_iter("*:known:*"))


def test_what_is_told_keeps_within_the_budget(workers: list[Flask], own_redis: RedisServer) -> None:
    bus = runtime_of(workers[0]).bus
    for number in range(40):
        bus.store({f"name-{number}": "x" * 100, "again": "y" * number}, 3_000, 60)

    with own_redis.client() as plain:
        names = set(plain.scan_iter("*:known:*"))
        (total,) = (int(plain.get(name) or 0) for name in plain.scan_iter("*:total"))
        (sizes,) = plain.scan_iter("*:sizes")
        counted = sum(map(int, plain.hvals(sizes)))
    assert 5 < len(names) < 40
    assert total == counted <= 3_000
    assert any(name.endswith("name-39") for name in names)
    assert not any(name.endswith("name-0") for name in names)


def test_a_notice_for_another_user_changes_nothing(workers: list[Flask], asked: list[int]) -> None:
    client_of(workers[0], OWNER).get(LIST)
    heard(workers, runtime_of(workers[0]).bus.publish(Notice((f"access:{OWNER}1",), "test", "")))

    client_of(workers[1], OWNER).get(LIST)

    assert len(asked) == 1
