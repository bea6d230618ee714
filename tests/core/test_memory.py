"""What a worker remembers of sessions and guards' answers, and when it must ask again."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from core.bus import Notice
from core.hub import Heard
from core.shelves import Shelf
from core.stamps import Stamp
from tests.core.conftest import BOOK, OWNER, STRANGER, VIEWER, MakeApp, client_of, runtime_of
from tests.core.notes import switches
from tests.servers import RedisServer, wait_until

LIST = f"/q/notes/list/{BOOK}"


@pytest.fixture
def app(make_app: MakeApp, sqlite_url: str, own_redis: RedisServer) -> Flask:
    app = make_app(
        sqlite_url, fill=True, redis_url=own_redis.url, redis_timeout_s=1.0, heartbeat_s=0.1
    )
    runtime_of(app).start()
    wait_until(lambda: runtime_of(app).hub.stamp, "stamp of the hub")
    return app


@pytest.fixture
def asked(app: Flask) -> list[int]:
    """One member for each time that the guard of a book was asked."""
    asked: list[int] = []
    switches(app).in_guard = lambda: asked.append(1)
    return asked


def lend(app: Flask, user_id: int, access: int) -> None:
    """Change somebody's access, and wait until the hub has heard of it."""
    body = {"book_id": BOOK, "user_id": user_id, "access": access}
    answer = client_of(app).post("/a/notes/lend", json=body).get_json()
    stamp = Stamp.parse(answer["stamp"])
    wait_until(lambda: (runtime_of(app).hub.stamp or stamp).reaches(stamp), "notice")


def test_a_guard_is_asked_once_for_many_requests(app: Flask, asked: list[int]) -> None:
    for _ in range(3):
        assert client_of(app).get(LIST).status_code == 200

    assert len(asked) == 1


def test_requests_of_one_user_that_come_at_once_ask_the_guard_once(app: Flask) -> None:
    asked: list[int] = []
    may_end = threading.Event()

    def stand_still() -> None:
        asked.append(1)
        assert may_end.wait(30)

    def others_wait() -> bool:
        flights = list(runtime_of(app)._flights._last.values())
        return any(flight.before is not None for flight in flights)

    switches(app).in_guard = stand_still
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(client_of(app).get, LIST) for _ in range(2)]
        try:
            wait_until(others_wait, "request that waits for the other one's answer")
        finally:
            may_end.set()

    assert [answer.result().status_code for answer in answers] == [200, 200]
    assert len(asked) == 1


def test_a_guard_is_asked_again_after_the_users_access_changed(
    app: Flask, asked: list[int]
) -> None:
    assert client_of(app, VIEWER).get(LIST).status_code == 200

    lend(app, VIEWER, 0)
    before = len(asked)

    assert client_of(app, VIEWER).get(LIST).status_code == 404
    assert len(asked) == before + 1


def test_the_change_of_one_users_access_leaves_the_others_remembered(
    app: Flask, asked: list[int]
) -> None:
    client_of(app, OWNER).get(LIST)
    client_of(app, VIEWER).get(LIST)
    lend(app, VIEWER, 2)
    before = len(asked)

    client_of(app, OWNER).get(LIST)

    assert len(asked) == before


def test_what_was_refused_is_asked_anew_every_time(app: Flask, asked: list[int]) -> None:
    for _ in range(2):
        assert client_of(app, STRANGER).get(LIST).status_code == 404

    assert len(asked) == 2


def test_an_answer_that_was_read_while_access_changed_is_not_kept(app: Flask) -> None:
    """The guard has read the old row; before its answer is kept, the hub hears of the new one."""

    def change_meanwhile() -> None:
        switches(app).in_guard = lambda: None
        other = threading.Thread(target=lend, args=(app, VIEWER, 0))
        other.start()
        other.join()

    switches(app).in_guard = change_meanwhile
    client_of(app, VIEWER).get(LIST)

    assert client_of(app, VIEWER).get(LIST).status_code == 404


def test_after_a_reset_nothing_remembered_holds(app: Flask, asked: list[int]) -> None:
    client_of(app).get(LIST)
    stamp = runtime_of(app).bus.reset("parked", "")
    wait_until(lambda: runtime_of(app).hub.stamp == stamp, "reset")

    client_of(app).get(LIST)

    assert len(asked) == 2


