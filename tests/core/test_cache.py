"""One write costs one read, and nothing kept is ever shown when it should not be."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask, request
from sqlalchemy import insert
from werkzeug.test import TestResponse

from core import Plugin, public
from core.access import Access
from core.bodies import Bodies, Body
from core.build import build_id
from core.bus import Notice
from core.cache import Cache
from core.database import writing
from core.keys import access_key
from core.stamps import Stamp
from tests.core import notes
from tests.core.asking import HTML
from tests.core.conftest import BOOK, OWNER, VIEWER, MakeApp, client_of, runtime_of
from tests.core.notes import switches
from tests.servers import RedisServer, wait_until

LIST = f"/q/notes/list/{BOOK}"
READERS = range(100, 120)


@dataclass
class Cluster:
    """Some workers of one site, and how often its query was run."""

    workers: list[Flask]
    runs: int = 0

    def ask(
        self,
        worker: int = 0,
        user_id: int = OWNER,
        path: str = LIST,
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """The answer of one worker."""
        return client_of(self.workers[worker], user_id).get(path, headers=headers)

    def notes(self, worker: int = 0) -> list[str]:
        """The notes in the book, as one worker shows them."""
        body: dict[str, list[str]] = self.ask(worker).get_json()
        return body["notes"]

    def write(self, text: str, worker: int = 0) -> Stamp:
        """Write a note; returns once every worker has heard of it."""
        body = {"book_id": BOOK, "text": text}
        answer = client_of(self.workers[worker]).post("/a/notes/write", json=body).get_json()
        return self.heard(Stamp.parse(answer["stamp"]))

    def publish(self, *keys: str) -> Stamp:
        """Publish a notice; returns once every worker has heard of it."""
        return self.heard(runtime_of(self.workers[0]).bus.publish(Notice(keys, "test", "")))

    def heard(self, stamp: Stamp) -> Stamp:
        """Returns once every worker has heard so far."""
        hubs = [runtime_of(worker).hub for worker in self.workers]
        wait_until(lambda: all((hub.stamp or stamp).reaches(stamp) for hub in hubs), "notice")
        return stamp

    def count(self) -> None:
        """One more run."""
        self.runs += 1


Start = Callable[..., Cluster]


@pytest.fixture
def start(make_app: MakeApp, sqlite_url: str, own_redis: RedisServer) -> Start:
    def start(count: int = 2, **chosen: Any) -> Cluster:
        defaults = {"redis_url": own_redis.url, "redis_timeout_s": 1.0, "heartbeat_s": 0.1}
        cluster = Cluster([])
        for number in range(count):
            app = make_app(sqlite_url, fill=number == 0, **{**defaults, **chosen})
            switches(app).in_query = cluster.count
            runtime_of(app).start()
            cluster.workers.append(app)
        wait_until(lambda: all(runtime_of(app).hub.settled for app in cluster.workers), "hubs")
        return cluster

    return start


@pytest.fixture
def cluster(start: Start) -> Cluster:
    return start()


def let_in(app: Flask, users: range) -> None:
    """Let many people see the book."""
    with app.app_context(), writing() as session:
        rows = [{"book_id": BOOK, "user_id": user, "access": 1 + user % 2} for user in users]
        session.execute(insert(notes.reader), rows)


def test_one_write_costs_one_read_however_many_ask(cluster: Cluster) -> None:
    let_in(cluster.workers[0], READERS)
    stamp = cluster.write("a")
    cluster.runs = 0

    with ThreadPoolExecutor(20) as pool:
        asked = [
            pool.submit(cluster.ask, user % 2, user, headers={"Live-Floor": str(stamp)})
            for user in READERS
        ]
        answers = [future.result() for future in asked]

    assert [answer.get_json()["notes"] for answer in answers] == [["a"]] * len(READERS)
    assert all(Stamp.parse(a.headers["Live-Stamp"]).reaches(stamp) for a in answers)
    assert cluster.runs == 1


def test_json_and_the_fragments_of_every_access_are_made_of_one_read(cluster: Cluster) -> None:
    answers = [
        cluster.ask(user_id=OWNER),
        cluster.ask(user_id=OWNER, headers=HTML),
        cluster.ask(worker=1, user_id=VIEWER, headers=HTML),
    ]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert "<form" in answers[1].text
    assert "<form" not in answers[2].text
    assert answers[2].headers["Live-Access"] == "view"
    assert cluster.runs == 1


def test_a_notice_makes_one_key_stale_and_not_another(cluster: Cluster) -> None:
    other = f"/q/notes/list/{BOOK}?sort=new"
    cluster.ask()
    cluster.ask(path=other)

    cluster.publish(f"notes:list:{BOOK + 1}", "notes:lis")
    for worker in range(2):
        cluster.ask(worker)
    assert cluster.runs == 2

    cluster.publish(f"notes:list:{BOOK}")
    for worker in range(2):
        cluster.ask(worker)
        cluster.ask(worker, path=other)
    assert cluster.runs == 4


@pytest.mark.parametrize("named", ["notes", "notes:list"])
def test_a_prefix_makes_its_keys_stale(cluster: Cluster, named: str) -> None:
    cluster.ask()

    cluster.publish(named)
    for worker in range(2):
        cluster.ask(worker)

    assert cluster.runs == 2


def test_a_reset_makes_everything_stale(cluster: Cluster) -> None:
    cluster.ask()

    cluster.heard(runtime_of(cluster.workers[0]).bus.reset("refresh", ""))
    for worker in range(2):
        cluster.ask(worker)

    assert cluster.runs == 2


def test_what_was_read_while_it_changed_is_not_shown_to_the_next(cluster: Cluster) -> None:
    """The note is committed after the read and published before its body is kept."""

    def change_meanwhile() -> None:
        switches(cluster.workers[0]).in_query = cluster.count
        cluster.count()
        writer = threading.Thread(target=cluster.write, args=("late", 1))
        writer.start()
        writer.join()

    switches(cluster.workers[0]).in_query = change_meanwhile
    cluster.ask()

    assert cluster.notes(0) == cluster.notes(1) == ["late"]


def test_an_answer_is_stamped_as_of_now_and_not_as_of_its_read(cluster: Cluster) -> None:
    first = cluster.ask()
    stamp = cluster.publish("something:else")

    again = cluster.ask(headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert Stamp.parse(again.headers["Live-Stamp"]).reaches(stamp)
    assert cluster.runs == 1


def test_the_body_of_one_user_depends_on_their_access_too(cluster: Cluster) -> None:
    """What a query reads of `Me` changes without an event that names its key."""
    path = f"/q/notes/books/{OWNER}"
    assert cluster.ask(path=path).get_json() == [BOOK]
    with cluster.workers[0].app_context(), writing() as session:
        session.execute(insert(notes.reader), {"book_id": 9, "user_id": OWNER, "access": 2})
    assert cluster.ask(path=path).get_json() == [BOOK]

    cluster.publish(access_key(OWNER))

    assert [cluster.ask(worker, path=path).get_json() for worker in range(2)] == [[BOOK, 9]] * 2


def test_the_guard_decides_before_anything_kept_is_given(cluster: Cluster) -> None:
    assert cluster.ask().status_code == 200

    assert cluster.ask(user_id=99).status_code == 404
    assert cluster.ask(1, user_id=99).status_code == 404


def test_a_lease_whose_holder_died_costs_its_time_and_no_more(start: Start) -> None:
    cluster = start(1, lease_s=0.3)
    runtime = runtime_of(cluster.workers[0])
    name = f"{build_id(runtime.registry.plugins)}:notes:list:{BOOK}"
    dead = runtime.bus.recall(name, [f"notes:list:{BOOK}"], 0.3)
    assert dead.lease is not None

    assert cluster.notes() == []

    assert cluster.runs == 1
    assert not runtime.bus.keep(name, dead, "late", 1000, 60), "a lost lease still kept a body"


def test_what_was_read_under_a_lost_lease_is_read_anew(start: Start) -> None:
    cluster = start(2, lease_s=0.2)
    slow = switches(cluster.workers[0])

    def outlive_the_lease() -> None:
        slow.in_query = cluster.count
        cluster.count()
        other = threading.Thread(target=cluster.ask, args=(1,))  # waits for the lease, then reads
        other.start()
        other.join()

    slow.in_query = outlive_the_lease

    assert cluster.ask().status_code == 200
    assert cluster.runs == 2, "the body of the other worker was there to be used"


def test_a_read_that_fails_gives_its_lease_back(cluster: Cluster, own_redis: RedisServer) -> None:
    def fail() -> None:
        raise RuntimeError("the database is odd")

    switches(cluster.workers[0]).in_query = fail
    assert cluster.ask().status_code == 500
    switches(cluster.workers[0]).in_query = cluster.count

    assert cluster.ask(1).status_code == 200
    with own_redis.client() as client:
        assert not list(client.scan_iter("*:lease:*"))


def test_another_build_shares_nothing(make_app: MakeApp, start: Start, sqlite_url: str) -> None:
    cluster = start(1)
    runtime = runtime_of(cluster.workers[0])
    cluster.ask()
    key = notes.notes_list.key(BOOK)
    other = Cache(runtime.bus, runtime.hub, runtime.memory, runtime.settings, "another build")
    runtime.memory.bodies.put(key.text, Bodies(Body(b"1"), {}), (key.text,), runtime.hub.heard)

    with cluster.workers[0].app_context():
        found = other._find_shared(key, lambda: Bodies(Body(b"2"), {}))

    assert found.bodies.json.content == b"2"


def test_a_build_is_its_plugins_and_their_files() -> None:
    plugins = [notes.plugin]

    assert build_id(plugins) == build_id(plugins)
    assert build_id(plugins) != build_id([])
    assert len(build_id([])) == 12


def test_one_whose_write_is_not_published_reads_the_database(cluster: Cluster) -> None:
    cluster.ask()
    client = client_of(cluster.workers[0])
    client.set_cookie("live_floor", "bypass")

    client.get(LIST)

    assert cluster.runs == 2


def test_a_floor_is_kept_by_a_worker_that_has_not_heard_of_a_new_generation(
    start: Start, own_redis: RedisServer
) -> None:
    """The one who asks knows of a number that Redis gave before it lost all, and this one not."""
    cluster = start(1, heartbeat_s=15.0)
    heard = Stamp.parse(cluster.ask().headers["Live-Stamp"])
    floor = Stamp(heard.generation, heard.sequence + 1)
    with own_redis.client() as client:
        client.flushall()

    answer = cluster.ask(headers={"Live-Floor": str(floor)})

    assert Stamp.parse(answer.headers["Live-Stamp"]).generation != heard.generation
    assert cluster.runs == 2


def test_a_floor_that_nobody_can_judge_is_kept_by_asking_the_database(
    start: Start, own_redis: RedisServer
) -> None:
    cluster = start(1, heartbeat_s=15.0)
    heard = Stamp.parse(cluster.ask().headers["Live-Stamp"])
    floor = Stamp(heard.generation, heard.sequence + 1)
    own_redis.freeze()

    answer = cluster.ask(headers={"Live-Floor": str(floor)})

    own_redis.thaw()
    assert "Live-Stamp" not in answer.headers
    assert cluster.runs == 2


def test_while_redis_is_away_those_who_ask_at_once_share_a_read(
    cluster: Cluster, own_redis: RedisServer
) -> None:
    cluster.ask()
    own_redis.kill()
    worker = cluster.workers[0]
    wait_until(lambda: not runtime_of(worker).hub.connected, "notice that Redis is away")
    cluster.runs = 0
    begun, go_on = threading.Event(), threading.Event()

    def stand_still() -> None:
        cluster.count()
        begun.set()
        assert go_on.wait(30)

    switches(worker).in_query = stand_still
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(cluster.ask)
        assert begun.wait(30)
        others = [pool.submit(cluster.ask) for _ in range(15)]
        flights = runtime_of(worker).cache._flights._last
        wait_until(lambda: any(flight.before for flight in list(flights.values())), "one waiting")
        go_on.set()
        answers = [future.result() for future in [first, *others]]

    assert {answer.status_code for answer in answers} == {200}
    assert not any("Live-Stamp" in answer.headers for answer in answers)
    assert cluster.runs < len(answers)


def test_what_was_kept_before_redis_was_away_is_not_used_before_all_is_published(
    cluster: Cluster, own_redis: RedisServer
) -> None:
    """Redis keeps its data; the note that nobody could publish is still shown, at every moment."""
    cluster.ask(0)
    cluster.ask(1)
    own_redis.freeze()
    hubs = [runtime_of(worker).hub for worker in cluster.workers]
    wait_until(lambda: not any(hub.connected for hub in hubs), "notice of the outage")
    body = {"book_id": BOOK, "text": "unpublished"}
    answer = client_of(cluster.workers[0]).post("/a/notes/write", json=body).get_json()
    assert answer["stamp"] is None

    own_redis.thaw()
    shown: list[list[str]] = []

    def all_settled() -> bool:
        before = all(hub.settled for hub in hubs)
        shown.extend(cluster.notes(number) for number in range(2))
        return before

    wait_until(all_settled, "restored")

    assert all(found == ["unpublished"] for found in shown)


def test_what_one_publication_could_not_tell_is_shown_although_redis_was_never_away(
    start: Start, own_redis: RedisServer
) -> None:
    cluster = start(1, redis_timeout_s=0.3)
    hub = runtime_of(cluster.workers[0]).hub
    assert cluster.notes() == []
    with own_redis.client() as client:
        client.execute_command("CLIENT PAUSE", 1500, "WRITE")

        body = {"book_id": BOOK, "text": "unpublished"}
        answer = client_of(cluster.workers[0]).post("/a/notes/write", json=body).get_json()
        shown = [cluster.notes()]
        client.execute_command("CLIENT UNPAUSE")

    def is_settled() -> bool:
        before = hub.settled
        shown.append(cluster.notes())
        return before

    wait_until(is_settled, "publication")

    assert answer["stamp"] is None
    assert all(found == ["unpublished"] for found in shown)
    assert hub.outages == 0


def test_who_was_shown_what_is_not_published_is_not_shown_less_by_another_worker(
    start: Start, own_redis: RedisServer, make_app: MakeApp, sqlite_url: str
) -> None:
    """One worker is cut off from Redis, and another has an older body that counts as current."""
    cluster = start(1)
    assert cluster.notes() == []
    cut_off = make_app(sqlite_url, redis_url="unix:///nonexistent")
    body = {"book_id": BOOK, "text": "unpublished"}
    assert client_of(cut_off).post("/a/notes/write", json=body).get_json()["stamp"] is None

    browser = client_of(cut_off, VIEWER)
    assert browser.get(LIST).get_json()["notes"] == ["unpublished"]
    said = browser.get_cookie("live_floor")
    assert said is not None
    assert (said.value, said.max_age) == ("bypass", 10)
    elsewhere = client_of(cluster.workers[0], VIEWER)
    assert elsewhere.get(LIST).get_json()["notes"] == []
    elsewhere.set_cookie("live_floor", said.value)

    assert elsewhere.get(LIST).get_json()["notes"] == ["unpublished"]
    assert "Set-Cookie" not in elsewhere.get(LIST).headers, "a worker that is well renews nothing"


def test_without_a_budget_every_read_asks_the_database(
    start: Start, own_redis: RedisServer
) -> None:
    cluster = start(1, cache_bytes=0)

    cluster.ask()
    cluster.ask()

    assert cluster.runs == 2
    with own_redis.client() as client:
        assert not list(client.scan_iter("*:body:*"))


def test_bodies_keep_within_their_budget_and_the_oldest_go_first(
    start: Start, own_redis: RedisServer
) -> None:
    cluster = start(1, cache_bytes=8_000, cache_memory_bytes=0)
    paths = [f"/q/notes/echo/{'word' * 80}/{number}" for number in range(40)]

    for path in paths:
        cluster.ask(path=path)

    with own_redis.client() as plain:
        client: Any = plain
        names = sorted(client.scan_iter("*:body:*"))
        held = sum(len(client.hget(name, "bytes")) for name in names)
        (total,) = (int(client.get(name)) for name in client.scan_iter("*:total"))
        (sizes,) = client.scan_iter("*:sizes")
        assert client.hlen(sizes) == len(names)
    assert 0 < len(names) < len(paths)
    assert held < total <= 8_000
    kept = {int(name.rpartition(":")[2]) for name in names}
    assert kept == set(range(len(paths) - len(names), len(paths)))


def test_publications_have_room_when_redis_has_no_more(
    start: Start, own_redis: RedisServer
) -> None:
    cluster = start(1, cache_memory_bytes=0)
    with own_redis.client() as client:
        used = client.info("memory")["used_memory"]
        client.config_set("maxmemory", used + 600_000)
        client.config_set("maxmemory-policy", "noeviction")
        for number in range(4000):
            words = "".join(chr(97 + (number * i) % 23) for i in range(200))
            response = cluster.ask(path=f"/q/notes/echo/{words}/{number}")
            assert response.status_code == 200
            if list(client.scan_iter("*:room")):
                break

        stamp = cluster.write("there is room")

        assert list(client.scan_iter("*:room")), "Redis never ran out of memory"
        assert stamp.sequence >= 1
        assert cluster.notes() == ["there is room"]


def test_a_query_that_looks_at_the_request_fails_before_anybody_else_sees_it(
    make_app: MakeApp, sqlite_url: str
) -> None:
    careless = Plugin("careless", __name__)

    @careless.query("list", guard=public, constant=True)
    def careless_list() -> str:
        return request.headers.get("User-Agent", "")

    from core import create_app

    app = make_app(sqlite_url, fill=True)
    settings = app.config["COURSEWIRE"]
    other = create_app(settings, [careless])

    try:
        assert client_of(other).get("/q/careless/list").status_code == 500
    finally:
        runtime_of(other).stop()


def test_bodies_are_packed_and_unpacked_whole() -> None:
    bodies = Bodies(
        Body('{"title":"Überblick “1”"}'.encode()),
        {Access.VIEW: Body("<p>é</p>".encode()), Access.EDIT: Body(b"")},
    )

    again = Bodies.unpack(bodies.pack())

    assert again == bodies
    assert bodies.pack().isascii()
    assert again.fragments[Access.VIEW].tag == bodies.fragments[Access.VIEW].tag
    with pytest.raises(ValueError, match="no packed bodies"):
        Bodies.unpack("AAAA")
