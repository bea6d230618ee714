"""The hub: what is lost is found, and nobody is told what concerns them no more."""

import threading
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from flask import Flask
from redis import Redis

from core.bus import Notice
from core.fanout import Fanout
from core.keys import KeyParts, access_key
from core.stamps import Stamp
from core.streams import Announcement, LateKeys, PulledStream, Stream
from core.watchers import WatchedKey, Watchers
from tests.core.conftest import BOOK, OWNER, VIEWER, MakeApp, client_of, runtime_of
from tests.core.listening import Listening, decoded, listening_here
from tests.core.notes import switches
from tests.servers import RedisServer, redis_server, wait_until

KEY = f"notes:list:{BOOK}"
PARTS = ["notes", "list", BOOK]


BOTH = pytest.mark.parametrize("own_redis", ["valkey", "redis"], indirect=True)
"""The hub reads its subscription itself, and the two may not answer alike."""


@pytest.fixture
def own_redis(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server that only this test uses, and may do anything to: Valkey unless it says."""
    with redis_server(getattr(request, "param", "valkey")) as server:
        yield server


@pytest.fixture
def app(make_app: MakeApp, sqlite_url: str, own_redis: RedisServer) -> Iterator[Flask]:
    """An app whose hub runs, with quick beats, on a Redis of its own; nothing else sweeps."""
    app = make_app(sqlite_url, fill=True, redis_url=own_redis.url, heartbeat_s=0.1, sweep_s=0.05)
    runtime_of(app).start()
    wait_until(runtime_of(app).hub.loaded.is_set, "versions of the hub")
    settle(app)
    yield app
    own_redis.thaw()
    runtime_of(app).drain()
    wait_until(lambda: runtime_of(app).hub.streams == 0, "end of the streams")


def settle(app: Flask) -> None:
    """Return once a stream has come and gone: what the hub says at its start is said before."""
    stream = listening_here(client_of(app), f"key={KEY}")
    runtime_of(app).drain()
    stream.rest()
    stream.thread.join(10)
    wait_until(lambda: runtime_of(app).hub.streams == 0, "end of the stream")


@pytest.fixture
def listen(app: Flask) -> Iterator[Callable[..., Listening]]:
    """Opens streams, and hears their hello."""
    opened: list[Listening] = []

    def listen(*keys: str, user_id: int = OWNER, token: str = "", since: str = "") -> Listening:
        client = client_of(app, user_id)
        if token:
            client.set_cookie("user", token)
        query = "&".join(f"key={key}" for key in keys)
        since = since or str(runtime_of(app).hub.stamp)
        opened.append(listening_here(client, f"{query}&since={since}"))
        return opened[-1]

    yield listen
    runtime_of(app).drain()
    for stream in opened:
        stream.thread.join(10)


@pytest.fixture
def raw(app: Flask, own_redis: RedisServer) -> Iterator[Redis]:
    with own_redis.client() as client:
        yield client


def name(app: Flask, what: str) -> str:
    return f"{{{runtime_of(app).settings.redis_prefix}}}:{what}"


def publish(app: Flask, *keys: str) -> Stamp:
    return runtime_of(app).bus.publish(Notice(keys, "note-written", "t"), patient=True)


def publish_silently(app: Flask, raw: Redis, key: str) -> None:
    """A publication whose notice gets lost on its way."""
    number = raw.incr(name(app, "seq"))
    raw.zadd(name(app, "versions"), {key: number})


@BOTH
def test_a_notice_reaches_whoever_watches_what_it_names(
    app: Flask, listen: Callable[..., Listening]
) -> None:
    stream = listen(KEY)
    assert stream.next("hello").data["verdict"] == "current"

    publish(app, "notes:list:8", "notes:books:1")
    stamp = publish(app, KEY)

    heard = stream.next("stale")
    assert heard.data == {"keys": [PARTS], "cause": "note-written", "trace": "t", "spread_ms": 0}
    assert heard.stamp == stamp


def test_a_notice_that_names_a_prefix_reaches_every_key_under_it(
    app: Flask, listen: Callable[..., Listening]
) -> None:
    stream = listen(KEY, f"notes:book:{BOOK}")
    stream.next("hello")

    publish(app, "notes:list")

    assert stream.next("stale").data["keys"] == [PARTS]


def test_a_lost_last_notice_is_found_by_the_next_beat(
    app: Flask, raw: Redis, listen: Callable[..., Listening]
) -> None:
    stream = listen(KEY, f"notes:book:{BOOK}")
    stream.next("hello")

    publish_silently(app, raw, KEY)

    heard = stream.next("stale")
    assert (heard.data["keys"], heard.data["cause"]) == ([PARTS], "resume")
    assert heard.stamp == runtime_of(app).bus.stamp()


def test_a_notice_lost_in_the_middle_is_found_by_the_next_one(
    app: Flask, raw: Redis, listen: Callable[..., Listening]
) -> None:
    stream = listen(KEY, f"notes:book:{BOOK}")
    stream.next("hello")

    publish_silently(app, raw, KEY)
    stamp = publish(app, f"notes:book:{BOOK}")

    told = [part for _ in range(1) for part in stream.next("stale").data["keys"]]
    while len(told) < 2:
        told += stream.next("stale").data["keys"]
    assert sorted(told) == [["notes", "book", BOOK], PARTS]
    wait_until(lambda: runtime_of(app).hub.stamp == stamp, "stamp")


def test_a_flushed_redis_resets_every_stream(
    app: Flask, raw: Redis, listen: Callable[..., Listening]
) -> None:
    stream = listen(KEY, f"notes:book:{BOOK}")
    before = stream.next("hello").stamp

    raw.flushall()

    heard = stream.next("stale")
    assert heard.data["cause"] == "reset"
    assert sorted(heard.data["keys"]) == [["notes", "book", BOOK], PARTS]
    assert heard.stamp.generation != before.generation


def test_after_a_reset_the_guards_are_asked_again(
    app: Flask, listen: Callable[..., Listening]
) -> None:
    """A parked event may have been one that took access away."""
    stream = listen(KEY)
    stream.next("hello")

    stamp = runtime_of(app).bus.reset("parked", "t")

    heard = stream.rest()
    assert [each.event for each in heard] == ["stale", "bye"]
    assert (heard[0].data["keys"], heard[0].data["cause"]) == ([PARTS], "parked")
    assert heard[0].stamp == stamp
    assert heard[1].data["reason"] == "access"


def test_garbage_on_the_channel_stops_nothing(
    app: Flask, raw: Redis, listen: Callable[..., Listening]
) -> None:
    stream = listen(KEY)
    stream.next("hello")

    for garbage in (
        "garbage",
        "",
        "000000000000-1",
        "000000000000-1 {}",
        '000000000000-1 {"keys": 7, "cause": "x", "trace": ""}',
        f"{runtime_of(app).hub.stamp} []",
        "\x00\xff",
    ):
        raw.publish(name(app, "notices"), garbage)
    publish(app, KEY)

    assert PARTS in stream.next("stale").data["keys"]
    assert runtime_of(app).hub.connected


def test_access_lost_ends_the_streams_of_that_user_alone(
    app: Flask, listen: Callable[..., Listening]
) -> None:
    mine, theirs = listen(KEY), listen(KEY, user_id=VIEWER)
    mine.next("hello")
    theirs.next("hello")

    client_of(app).post("/a/notes/lend", json={"book_id": BOOK, "user_id": VIEWER, "access": 0})

    *_, bye = theirs.rest()
    assert (bye.event, bye.data["reason"]) == ("bye", "access")
    publish(app, KEY)
    mine.next("stale")
    again = listen(KEY, user_id=VIEWER)
    assert again.next("hello").data["denied"] == [PARTS]


def test_all_that_one_shows_is_stale_once_they_may_do_something_else(
    app: Flask, listen: Callable[..., Listening]
) -> None:
    """The notice names one key of a page, and what the user may do is a part of every other."""
    other = f"notes:book:{BOOK}"
    stream, theirs = listen(KEY, other), listen(KEY, other, user_id=VIEWER)
    begun = str(stream.next("hello").stamp)
    theirs.next("hello")

    stamp = publish(app, KEY, access_key(OWNER))

    told, bye = stream.rest()
    assert sorted(told.data["keys"]) == [["notes", "book", BOOK], PARTS]
    assert (told.data["cause"], told.stamp) == ("access", stamp)
    assert (bye.event, bye.data["reason"]) == ("bye", "access")
    asleep = listen(other, since=begun)
    assert asleep.next("hello").data["stale"] == [["notes", "book", BOOK]]
    assert listen(other, since=str(told.stamp)).next("hello").data["verdict"] == "current"
    assert theirs.next("stale").data["keys"] == [PARTS]
    assert listen(other, since=begun, user_id=VIEWER).next("hello").data["verdict"] == "current"


def test_access_lost_while_the_stream_opens_ends_it_too(
    app: Flask, listen: Callable[..., Listening]
) -> None:
    """The guard has said yes; before the hub knows the stream, the answer becomes no."""
    hub = runtime_of(app).hub

    def lose_access() -> None:
        switches(app).in_guard = lambda: None
        before = hub.stamp

        def lend() -> None:
            body = {"book_id": BOOK, "user_id": VIEWER, "access": 0}
            client_of(app).post("/a/notes/lend", json=body)

        other = threading.Thread(target=lend)
        other.start()
        other.join()
        wait_until(lambda: hub.stamp != before, "notice")

    switches(app).in_guard = lose_access

    stream = listen(KEY, user_id=VIEWER)

    assert stream.next("hello").data["denied"] == []
    assert stream.next("bye").data["reason"] == "access"


def test_a_stream_never_outlives_its_session(listen: Callable[..., Listening]) -> None:
    stream = listen(KEY, token=f"{OWNER}-0.4")
    stream.next("hello")

    told, bye = stream.rest()

    assert (told.data["keys"], told.data["cause"]) == ([PARTS], "access")
    assert (bye.event, bye.data["reason"]) == ("bye", "access")


def test_beats_come_at_their_interval_with_ids_that_move(
    app: Flask, listen: Callable[..., Listening]
) -> None:
    stream = listen(KEY)
    hello = stream.next("hello")
    assert hello.data["heartbeat_s"] == 0.1
    wait_until(lambda: len(stream.beats) >= 2, "beats")
    assert {beat.id for beat in stream.beats} == {hello.id}

    stamp = publish(app, "notes:list:8")

    wait_until(lambda: stream.beats[-1].id == str(stamp), "beat with the new stamp")
    assert all(beat.data == {} for beat in stream.beats)


def test_a_beat_never_overtakes_a_notice_that_its_stamp_covers(
    app: Flask, listen: Callable[..., Listening]
) -> None:
    stream = listen(KEY)
    stream.next("hello")

    stamps = [publish(app, KEY) for _ in range(200)]
    wait_until(lambda: stream.beats and stream.beats[-1].stamp == stamps[-1], "last beat")

    told = 0
    for heard in stream.everything:
        if heard.event == "beat":
            assert heard.stamp.sequence <= told
        else:
            assert heard.stamp.sequence >= told
            told = heard.stamp.sequence
    assert told == 200


@pytest.mark.parametrize("leave", ["kill", "freeze"])
def test_while_redis_is_away_streams_are_told_and_stamps_are_not_made_up(
    app: Flask, own_redis: RedisServer, listen: Callable[..., Listening], leave: str
) -> None:
    stream = listen(KEY)
    stamp = stream.next("hello").stamp

    getattr(own_redis, leave)()

    stream.next("degraded")
    assert runtime_of(app).hub.stamp is None
    late = listen(KEY, since=str(stamp))
    hello = late.next("hello")
    late.next("degraded")
    assert hello.data["verdict"] == "current"
    beats = len(stream.beats)
    wait_until(lambda: len(stream.beats) > beats, "beat without a stamp")


@BOTH
def test_a_subscription_that_ends_is_an_outage_and_what_was_missed_meanwhile_is_told(
    app: Flask, raw: Redis, listen: Callable[..., Listening]
) -> None:
    stream = listen(KEY)
    stream.next("hello")
    hub = runtime_of(app).hub
    outages, number = hub.outages, runtime_of(app).bus.stamp().sequence + 1
    (subscriber,) = raw.client_list(_type="pubsub")

    with raw.pipeline() as transaction:  # so that no beat finds it before the connection ends
        transaction.client_kill_filter(_id=subscriber["id"])
        transaction.set(name(app, "seq"), number)
        transaction.zadd(name(app, "versions"), {KEY: number})
        transaction.execute()

    stream.next("degraded")
    assert stream.next("stale").data["keys"] == [PARTS]
    stream.next("restored")
    assert hub.outages == outages + 1


@BOTH
def test_a_redis_that_hung_for_a_while_restores_without_a_reset(
    app: Flask, own_redis: RedisServer, listen: Callable[..., Listening]
) -> None:
    stream = listen(KEY)
    stream.next("hello")
    own_redis.freeze()
    stream.next("degraded")

    own_redis.thaw()

    stream.next("restored")
    stamp = publish(app, KEY)
    assert stream.next("stale").stamp == stamp


def test_a_restarted_redis_resets_every_stream_and_has_the_guards_asked_again(
    app: Flask, own_redis: RedisServer, listen: Callable[..., Listening]
) -> None:
    stream = listen(KEY)
    before = stream.next("hello").stamp
    own_redis.kill()
    stream.next("degraded")

    own_redis.start()

    stale, bye = stream.rest()
    assert (stale.event, stale.data["cause"], stale.data["keys"]) == ("stale", "reset", [PARTS])
    assert stale.stamp.generation != before.generation
    assert (bye.event, bye.data["reason"]) == ("bye", "access")
    again = listen(KEY, since=stale.id)
    assert again.next("hello").data["verdict"] == "current"
    stamp = publish(app, KEY)
    assert again.next("stale", past=("degraded", "restored")).stamp == stamp


def test_what_was_committed_while_redis_was_away_is_told_before_all_is_said_to_be_well(
    app: Flask, own_redis: RedisServer, listen: Callable[..., Listening]
) -> None:
    stream = listen(KEY)
    stream.next("hello")
    own_redis.freeze()
    stream.next("degraded")
    answer = client_of(app).post("/a/notes/write", json={"book_id": BOOK, "text": "a"})
    assert answer.get_json()["stamp"] is None

    own_redis.thaw()

    assert [stream.next().event for _ in range(2)] == ["stale", "restored"]


def test_draining_says_bye_to_everybody(app: Flask, listen: Callable[..., Listening]) -> None:
    streams = [listen(KEY) for _ in range(3)]

    runtime_of(app).drain()

    for stream in streams:
        events = stream.rest()
        assert [each.event for each in events] == ["hello", "bye"]
        assert events[-1].data["reason"] == "drain"
        assert events[-1].data["retry_ms"] >= 0
    wait_until(lambda: runtime_of(app).hub.streams == 0, "end of the streams")


def test_a_head_of_a_stream_opens_none(app: Flask) -> None:
    for _ in range(3):
        response = client_of(app).head(f"/live?key={KEY}")
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")

    assert runtime_of(app).hub.streams == 0


def test_further_streams_than_a_worker_may_have_are_told_to_come_back(
    app: Flask, make_app: MakeApp, sqlite_url: str, listen: Callable[..., Listening]
) -> None:
    few = make_app(sqlite_url, streams_per_worker=0)

    response = client_of(few).get(f"/live?key={KEY}")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert response.get_json()["detail"] == (
        "Too many streams are open here. Come back in a moment."
    )


def test_a_hub_that_never_heard_from_redis_resets_and_degrades(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, fill=True, redis_url="unix:///nonexistent", heartbeat_s=0.1)
    runtime_of(app).start()

    stream = listening_here(client_of(app), f"key={KEY}&since=000000000000-1")

    hello = stream.next("hello")
    assert (hello.data["verdict"], hello.id) == ("reset", "")
    stream.next("degraded")
    runtime_of(app).drain()
    assert [each.event for each in stream.rest()] == ["bye"]
    stream.thread.join(10)


def watched(key: str) -> WatchedKey:
    return WatchedKey(key, tuple(key.split(":")))


def announcement(number: int, spread_ms: int = 0) -> Announcement:
    return Announcement(f"cause-{number}", "t", Stamp("0" * 12, number), spread_ms)


def test_what_a_slow_reader_missed_is_one_frame_with_the_newest_stamp() -> None:
    late = LateKeys()
    a, b = watched("a:x"), watched("b:x")

    late.add([a], announcement(1))
    late.add([b, a], announcement(2))

    assert late
    assert late.take() == announcement(2).frame([a, b])
    assert not late
    assert late.take() == b""


def test_a_reader_that_does_not_read_holds_a_set_of_keys_and_no_queue() -> None:
    stream = PulledStream({"a:x": ("a", "x")}, None)
    key = watched("a:x")
    frames = stream.read(b"first")
    assert next(frames) == b"first"

    for number in range(1000):
        stream.send_stale(b"", [key], announcement(number))
        stream.send(b"beat %d" % number)
    stream.end(b"bye")
    stream.end(b"another reason")

    assert list(frames) == [announcement(999).frame([key]), b"bye"]


def test_a_beat_does_not_take_the_place_of_news_that_is_not_read_yet() -> None:
    stream = PulledStream({}, None)
    frames = stream.read(b"hello")
    next(frames)

    stream.send(b"degraded")
    stream.send(b"beat")

    assert [next(frames), next(frames)] == [b"degraded", b"beat"]


def test_the_first_reason_to_end_stands() -> None:
    stream = PulledStream({}, None)
    stream.end(b"first")
    stream.end(b"second")
    stream.send(b"too late")

    assert list(stream.read(b"hello")) == [b"hello", b"first"]


def test_a_notice_that_comes_while_a_beat_is_made_goes_out_before_it() -> None:
    watchers, numbers = Watchers(), count(1)

    def hear_something_and_tell_the_stamp() -> Stamp:
        news = announcement(next(numbers))
        fanout.announce(["a:x"], news)
        assert news.stamp is not None
        return news.stamp

    fanout = Fanout(watchers, threading.RLock(), 0.06, hear_something_and_tell_the_stamp)
    stream = Recorder({"a:x": ("a", "x")}, None)
    watchers.add(stream)
    fanout.add(stream)
    thread = threading.Thread(target=fanout.run)
    thread.start()
    wait_until(lambda: b"event: beat" in b"".join(stream.sent), "beat")
    fanout.stop()
    thread.join()

    told = 0
    for event in decoded(stream.sent):
        number = Stamp.parse(event.id).sequence
        if event.event == "stale":
            told = number
        else:
            assert number <= told


def test_a_frame_for_one_key_goes_to_those_who_watch_it() -> None:
    """Such as a finding of the freshness guard, which is not everybody's to read."""
    watchers = Watchers()
    fanout = Fanout(watchers, threading.RLock(), 60, lambda: None)
    watches, another = Recorder({"a:x": ("a", "x")}, None), Recorder({"a:y": ("a", "y")}, None)
    for stream in (watches, another):
        watchers.add(stream)
        fanout.add(stream)

    fanout.tell_watchers("a:x", b"for those who watch a:x")
    fanout.stop()
    fanout.run()

    assert watches.sent == [b"for those who watch a:x"]
    assert another.sent == []


class Recorder(Stream):
    """A stream that keeps what it is sent."""

    def __init__(self, wanted: dict[str, KeyParts], access_key: str | None) -> None:
        super().__init__(wanted, access_key)
        self.sent: list[bytes] = []

    def send_stale(self, encoded: bytes, keys: object, announcement: object) -> None:
        self.sent.append(encoded)

    def send(self, encoded: bytes) -> None:
        self.sent.append(encoded)


def test_stopping_ends_every_thread_and_connection(
    app: Flask, own_redis: RedisServer, raw: Redis
) -> None:
    runtime = runtime_of(app)
    assert raw.pubsub_numsub(name(app, "notices")) == [(name(app, "notices"), 1)]

    runtime.stop()

    assert not [t for t in threading.enumerate() if t.name.startswith("coursewire-")]
    wait_until(lambda: len(raw.client_list()) == 1, "end of the connections to Redis")


def test_starting_twice_starts_one_subscriber(app: Flask, raw: Redis) -> None:
    runtime_of(app).start()

    assert raw.pubsub_numsub(name(app, "notices")) == [(name(app, "notices"), 1)]