def test_while_redis_is_away_nothing_remembered_holds(
    app: Flask, own_redis: RedisServer, asked: list[int]
) -> None:
    client_of(app).get(LIST)
    own_redis.kill()
    wait_until(lambda: not runtime_of(app).hub.connected, "notice that Redis is away")

    for _ in range(2):
        client_of(app).get(LIST)

    assert len(asked) == 3


def test_access_lost_while_redis_was_away_is_not_granted_again_once_it_is_back(
    app: Flask, own_redis: RedisServer
) -> None:
    """The loss is committed and not published yet: no number tells of it."""
    assert client_of(app, VIEWER).get(LIST).status_code == 200
    own_redis.freeze()
    wait_until(lambda: not runtime_of(app).hub.connected, "notice that Redis is away")
    body = {"book_id": BOOK, "user_id": VIEWER, "access": 0}
    answer = client_of(app).post("/a/notes/lend", json=body)
    assert answer.get_json()["stamp"] is None

    own_redis.thaw()
    wait_until(lambda: runtime_of(app).hub.connected, "notice that Redis is back")

    assert client_of(app, VIEWER).get(LIST).status_code == 404


def test_one_whose_write_is_not_published_yet_gets_nothing_remembered(
    app: Flask, asked: list[int]
) -> None:
    client = client_of(app)
    client.get(LIST)
    client.set_cookie("live_floor", "bypass")

    client.get(LIST)

    assert len(asked) == 2


@pytest.mark.parametrize("where", ["cookie", "header"])
def test_one_who_knows_of_something_newer_gets_nothing_remembered(
    app: Flask, asked: list[int], where: str
) -> None:
    client = client_of(app)
    client.get(LIST)
    heard = runtime_of(app).hub.stamp
    assert heard is not None
    ahead = str(Stamp(heard.generation, heard.sequence + 1))

    if where == "cookie":
        client.set_cookie("live_floor", ahead)
        client.get(LIST)
    else:
        client.get(LIST, headers={"Live-Floor": ahead})

    assert len(asked) == 2


def test_actions_decide_in_their_own_transaction(app: Flask, asked: list[int]) -> None:
    client = client_of(app)
    client.get(LIST)
    begun = len(asked)

    client.post("/a/notes/look", json={"book_id": BOOK})
    client.post("/a/notes/look", json={"book_id": BOOK})

    assert len(asked) == begun + 2


def test_a_notice_for_another_user_of_a_similar_number_changes_nothing(
    app: Flask, asked: list[int]
) -> None:
    client_of(app, OWNER).get(LIST)
    stamp = runtime_of(app).bus.publish(Notice((f"access:{OWNER}1",), "test", ""))
    wait_until(lambda: runtime_of(app).hub.stamp == stamp, "notice")

    client_of(app, OWNER).get(LIST)

    assert len(asked) == 1


class InterruptedHub:
    """A hub during whose answer another thread gets its turn."""

    outages = 0

    def __init__(self, answer: bool) -> None:
        self.answer = answer
        self.meanwhile: Callable[[], None] = lambda: None

    def is_current(self, _key: str, _stamp: Stamp) -> bool:
        self.meanwhile()
        return self.answer


@pytest.mark.parametrize("holds", [True, False])
def test_threads_that_forget_the_same_thing_at_once_do_not_fail(holds: bool) -> None:
    hub = InterruptedHub(holds)
    shelf: Shelf[str] = Shelf(hub, 1)  # type: ignore[arg-type]
    heard = Heard(Stamp("0" * 12, 1), 0)
    shelf.put("a", "kept", ("access:1",), heard)
    hub.meanwhile = lambda: shelf.put("b", "pushes a out", ("access:1",), heard)

    assert shelf.get("a") == ("kept" if holds else None)


def test_what_is_used_least_goes_first() -> None:
    shelf: Shelf[int] = Shelf(InterruptedHub(True), 2)  # type: ignore[arg-type]
    heard = Heard(Stamp("0" * 12, 1), 0)
    shelf.put("a", 1, ("access:1",), heard)
    shelf.put("b", 2, ("access:1",), heard)
    shelf.get("a")

    shelf.put("c", 3, ("access:1",), heard)

    assert [shelf.get(name) for name in ("a", "b", "c")] == [1, None, 3]
