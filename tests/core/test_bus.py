"""The scripts on a real Valkey and a real Redis; and what happens when neither answers."""

import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from core.bus import MAX_KEYS_PER_NAMESPACE, Bus, Notice, narrow
from core.errors import BusUnavailable
from core.keys import prefixes
from core.settings import Settings
from core.stamps import Stamp
from core.versions import Arrival, Versions
from tests.core.ledger import KEYS, Ledger
from tests.faults.proxy import Proxy
from tests.servers import RedisServer, redis_server, wait_until

BOUND_S = 2.0
"""Far above the longest wait that the settings of these tests allow, far below a request's end."""


@pytest.fixture(scope="module", params=["valkey", pytest.param("redis", marks=pytest.mark.redis)])
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with redis_server(request.param) as server:
        yield server


@pytest.fixture
def make_bus(server: RedisServer) -> Iterator[Callable[..., Bus]]:
    """Makes buses of one prefix, with settings of the test's choice."""
    prefix = f"test-{uuid4().hex[:12]}"
    made: list[Bus] = []

    def make(**chosen: Any) -> Bus:
        made.append(bus_at(server.url, **{"redis_prefix": prefix, **chosen}))
        return made[-1]

    yield make
    for bus in made:
        bus.close()


@pytest.fixture
def bus(make_bus: Callable[..., Bus]) -> Bus:
    return make_bus()


def bus_at(url: str, **chosen: Any) -> Bus:
    """A bus with settings that validation would refuse as too small for anybody but a test."""
    return Bus(Settings(redis_url=url).model_copy(update=chosen))


def notice(*keys: str) -> Notice:
    return Notice(keys, "note-written", "0123456789abcdef")


@pytest.fixture
def heard(bus: Bus) -> Iterator[Callable[[], str]]:
    """Returns the next message of the bus's channel."""
    client = bus.connect(timeout_s=None, single=True)
    with client.pubsub() as pubsub:
        pubsub.subscribe(bus.channel)
        assert pubsub.get_message(timeout=10)["type"] == "subscribe"

        def next_message() -> str:
            message = pubsub.get_message(timeout=10)
            assert message is not None, "nothing was published"
            text: str = message["data"]
            return text

        yield next_message
    client.close()
    client.connection_pool.disconnect()


def test_publications_are_numbered_without_gaps(bus: Bus) -> None:
    begin = bus.stamp()

    numbers = [bus.publish(notice("a:x")).sequence for _ in range(5)]

    assert begin.sequence == 0
    assert numbers == [1, 2, 3, 4, 5]
    assert bus.stamp() == Stamp(begin.generation, 5)


def test_many_at_once_are_numbered_without_gaps_over_a_bounded_pool(
    server: RedisServer, bus: Bus
) -> None:
    with server.client() as client:
        others = client.info("clients")["connected_clients"]

        with ThreadPoolExecutor(10) as pool:
            stamps = list(pool.map(lambda n: bus.publish(notice(f"a:{n}")), range(200)))

        connections = client.info("clients")["connected_clients"] - others

    assert sorted(stamp.sequence for stamp in stamps) == list(range(1, 201))
    assert 1 <= connections <= bus.settings.redis_pool_size


def test_a_publication_gives_every_key_its_number(bus: Bus) -> None:
    first = bus.publish(notice("a:x:1", "b"))
    second = bus.publish(notice("a:x:1", "c"))

    snapshot = bus.snapshot()

    assert snapshot.stamp == second
    assert snapshot.versions == {
        "a:x:1": second.sequence,
        "b": first.sequence,
        "c": second.sequence,
    }
    assert snapshot.horizon == 0


def test_a_publication_without_keys_is_numbered_too(bus: Bus) -> None:
    assert bus.publish(notice()).sequence == 1

    assert bus.snapshot().versions == {}


