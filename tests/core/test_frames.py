"""Frames, read by a decoder that is not ours: whatever a key holds, it injects nothing."""

import json
from typing import Any

import httpx
from httpx_sse import EventSource, ServerSentEvent
from hypothesis import given
from hypothesis import strategies as st

from core import frames
from core.keys import KeyParts
from core.stamps import Stamp

STAMP = Stamp("3f2a9c01b7de", 41)

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
hostile = st.one_of(
    texts,
    st.sampled_from(
        ["\n\nevent: bye\ndata: {}\n\n", "\r", "\r\n", "\x85", "\u2028", "\x00", "\ufeff"]
    ),
)
keys = st.lists(st.tuples(st.just("notes"), st.just("list"), hostile), min_size=1, max_size=3)


def decoded(encoded: bytes) -> list[ServerSentEvent]:
    response = httpx.Response(
        200, headers={"Content-Type": "text/event-stream; charset=utf-8"}, content=encoded
    )
    return list(EventSource(response).iter_sse())


def data_of(event: ServerSentEvent) -> Any:
    return json.loads(event.data)


@given(keys, hostile, hostile)
def test_a_stale_frame_is_one_event_whatever_its_keys_hold(
    named: list[KeyParts], cause: str, trace: str
) -> None:
    encoded = frames.stale(named, cause, trace, 250, STAMP)

    (event,) = decoded(encoded)

    assert event.event == "stale"
    assert event.id == "3f2a9c01b7de-41"
    assert data_of(event) == {
        "keys": [list(key) for key in named],
        "cause": cause,
        "trace": trace,
        "spread_ms": 250,
    }


@given(keys, keys)
def test_a_hello_is_one_event_whatever_its_keys_hold(
    stale: list[KeyParts], denied: list[KeyParts]
) -> None:
    (event,) = decoded(frames.hello("stale", stale, denied, 15, STAMP))

    assert event.event == "hello"
    assert event.id == "3f2a9c01b7de-41"
    assert data_of(event) == {
        "verdict": "stale",
        "stale": [list(key) for key in stale],
        "denied": [list(key) for key in denied],
        "heartbeat_s": 15,
    }


@given(keys)
def test_even_a_client_that_knows_more_line_ends_than_the_standard_reads_one_line(
    named: list[KeyParts],
) -> None:
    encoded = frames.stale(named, "note-written", "", 0, STAMP)

    lines = encoded.decode().splitlines()

    assert [line.partition(":")[0] for line in lines] == ["id", "event", "data", ""]


def test_options_stand_in_a_frame_as_they_stand_in_a_key() -> None:
    (event,) = decoded(
        frames.stale([("media", "list", {"page": 2, "search": "é"})], "x", "", 0, None)
    )

    assert data_of(event)["keys"] == [["media", "list", {"page": 2, "search": "é"}]]


def test_a_beat_carries_the_stamp_as_its_id_and_nothing_else() -> None:
    (event,) = decoded(frames.beat(STAMP))

    assert (event.event, event.id, data_of(event)) == ("beat", "3f2a9c01b7de-41", {})


def test_without_redis_a_frame_has_no_id_so_the_browsers_stays() -> None:
    first, second = decoded(frames.beat(STAMP) + frames.beat(None))

    assert first.id == second.id == "3f2a9c01b7de-41"
    assert b"id:" not in frames.beat(None)


def test_a_bye_says_why_and_when_to_come_back() -> None:
    (event,) = decoded(frames.bye("drain", 1200))

    assert event.event == "bye"
    assert data_of(event) == {"reason": "drain", "retry_ms": 1200}


def test_frames_one_after_the_other_stay_apart() -> None:
    encoded = frames.frame("degraded", {}) + frames.frame("restored", {}) + frames.beat(STAMP)

    assert [event.event for event in decoded(encoded)] == ["degraded", "restored", "beat"]
