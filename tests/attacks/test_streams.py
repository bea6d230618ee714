"""What is put into a stream: keys with line ends, stamps beyond every number, keys without end."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import EventSource, connect_sse
from hypothesis import given, settings
from hypothesis import strategies as st

from core import frames
from core.stamps import Stamp
from tests.attacks.world import World
from tests.servers import Gunicorn, gunicorn, sqlite_copy

EVIL_TEXT = st.text(
    st.sampled_from(list("\r\n\x00\u0085\u2028\u2029\x0b\x0c:; abc{}\"'\\\ufeff\ud7ff😀"))
)
KEY = st.tuples(st.just("notes"), st.just("list"), EVIL_TEXT, st.dictionaries(EVIL_TEXT, EVIL_TEXT))
STAMP = Stamp("0123456789ab", 7)


def parsed(encoded: bytes) -> list[tuple[str, str, Any]]:
    """The events in *encoded*, as a parser that is not ours reads them."""
    response = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=encoded)
    return [(e.event, e.id, json.loads(e.data)) for e in EventSource(response).iter_sse()]


@settings(max_examples=200, deadline=None)
@given(keys=st.lists(KEY, max_size=4), cause=EVIL_TEXT, trace=EVIL_TEXT)
def test_no_key_and_no_text_can_end_a_frame_or_begin_another(
    keys: list[Any], cause: str, trace: str
) -> None:
    encoded = (
        frames.hello("stale", keys, keys, 15, STAMP, trace)
        + frames.stale(keys, cause, trace, 0, STAMP, 3, [trace])
        + frames.finding(("notes",), cause)
        + frames.bye("drain", 5)
    )

    found = parsed(encoded)

    assert [event for event, _, _ in found] == ["hello", "stale", "finding", "bye"]
    assert found[1][1] == str(STAMP)
    assert found[1][2]["cause"] == cause
    assert found[1][2]["keys"] == json.loads(json.dumps(keys))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_is_asked_of_live_is_a_stream_or_a_problem(
    shared_world: World, data: st.DataObject
) -> None:
    text = data.draw(st.one_of(EVIL_TEXT, st.text(max_size=40), st.sampled_from(SPELLINGS)))
    stamp = data.draw(st.sampled_from(STAMPS))
    client = shared_world.client("owner")

    with client.head(
        "/live", query_string={"key": text, "since": stamp}, headers={"Last-Event-ID": "x"}
    ) as answer:
        assert answer.status_code in (200, 400)
        assert "\n" not in str(answer.headers.get("Content-Type"))


SPELLINGS = [
    "courses:detail:1",
    "courses:detail:1%0Aid:9",
    "courses:detail:01",
    "access:1",
    ":",
    "%",
]
STAMPS = [
    "",
    "0123456789ab-1",
    f"0123456789ab-{2**63}",
    f"0123456789ab-{2**63 - 1}",
    f"0123456789ab-{10**30}",
    "0123456789ab--1",
    "0123456789ab-1e5",
    "0123456789ab-٣",
]


@pytest.mark.parametrize("stamp", STAMPS[1:])
@pytest.mark.parametrize("place", ["floor", "cookie", "since", "own", "last"])
def test_a_stamp_of_any_size_is_a_stamp_or_refused(world: World, stamp: str, place: str) -> None:
    client = world.client("owner")
    if place == "cookie":
        client.set_cookie("live_floor", stamp)
    headers = {"floor": {"Live-Floor": stamp}, "last": {"Last-Event-ID": stamp}}.get(place, {})
    headers = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    query = {"since": stamp} if place == "since" else {}
    key = f"courses:detail:1@{stamp}" if place == "own" else "courses:detail:1"

    read = client.get("/q/courses/detail/1", headers=headers)
    live = client.head("/live", query_string={"key": key, **query}, headers=headers)

    assert read.status_code in (200, 400)
    assert live.status_code in (200, 400)


def test_keys_beyond_number_and_beyond_length_are_refused_at_once(world: World) -> None:
    client = world.client("owner")
    began = time.monotonic()

    many = client.get(
        "/live", query_string=[("key", f"courses:detail:{n}") for n in range(100_000)]
    )
    long = client.get("/live", query_string={"key": "courses:detail:" + "1" * 1_000_000})
    deep = client.post("/a/courses/add", data="[" * 900_000, content_type="application/json")
    wide = client.post("/a/courses/add", json={f"k{n}": 0 for n in range(60_000)})
    path = client.get("/q/courses/detail/" + "1/" * 50_000)

    assert [answer.status_code for answer in (many, long, deep, path)] == [400] * 4
    assert wide.status_code in (413, 422)
    assert time.monotonic() - began < 20


@pytest.fixture
def server(tmp_path: Path, filled_sqlite: Path, valkey: str) -> Iterator[Gunicorn]:
    environment = {
        "DATABASE_URL": sqlite_copy(filled_sqlite, tmp_path),
        "REDIS_URL": valkey,
        "COURSEWIRE_REDIS_PREFIX": "crowd",
        "COURSEWIRE_UPLOAD_DIR": str(tmp_path / "var" / "uploads"),
        "WEB_CONCURRENCY": "1",
    }
    with gunicorn(tmp_path, **environment) as running:
        yield running


def signed_in(server: Gunicorn, who: str, stack: ExitStack) -> httpx.Client:
    limits = httpx.Limits(max_connections=None)
    client = stack.enter_context(httpx.Client(base_url=server.url, timeout=30, limits=limits))
    person = {"email": f"{who}@example.test", "password": "demo"}
    client.post("/a/accounts/sign-in", json=person).raise_for_status()
    return client


def test_a_thousand_streams_of_one_user_leave_the_others_theirs(server: Gunicorn) -> None:
    """50 are opened; the rest is told when to come back, and others are served as before."""
    with ExitStack() as stack:
        greedy, other = signed_in(server, "viewer", stack), signed_in(server, "owner", stack)
        before = times_of(other)

        statuses = []
        for _ in range(1_000):
            answer = greedy.send(
                greedy.build_request("GET", "/live?key=courses:detail:1"), stream=True
            )
            statuses.append(answer.status_code)
            if answer.status_code == 200:
                stack.callback(answer.close)
            else:
                answer.read()
                assert answer.headers["Retry-After"]
        during = times_of(other)

        assert statuses.count(200) == 50
        assert statuses.count(429) == 950
        assert during[-2] < max(5 * before[-2], 0.25)
        with connect_sse(other, "GET", "/live?key=chapters:list:1") as stream:
            told = stream.iter_sse()
            assert next(told).event == "hello"
            writer = threading.Thread(
                target=other.post,
                args=("/a/chapters/add",),
                kwargs={"json": {"course_id": 1, "title": "Seen"}},
            )
            writer.start()
            assert next(event.event for event in told if event.event != "beat") == "stale"
            writer.join()


def times_of(client: httpx.Client) -> list[float]:
    """How long 100 reads take, the quickest first."""
    found = []
    for _ in range(100):
        began = time.monotonic()
        client.get("/q/chapters/list/1").raise_for_status()
        found.append(time.monotonic() - began)
    return sorted(found)