def test_a_notice_says_stamp_keys_cause_and_trace(bus: Bus, heard: Callable[[], str]) -> None:
    stamp = bus.publish(notice("a:x:%C3%A9", "b"))

    head, _, body = heard().partition(" ")

    assert head == str(stamp)
    assert json.loads(body) == {
        "keys": ["a:x:%C3%A9", "b"],
        "cause": "note-written",
        "trace": "0123456789abcdef",
    }


def test_a_reset_says_so_and_voids_what_came_before(bus: Bus, heard: Callable[[], str]) -> None:
    bus.publish(notice("a:x"))
    heard()

    stamp = bus.reset("parked", "trace")

    head, _, body = heard().partition(" ")
    assert head == str(stamp)
    assert json.loads(body) == {"keys": [], "cause": "parked", "trace": "trace", "reset": True}
    assert stamp.sequence == 2
    snapshot = bus.snapshot()
    assert (snapshot.versions, snapshot.horizon) == ({}, 2)
    versions = Versions(snapshot, kept=100)
    assert not versions.is_current("a:never:named", Stamp(stamp.generation, 1))
    assert versions.is_current("a:never:named", stamp)


def test_every_name_in_redis_and_the_channel_carry_the_prefix_as_a_hash_tag(
    server: RedisServer, bus: Bus, heard: Callable[[], str]
) -> None:
    prefix = bus.settings.redis_prefix
    bus.reset("parked", "")
    bus.publish(notice("a"))

    with server.client() as client:
        names = set(client.scan_iter(f"*{prefix}*"))
        channels = client.pubsub_channels(f"*{prefix}*")

    assert names == {f"{{{prefix}}}:{name}" for name in ("seq", "epoch", "versions", "horizon")}
    assert channels == [bus.channel] == [f"{{{prefix}}}:notices"]


def test_another_prefix_shares_neither_numbers_nor_notices(
    make_bus: Callable[..., Bus], heard: Callable[[], str]
) -> None:
    other = make_bus(redis_prefix=f"test-{uuid4().hex[:12]}")
    bus = make_bus()

    other.publish(notice("theirs"))
    stamp = bus.publish(notice("ours"))

    assert stamp.sequence == 1
    assert stamp.generation != other.stamp().generation
    assert "ours" in heard()


def test_a_trim_raises_the_horizon_to_what_went(make_bus: Callable[..., Bus]) -> None:
    bus = make_bus(versions_kept=3)
    for key in ("a", "b", "c", "d"):
        bus.publish(notice(key))
    bus.publish(notice("e", "f"))

    snapshot = bus.snapshot()

    assert snapshot.versions == {"d": 4, "e": 5, "f": 5}
    assert snapshot.horizon == 3


def test_one_publication_larger_than_what_is_kept_voids_the_rest_of_itself(
    make_bus: Callable[..., Bus],
) -> None:
    bus = make_bus(versions_kept=2)

    stamp = bus.publish(notice("a", "b", "c", "d"))

    snapshot = bus.snapshot()
    assert len(snapshot.versions) == 2
    assert snapshot.horizon == stamp.sequence


def test_a_key_that_is_named_again_is_among_the_newest(make_bus: Callable[..., Bus]) -> None:
    bus = make_bus(versions_kept=2)
    for key in ("a", "b", "a", "c"):
        bus.publish(notice(key))

    assert bus.snapshot().versions == {"a": 3, "c": 4}


def test_a_snapshot_that_leaves_older_versions_out_has_a_horizon_above_them(
    make_bus: Callable[..., Bus],
) -> None:
    bus = make_bus(versions_loaded=2)
    for key in ("a", "b", "c", "d"):
        bus.publish(notice(key))

    snapshot = bus.snapshot()

    assert snapshot.versions == {"c": 3, "d": 4}
    assert 2 <= snapshot.horizon <= 3


