"""What browsers report of a write, and freshness in nines: the share that was shown in time."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.bus import Bus, Notice
from core.errors import BusUnavailable
from core.explain.traces import Told
from core.fanout import Groups
from core.sightings import SETTLED_S, WITNESSES, Sighting, Sightings, State
from core.stamps import Stamp
from core.streams import Announcement, LateKeys, PulledStream, Stream
from core.telemetry.metrics import Metrics
from core.watchers import WatchedKey
from tests.conftest import settings_for
from tests.core.test_fanout import Reader
from tests.core.test_metrics import seen_at, value
from tests.servers import Gunicorn, RedisServer, gunicorn, sqlite_copy, wait_until

LIST, DETAIL = "chapters:list:1", "courses:detail:1"
LATER = SETTLED_S + 1


class Worker:
    """The sightings of one worker, and what it counted."""

    def __init__(self, bus: Bus, share: float = 1.0) -> None:
        self.metrics = Metrics()
        self.sightings = Sightings(bus, self.metrics, share)
        self.moment = 0.0

    def tell(
        self, streams: Sequence[Stream], trace: str = "0" * 16, *keys: str
    ) -> dict[Stream, tuple[str, ...]]:
        """Announce a write of *keys* to *streams*, who all watch the list of chapters."""
        group: Groups = {(WatchedKey(LIST, ("chapters", "list", 1)),): streams}
        return self.sightings.choose(group, [told(trace, *keys or (LIST,))])

    def see(self, stream: Stream, state: State, lag_s: float = 0.0, trace: str = "0" * 16) -> bool:
        return self.sightings.seen(stream.id, [Sighting(trace, state, lag_s)])

    def settle(self, after_s: float) -> None:
        """Settle what is due so many seconds from now."""
        self.sightings.settle(time.monotonic() + after_s)

    def counted(self, what: str) -> dict[str, int]:
        """How many *what* (writes, pairs) there were, and how many were fresh within each T."""
        growing, _ = self.metrics.samples()
        found = {"all": int(growing["coursewire_sighted_" + what + "_total", ()])}
        for (name, labels), number in growing.items():
            if name == f"coursewire_fresh_{what}_total":
                found[dict(labels)["within"]] = int(number)
        return found


def told(trace: str, *keys: str, at: float | None = 1.0, reset: bool = False) -> Told:
    return Told(Notice(keys, "chapter-added", trace, reset, at), Stamp("0" * 12, 1), 2.0)


def stream(name: str) -> Stream:
    found = Stream({LIST: ("chapters", "list", 1)}, None)
    found.id = name
    return found


@pytest.fixture
def bus(valkey: str, tmp_path: Path) -> Iterator[Bus]:
    bus = Bus(settings_for("sqlite://", valkey, tmp_path))
    yield bus
    bus.close()


@pytest.fixture
def worker(bus: Bus) -> Worker:
    return Worker(bus)


def test_every_worker_samples_the_same_writes(bus: Bus) -> None:
    traces = [f"{number:016x}" for number in range(0, 2**64, 2**57)]

    chosen = [
        {t for t in traces if Sightings(bus, Metrics(), 0.25).samples(told(t, LIST).notice)}
        for _ in range(2)
    ]

    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == len(traces) / 4


@pytest.mark.parametrize(
    ("share", "notice"),
    [
        (0.0, told("0" * 16, LIST).notice),
        (1.0, told("0" * 16, reset=True).notice),
        (1.0, told("0" * 16, LIST, at=None).notice),
        (1.0, told("by hand", LIST).notice),
    ],
    ids=["none is sampled", "a reset", "of unknown age", "no trace of ours"],
)
def test_no_report_is_asked_for_where_it_would_mean_nothing(
    bus: Bus, share: float, notice: Notice
) -> None:
    assert not Sightings(bus, Metrics(), share).samples(notice)


def test_those_who_make_reports_are_asked_and_not_too_many(worker: Worker) -> None:
    programs = [stream("") for _ in range(10)]
    browsers = [stream(f"browser {number}") for number in range(3 * WITNESSES)]

    witnesses = worker.tell([*programs, *browsers])

    assert len(witnesses) == WITNESSES
    assert set(witnesses) <= set(browsers)
    assert set(witnesses.values()) == {("0" * 16,)}


def test_of_notices_that_were_merged_each_is_reported_by_those_it_concerns(worker: Worker) -> None:
    one, other = stream("one"), stream("other")
    groups: Groups = {
        (WatchedKey(LIST, ("chapters", "list", 1)),): [one],
        (WatchedKey(DETAIL, ("courses", "detail", 1)),): [other],
    }

    witnesses = worker.sightings.choose(
        groups, [told("a" * 16, "chapters:list"), told("b" * 16, LIST, DETAIL)]
    )

    assert witnesses == {one: ("a" * 16, "b" * 16), other: ("b" * 16,)}


def test_a_pair_is_fresh_within_the_time_it_took(worker: Worker) -> None:
    one, two, three = stream("one"), stream("two"), stream("three")
    worker.tell([one, two, three])

    worker.see(one, "painted", 0.4)
    worker.see(two, "painted", 1.5)
    worker.see(three, "painted", 61)
    worker.settle(LATER)

    assert worker.counted("pairs") == {"all": 3, "1": 1, "2": 2, "10": 2, "60": 2}


def test_who_says_nothing_or_failed_is_stale_and_who_does_not_look_does_not_count(
    worker: Worker,
) -> None:
    silent, failed, hidden, left = (stream(name) for name in ("silent", "failed", "hidden", "left"))
    worker.tell([silent, failed, hidden, left])

    worker.see(failed, "failed")
    worker.see(hidden, "hidden")
    worker.see(left, "left")
    worker.settle(LATER)

    assert worker.counted("pairs") == {"all": 2, "1": 0, "2": 0, "10": 0, "60": 0}


def test_a_write_of_which_a_browser_heard_in_two_frames_is_as_old_as_the_later_one(
    worker: Worker,
) -> None:
    one, two = stream("one"), stream("two")
    worker.tell([one, two])
    worker.tell([one, two])

    worker.see(one, "painted", 0.2)
    worker.see(one, "painted", 5)
    worker.see(two, "painted", 0.2)  # and nothing of the second frame
    worker.settle(LATER)

    assert worker.counted("pairs") == {"all": 2, "1": 0, "2": 0, "10": 1, "60": 1}


def test_nothing_is_counted_before_its_time_nor_twice(worker: Worker) -> None:
    one = stream("one")
    worker.tell([one])
    worker.see(one, "painted", 0.1)

    worker.settle(SETTLED_S - 5)
    assert worker.counted("pairs") == {"all": 0}
    worker.settle(LATER)
    worker.settle(LATER + 60)

    assert worker.counted("pairs")["all"] == 1
    assert worker.counted("writes")["all"] == 1
    assert not worker.see(one, "painted", 0.1), "it is known no more"


def test_a_write_is_as_fresh_as_the_last_browser_of_all_workers(bus: Bus) -> None:
    """Each worker tells its worst; one of them counts, whichever comes first."""
    here, there = Worker(bus), Worker(bus)
    one, two = stream("one"), stream("two")
    for worker, browser, lag_s in ((here, one, 0.3), (there, two, 1.7)):
        worker.tell([browser])
        worker.see(browser, "painted", lag_s)
        worker.settle(LATER)

    there.settle(LATER + 20)
    here.settle(LATER + 20)

    assert there.counted("writes") == {"all": 1, "1": 0, "2": 1, "10": 1, "60": 1}
    assert here.counted("writes") == {"all": 0}


def test_a_write_that_nobody_looked_at_is_no_write_of_the_share(worker: Worker) -> None:
    hidden = stream("hidden")
    worker.tell([hidden])

    worker.see(hidden, "hidden")
    worker.settle(LATER)
    worker.settle(LATER + 60)

    assert worker.counted("writes") == {"all": 0}


def test_what_cannot_be_judged_while_redis_is_away_counts_as_stale(tmp_path: Path) -> None:
    nowhere = Bus(settings_for("sqlite://", f"unix://{tmp_path / 'nobody'}", tmp_path))
    worker, one = Worker(nowhere), stream("one")
    worker.tell([one])
    worker.see(one, "painted", 0.1)

    worker.settle(LATER)
    worker.settle(LATER + 60)

    assert worker.counted("pairs")["1"] == 1
    assert worker.counted("writes") == {"all": 1, "1": 0, "2": 0, "10": 0, "60": 0}


def test_a_lag_that_could_not_be_told_at_once_is_counted_all_the_same(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    with closing(Bus(settings_for("sqlite://", own_redis.url, tmp_path))) as bus:
        worker, one = Worker(bus), stream("one")
        worker.tell([one])
        worker.see(one, "painted", 1.5)

        own_redis.kill()
        worker.settle(LATER)
        own_redis.start()
        wait_until(lambda: _answers(bus), "Redis")
        worker.settle(2 * LATER)

    assert worker.counted("writes") == {"all": 1, "1": 0, "2": 1, "10": 1, "60": 1}


def _answers(bus: Bus) -> bool:
    try:
        bus.stamp()
    except BusUnavailable:
        return False
    return True


def test_others_cannot_speak_for_a_stream(worker: Worker) -> None:
    one = stream("one")
    worker.tell([one])

    assert not worker.sightings.seen("another", [Sighting("0" * 16, "painted", 0.1)])
    assert not worker.see(one, "painted", trace="f" * 16)
    worker.settle(LATER)

    assert worker.counted("pairs") == {"all": 1, "1": 0, "2": 0, "10": 0, "60": 0}


def test_what_cannot_be_read_from_redis_is_passed_over(worker: Worker) -> None:
    for text in ("", "[]", '["one"]', '["one",[["t"]]]', "null", '{"a":1}'):
        worker.sightings.hear(text)


def test_a_slow_browser_reports_on_all_that_it_missed() -> None:
    late, key = LateKeys(), WatchedKey(LIST, ("chapters", "list", 1))

    for trace in ("a", "b", "b"):
        late.add([key], Announcement("x", trace, None, reports=(trace,)))
    late.add([key], Announcement("x", "c", None))

    assert late.take() == Announcement("x", "c", None, reports=("a", "b")).frame([key])
    late.add([key], Announcement("x", "d", None))
    assert b"reports" not in late.take()


# Two workers, real requests.


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, filled_sqlite: Path, valkey: str
) -> Iterator[Gunicorn]:
    folder = tmp_path_factory.mktemp("sightings")
    environment = {
        "DATABASE_URL": sqlite_copy(filled_sqlite, folder),
        "REDIS_URL": valkey,
        "COURSEWIRE_REDIS_PREFIX": "sightings",
        "COURSEWIRE_UPLOAD_DIR": str(folder / "var" / "uploads"),
        "COURSEWIRE_SIGHTINGS_SHARE": "1",
        "WEB_CONCURRENCY": "2",
    }
    with gunicorn(folder, **environment) as server:
        yield server


@pytest.fixture
def owner(site: Gunicorn) -> Iterator[httpx.Client]:
    """A client whose requests may each meet another worker."""
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=site.url, limits=limits, timeout=20) as client:
        body = {"email": "owner@example.test", "password": "demo"}
        client.post("/a/accounts/sign-in", json=body).raise_for_status()
        yield client


def report(stream_id: str, **seen: Any) -> dict[str, Any]:
    return {"stream": stream_id, "seen": [{"state": "painted", "age_ms": 3, **seen}]}


def test_a_report_finds_the_worker_that_asked_for_it(site: Gunicorn, owner: httpx.Client) -> None:
    cookie = f"coursewire_session={owner.cookies['coursewire_session']}"
    with (
        closing(Reader(site.url, cookie, (f"{LIST}&reports=1",))) as browser,
        closing(Reader(site.url, cookie, (LIST,))) as program,
    ):
        name = browser.frame("hello")["stream"]
        assert "stream" not in program.frame("hello")
        for number in range(8):
            body = {"course_id": 1, "title": f"Chapter {number}"}
            owner.post("/a/chapters/add", json=body).raise_for_status()
            frame = browser.frame("stale")
            assert frame["reports"] == [frame["trace"]]
            assert "reports" not in program.frame("stale")
            seen = report(name, trace=frame["trace"], painted_ms=20, key=LIST, status=200)
            assert owner.post("/live/seen", json=seen).status_code == 204

        def painted() -> float:
            return value(seen_at(site), "painted_seconds_count")

        wait_until(lambda: painted() == 8, "eight reports")
    assert value(seen_at(site), "painted_seconds_sum") == pytest.approx(8 * 0.023)


def test_a_trace_keeps_when_it_was_painted(worker: Worker) -> None:
    """Beside what the worker did with it, for whoever asks why a screen moved."""
    each, one = told("0" * 16, LIST), stream("one")
    worker.sightings.choose({(WatchedKey(LIST, ("chapters", "list", 1)),): [one]}, [each])

    worker.see(one, "painted", 0.031)

    assert each.painted == [31]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "Invalid JSON"),
        (b"[]", "should be an object"),
        (b'{"stream":"x"}', "seen: Field required"),
        (b'{"stream":"","seen":[]}', "stream"),
        (b'{"stream":"x","seen":[{"trace":"t","state":"dreamt"}]}', "seen.0.state"),
        (b'{"stream":"x","seen":[{"trace":"t","state":"painted","painted_ms":-1}]}', "painted_ms"),
        (b'{"stream":"x","seen":[{"trace":"t","state":"painted","age_ms":1e9}]}', "age_ms"),
    ],
)
def test_what_is_no_report_is_refused(owner: httpx.Client, body: bytes, says: str) -> None:
    answer = owner.post("/live/seen", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert says in answer.json()["detail"]


def test_reports_are_for_those_who_have_signed_in_on_this_site_and_short(
    site: Gunicorn, owner: httpx.Client
) -> None:
    seen = report("x", trace="t")

    assert httpx.post(f"{site.url}/live/seen", json=seen).status_code == 401
    foreign = owner.post("/live/seen", json=seen, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert (
        owner.post("/live/seen", json=report("x", trace="t", key="k" * 20_000)).status_code == 413
    )
    assert owner.post("/live/seen", json=seen).status_code == 204, "what nobody knows is no error"


def test_infinity_passes_through_redis(bus: Bus) -> None:
    bus.tell_worst("t", "one", 0.25)
    bus.tell_worst("t", "two", math.inf)

    assert sorted(bus.take_worst("t")) == [0.25, math.inf]
    assert bus.take_worst("t") == []


def test_a_pulled_stream_has_no_name_unless_it_reports() -> None:
    assert PulledStream({}, None).id == ""