def test_a_publication_of_twenty_thousand_keys_fits(make_bus: Callable[..., Bus]) -> None:
    bus = make_bus(redis_timeout_s=5.0)
    keys = [f"n{n // 1000}:list:{n}" for n in range(20_000)]

    stamp = bus.publish(notice(*keys))

    assert stamp.sequence == 1
    assert len(make_bus(versions_loaded=30_000, redis_timeout_s=5.0).snapshot().versions) == 20_000


class RealRuleOfStamps(RuleBasedStateMachine):
    """The rule of stamps once more, with the real scripts and the real channel."""

    make: Callable[..., Bus]

    @initialize(kept=st.integers(1, 12), loaded=st.integers(1, 12))
    def begin(self, kept: int, loaded: int) -> None:
        self.bus = self.make(
            redis_prefix=f"test-{uuid4().hex[:12]}",
            redis_timeout_s=10,  # a busy machine is no mistake of the scripts
            versions_kept=kept,
            versions_loaded=loaded,
        )
        self.client = self.bus.connect(timeout_s=None, single=True)
        self.pubsub = self.client.pubsub()
        self.pubsub.subscribe(self.bus.channel)
        self.pubsub.get_message(timeout=10)
        self.exact = min(kept, loaded) >= len(KEYS)
        self.ledger = Ledger(self.bus.stamp().generation)
        self.resume()

    @rule(keys=st.lists(st.sampled_from(KEYS), max_size=4))
    def publish(self, keys: list[str]) -> None:
        stamp = self.bus.publish(notice(*keys))

        self.ledger.publish(narrow(keys))
        assert stamp == self.ledger.stamp
        self.hear()

    @rule()
    def reset_everything(self) -> None:
        self.bus.reset("parked", "")

        self.ledger.publish((), reset=True)
        self.hear()

    @rule(keys=st.lists(st.sampled_from(KEYS), max_size=4))
    def publish_and_lose_the_notice(self, keys: list[str]) -> None:
        self.bus.publish(notice(*keys))
        self.ledger.publish(narrow(keys))
        self.pubsub.get_message(timeout=10)

    @rule()
    def resume(self) -> None:
        self.hub = Versions(self.bus.snapshot(), kept=10)

    @rule()
    def lose_everything(self) -> None:
        self.bus.client.delete(*(f"{{{self.bus.settings.redis_prefix}}}:{n}" for n in _NAMES))
        before = self.ledger.generation
        self.ledger = Ledger(self.bus.stamp().generation)
        assert self.ledger.generation != before

    @invariant()
    def current_is_never_said_of_stale_data(self) -> None:
        heard = self.hub.stamp
        if heard.generation != self.ledger.generation:
            return
        for key in KEYS:
            for sequence in range(heard.sequence + 1):
                stamp = Stamp(heard.generation, sequence)
                truth = self.ledger.is_current(key, stamp, heard.sequence)
                said = self.hub.is_current(key, stamp)
                assert truth or not said, (key, stamp)
                if self.exact:
                    assert truth == said, (key, stamp)

    def hear(self) -> None:
        head, _, body = self.pubsub.get_message(timeout=10)["data"].partition(" ")
        stamp, data = Stamp.parse(head), json.loads(body)
        before = self.hub.stamp
        if data.get("reset"):
            arrival = self.hub.reset(stamp)
        else:
            arrival = self.hub.arrive(stamp, data["keys"])
        fits = stamp == Stamp(before.generation, before.sequence + 1)
        assert arrival is (Arrival.NEXT if fits else Arrival.GAP)

    def teardown(self) -> None:
        if hasattr(self, "pubsub"):
            self.pubsub.close()
            self.client.close()
            self.client.connection_pool.disconnect()
            self.bus.close()


_NAMES = ("seq", "epoch", "versions", "horizon")


def test_the_rule_of_stamps_holds_over_the_real_scripts(make_bus: Callable[..., Bus]) -> None:
    machine = type("Machine", (RealRuleOfStamps,), {"make": staticmethod(make_bus)})

    run_state_machine_as_test(
        machine,
        settings=hypothesis_settings(max_examples=25, stateful_step_count=25, deadline=None),
    )


def test_a_flush_makes_a_new_generation(server: RedisServer, bus: Bus) -> None:
    before = bus.publish(notice("a"))

    with server.client() as client:
        client.flushall()

    after = bus.publish(notice("a"))
    assert after.generation != before.generation
    assert after.sequence == 1
    assert not Versions(bus.snapshot(), kept=100).is_current("a", before)


def test_a_restart_makes_a_new_generation_even_with_all_data_restored(
    server: RedisServer, bus: Bus
) -> None:
    before = bus.publish(notice("a"))
    with server.client() as client:
        client.save()

    server.kill()
    server.start()

    after = bus.publish(notice("a"), patient=True)
    assert after.sequence == 2, "the dump was loaded"
    assert after.generation != before.generation


def test_a_new_epoch_makes_every_stamp_void(server: RedisServer, bus: Bus) -> None:
    before = bus.publish(notice("a"))

    with server.client() as client:
        client.set(f"{{{bus.settings.redis_prefix}}}:epoch", "chosen by the operator")

    assert bus.stamp().generation != before.generation
    assert bus.stamp().sequence == 1


def test_a_generation_stays_while_nothing_happens(make_bus: Callable[..., Bus]) -> None:
    first, second = make_bus(), make_bus()

    assert len({first.stamp(), second.stamp(), first.stamp()}) == 1


def test_forgotten_scripts_are_sent_again(server: RedisServer, bus: Bus) -> None:
    bus.publish(notice("a"))

    with server.client() as client:
        client.script_flush()

    assert bus.publish(notice("a")).sequence == 2


def test_connections_that_broke_while_idle_are_opened_anew(server: RedisServer, bus: Bus) -> None:
    bus.stamp()

    with server.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)

    assert bus.publish(notice("a")).sequence == 1


def test_out_of_memory_is_unavailable_and_costs_no_number(server: RedisServer, bus: Bus) -> None:
    begin = bus.publish(notice("a"))
    with server.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
        try:
            with pytest.raises(BusUnavailable) as caught:
                bus.publish(notice("b"))
            with pytest.raises(BusUnavailable):
                bus.probe()
            meanwhile = Bus(bus.settings).stamp()
        finally:
            client.config_set("maxmemory", "0")

    assert "OutOfMemoryError" in caught.value.reason
    assert meanwhile == begin
    assert bus.publish(notice("b"), patient=True).sequence == begin.sequence + 1


def test_a_frozen_redis_is_unavailable_in_time_and_usable_once_it_goes_on(
    server: RedisServer, bus: Bus
) -> None:
    bus.stamp()
    server.freeze()
    try:
        begun = time.monotonic()
        with pytest.raises(BusUnavailable):
            bus.publish(notice("a"))
        took_s = time.monotonic() - begun
    finally:
        server.thaw()

    assert took_s < BOUND_S
    wait_until(lambda: _answers(bus), "answer of the thawed Redis")


def test_after_an_answer_that_came_too_late_nobody_gets_it_for_another_question(
    server: RedisServer, bus: Bus
) -> None:
    bus.publish(notice("a"))
    server.freeze()
    with pytest.raises(BusUnavailable):
        bus.snapshot()
    server.thaw()

    wait_until(lambda: _answers(bus), "answer of the thawed Redis")
    assert isinstance(bus.probe(), Stamp)
    assert bus.snapshot().versions == {"a": 1}


def test_a_crowd_that_waits_for_connections_does_not_make_redis_look_away(
    server: RedisServer,
) -> None:
    """Each answer takes 30 ms, a question may take 100, and thirty ask over one connection."""
    with Proxy(Path(server.url.removeprefix("unix://"))) as proxy:
        proxy.delay(0.03)
        url = f"redis://127.0.0.1:{proxy.port}"
        crowded = bus_at(url, redis_timeout_s=0.1, redis_pool_size=2)
        with ThreadPoolExecutor(30) as pool:
            asked = [pool.submit(_is_told, crowded) for _ in range(30)]
            probed = pool.submit(crowded.probe)
            answered = [future.result() for future in asked]
        crowded.close()

    assert sum(answered) >= 20, "those whose turn did not come are few"
    assert crowded._open_after == 0.0
    assert isinstance(probed.result(), Stamp)


def test_those_who_waited_for_a_turn_while_redis_failed_do_not_wait_for_it_again(
    silent: "Silent",
) -> None:
    bus = bus_at(silent.url, redis_timeout_s=0.2, redis_pool_size=1)
    begun = time.monotonic()

    with ThreadPoolExecutor(20) as pool:
        answered = [future.result() for future in [pool.submit(_is_told, bus) for _ in range(20)]]

    assert not any(answered)
    assert time.monotonic() - begun < BOUND_S
    bus.close()


class Busy:
    """A socket of a worker that had no time to look, until the wait was over."""

    def __init__(self, real: socket.socket) -> None:
        self._real = real
        self.waits = 0

    def recv_into(self, buffer: bytearray) -> int:
        if self._real.gettimeout() != 0:
            self.waits += 1
            wait_until(lambda: select.select([self._real], [], [], 0)[0], "answer")
            raise TimeoutError
        return self._real.recv_into(buffer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def test_an_answer_that_is_there_when_the_wait_is_over_is_an_answer(bus: Bus) -> None:
    connection: Any = bus.client.connection_pool.get_connection()
    connection._parser._sock = busy = Busy(connection._sock)

    connection.send_command("ECHO", "late")

    assert connection.read_response() == "late"
    assert busy.waits == 1
    bus.client.connection_pool.release(connection)


class Silent:
    """A listener that takes connections and never says a word; it counts them."""

    def __init__(self) -> None:
        self.connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for connection in self.connections:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                self.connections.append(self._listener.accept()[0])
            except OSError:
                return


@pytest.fixture
def silent() -> Iterator[Silent]:
    listener = Silent()
    yield listener
    listener.close()


@pytest.fixture
def mute(silent: Silent) -> Iterator[Bus]:
    """A bus whose Redis never answers."""
    bus = bus_at(silent.url, redis_timeout_s=0.1)
    yield bus
    bus.close()


@pytest.mark.parametrize(
    "ask",
    [
        lambda bus: bus.stamp(),
        lambda bus: bus.publish(notice("a")),
        lambda bus: bus.reset("parked", ""),
        lambda bus: bus.snapshot(),
    ],
    ids=["stamp", "publish", "reset", "snapshot"],
)
def test_a_redis_that_never_answers_is_unavailable_in_time(
    mute: Bus, ask: Callable[[Bus], object]
) -> None:
    begun = time.monotonic()

    with pytest.raises(BusUnavailable) as caught:
        ask(mute)

    assert time.monotonic() - begun < BOUND_S
    assert str(caught.value).startswith("Redis does not answer: TimeoutError: ")


def test_after_a_failure_nobody_waits_again_for_a_while(silent: Silent, mute: Bus) -> None:
    with pytest.raises(BusUnavailable):
        mute.stamp()
    wait_until(lambda: silent.connections, "connection")
    asked = len(silent.connections)

    with pytest.raises(BusUnavailable) as caught:
        mute.publish(notice("a"))

    assert caught.value.reason == "it failed a moment ago"
    assert len(silent.connections) == asked


def test_the_patient_ask_even_after_a_failure(silent: Silent, mute: Bus) -> None:
    with pytest.raises(BusUnavailable):
        mute.stamp()
    wait_until(lambda: silent.connections, "connection")
    asked = len(silent.connections)

    with pytest.raises(BusUnavailable):
        mute.publish(notice("a"), patient=True)

    wait_until(lambda: len(silent.connections) > asked, "further connection")


def test_the_rest_after_a_failure_ends(silent: Silent, mute: Bus) -> None:
    with pytest.raises(BusUnavailable):
        mute.stamp()
    wait_until(lambda: silent.connections, "connection")
    asked = len(silent.connections)

    def asked_again() -> bool:
        with pytest.raises(BusUnavailable):
            mute.stamp()
        return len(silent.connections) > asked

    wait_until(asked_again, "further question to Redis", 10)


def test_after_the_rest_one_asks_and_the_others_do_not_wait_for_what_it_learns(mute: Bus) -> None:
    def reason() -> str:
        with pytest.raises(BusUnavailable) as caught:
            mute.stamp()
        return caught.value.reason

    asked = [reason()]
    while len(asked) < 3:
        with ThreadPoolExecutor(8) as pool:
            reasons = list(pool.map(lambda _: reason(), range(8)))
        assert reasons.count("it failed a moment ago") >= 7
        asked += [r for r in reasons if r != "it failed a moment ago"]


def test_a_success_ends_the_rest_at_once(server: RedisServer, bus: Bus) -> None:
    bus.stamp()
    server.freeze()
    with pytest.raises(BusUnavailable):
        bus.stamp()
    server.thaw()
    wait_until(lambda: _answers(bus), "answer of the thawed Redis")

    assert bus.stamp() == bus.stamp()


def test_nobody_listening_is_unavailable_at_once() -> None:
    bus = bus_at("unix:///nonexistent/redis.sock")

    with pytest.raises(BusUnavailable) as caught:
        bus.stamp()

    assert caught.value.reason.startswith("ConnectionError: ")
    bus.close()


def test_more_askers_than_connections_wait_in_turn_and_none_for_ever(mute: Bus) -> None:
    begun = time.monotonic()

    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(lambda _: _answers(mute), range(12)))

    assert not any(outcomes)
    assert time.monotonic() - begun < BOUND_S + 2


def _is_told(bus: Bus) -> bool:
    """Whether one who waits for a turn gets an answer."""
    try:
        bus.stamp()
    except BusUnavailable:
        return False
    return True


def _answers(bus: Bus) -> bool:
    try:
        bus.probe()
    except BusUnavailable:
        return False
    return True


key_texts = st.lists(st.sampled_from(["a", "b", "1", "2", "3"]), min_size=1, max_size=4).map(
    ":".join
)


def covers(names: list[str], key: str) -> bool:
    return any(prefix in names for prefix in prefixes(key))


@given(st.lists(key_texts, max_size=20), key_texts)
def test_narrowed_keys_name_exactly_what_all_of_them_named(keys: list[str], any_key: str) -> None:
    found = narrow(keys)

    assert covers(found, any_key) == covers(keys, any_key)
    assert set(found) <= set(keys)
    assert narrow(found) == found


@given(st.lists(key_texts, max_size=20))
def test_no_narrowed_key_prefixes_another(keys: list[str]) -> None:
    found = narrow(keys)

    for key in found:
        assert [name for name in prefixes(key) if name in found] == [key]


def test_a_thousand_keys_of_a_namespace_are_named_one_by_one_and_more_by_the_namespace() -> None:
    thousand = [f"chapters:list:{number}" for number in range(MAX_KEYS_PER_NAMESPACE)]

    assert sorted(narrow([*thousand, "courses:detail:1"])) == sorted(
        [*thousand, "courses:detail:1"]
    )
    assert narrow([*thousand, "chapters:list:x", "courses:detail:1"]) == [
        "chapters:list",
        "courses:detail:1",
    ]


def test_a_redis_error_of_another_kind_is_unavailable_too(server: RedisServer, bus: Bus) -> None:
    with server.client() as client:
        client.set(f"{{{bus.settings.redis_prefix}}}:versions", "not a sorted set")

    with pytest.raises(BusUnavailable) as caught:
        bus.publish(notice("a"))

    assert "WRONGTYPE" in caught.value.reason
    assert isinstance(caught.value.__cause__, redis.ResponseError)
