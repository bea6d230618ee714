"""The benchmark's own parts, with few browsers: that it counts exactly, and still runs."""

import dataclasses
import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench import meanwhile, scale, storm
from bench.browsers import Browsers, browsers
from bench.comparison import Plan, Result, compare, percentile
from bench.contenders import CONTENDERS, COURSEWIRE, FLASK_SSE, LIMIT, NCHAN, by_name, data
from bench.coursewire import make_people
from bench.fanout import draw, most_browsers, plan_of
from bench.phases import closed_loop, mark
from bench.processes import cpu_s, family, pss_kb
from bench.report import table, targets
from tests.servers import ROOT, missing, wait_until

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n: hello\n\r\n1\r\n\n\r\n"
KEYS_PROMISED = {
    "server",
    "browsers",
    "deliveries_per_cpu_s",
    "last_p50_ms",
    "last_p99_ms",
    "kb_per_browser",
    "accept_cpu_us",
    "lost",
}


@pytest.fixture(params=["compiled", "plain"])
def compiled(request: pytest.FixtureRequest) -> bool:
    """Both programs that play the browsers."""
    if request.param == "compiled" and shutil.which("cc") is None:
        missing("a C compiler", "apt-get install gcc libc6-dev")
    return str(request.param) == "compiled"


class Server:
    """Takes *count* browsers, answers each with *head*, and then sends what it is told to."""

    def __init__(self, count: int, head: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.streams: list[socket.socket] = []
        self._thread = threading.Thread(target=self._take, args=(count, head))
        self._thread.start()

    def _take(self, count: int, head: bytes) -> None:
        for _ in range(count):
            stream, _ = self._listener.accept()
            while b"\r\n\r\n" not in stream.recv(4096):
                pass
            stream.sendall(head)
            self.streams.append(stream)

    def close(self) -> None:
        """Close everything."""
        self._thread.join()
        for each in (self._listener, *self.streams):
            each.close()


@contextmanager
def watched(folder: Path, head: bytes, compiled: bool) -> Iterator[tuple[Server, Browsers]]:
    """Three browsers with an open stream each."""
    server = Server(3, head)
    try:
        with browsers(folder, 3, server.port, ["/\tCookie: a=b"], compiled=compiled) as load:
            load.open()
            yield server, load
    finally:
        server.close()


def event(number: int, *, at_ns: int | None = None) -> bytes:
    text = mark(number) if at_ns is None else f"t={at_ns}#{number}"
    return f"id: x\nevent: stale\ndata: {data(text)}\n\n".encode()


def chunk(body: bytes) -> bytes:
    return f"{len(body):x}\r\n".encode() + body + b"\r\n"


def test_every_event_of_every_browser_is_counted_once(tmp_path: Path, compiled: bool) -> None:
    with watched(tmp_path, PLAIN, compiled) as (server, load):
        load.expect(3, 5)
        for number in (1, 2, 3):
            for stream in server.streams:
                stream.sendall(event(number) + b"event: beat\ndata: {}\n\n")
        got = load.result()

    assert (got.received, got.repeated, got.skipped, got.missing) == (9, 0, 0, 0)
    assert len(got.last_ms) == 3


def test_chunks_and_halves_of_an_event_are_put_together(tmp_path: Path, compiled: bool) -> None:
    with watched(tmp_path, CHUNKED, compiled) as (server, load):
        load.expect(2, 5)
        for stream in server.streams:
            stream.sendall(chunk(event(1)))
            second = chunk(event(2))
            for byte in second:
                stream.sendall(bytes([byte]))
        got = load.result()

    assert (got.received, got.skipped, got.missing) == (6, 0, 0)


def test_what_is_skipped_repeated_or_never_comes_is_told_apart(
    tmp_path: Path, compiled: bool
) -> None:
    with watched(tmp_path, PLAIN, compiled) as (server, load):
        load.expect(4, 0.5)
        first, second, third = server.streams
        first.sendall(event(1) + event(2) + event(3) + event(4))
        second.sendall(event(1) + event(1) + event(4))
        third.sendall(event(1) + event(2))
        got = load.result()

    assert got.received == 4 + 2 + 2
    assert got.repeated == 1
    assert got.skipped == 2
    assert got.missing == 2


def test_the_last_browser_decides_when_an_event_has_come(tmp_path: Path, compiled: bool) -> None:
    with watched(tmp_path, PLAIN, compiled) as (server, load):
        load.expect(1, 5)
        wait_until(lambda: len(server.streams) == 3, "third browser")
        early, late = time.monotonic_ns() - 20_000_000, time.monotonic_ns() - 90_000_000
        for stream, at_ns in zip(server.streams, (early, late, early), strict=True):
            stream.sendall(event(1, at_ns=at_ns))
        (last_ms,) = load.result().last_ms

    assert 90 <= last_ms < 1000


def test_a_server_that_refuses_is_an_error(tmp_path: Path, compiled: bool) -> None:
    refusal = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

    with (
        pytest.raises(RuntimeError, match="0 of 3 browsers got a stream"),
        watched(tmp_path, refusal, compiled),
    ):
        pass


def test_coursewire_and_the_limit_are_measured_and_lose_nothing(tmp_path: Path) -> None:
    if by_name(LIMIT).missing():
        missing("a C compiler", "apt-get install gcc libc6-dev")
    people = make_people(tmp_path, 20)
    said: list[str] = []

    chosen = [by_name(LIMIT), by_name(COURSEWIRE)]
    results = compare(Plan((20,), 1, 0.3), tmp_path, people, said.append, chosen)

    assert [(result.server, result.browsers) for result in results] == [
        (LIMIT, 20),
        (COURSEWIRE, 20),
    ]
    for result in results:
        told = json.loads(json.dumps(vars(result)))
        assert told.keys() >= KEYS_PROMISED
        assert told["lost"] == 0
        assert told["deliveries_per_cpu_s"] > 0
        assert told["last_p99_ms"] >= told["last_p50_ms"] > 0
    assert len(said) == 2


def test_a_closed_loop_ends_when_nothing_comes(tmp_path: Path) -> None:
    with watched(tmp_path, PLAIN, False) as (server, load):

        def publish_once(text: str) -> None:
            if text.endswith("#1"):
                for stream in server.streams:
                    stream.sendall(f'data: "{text}"\n\n'.encode())

        phase = closed_loop(load, os.getpid(), publish_once, 3, silence_s=0.2)

    assert phase.got.received == 3
    assert phase.got.missing == 6


def some_result(server: str, deliveries: int, **changes: float) -> Result:
    result = Result(server, 1000, 10.0, deliveries, deliveries, 8.0, 12.0, 1.5, 550.0, 0, 0.4)
    return dataclasses.replace(result, **changes)  # type: ignore[arg-type]


def test_the_table_sets_each_server_beside_the_limit() -> None:
    results = [
        some_result(LIMIT, 200_000),
        some_result(COURSEWIRE, 170_000),
        some_result(FLASK_SSE, 9_000, events_per_s=2.0),
    ]

    lines = table(results).splitlines()

    assert lines[3] == ("| Coursewire | 1,000 | 170 / 170 | 0.85 / 0.85 | 8 / 12 | 1.5 | 550 | 0 |")
    assert lines[4].startswith("| flask-sse | 1,000 | 9.0 / 9.0 (at 2/s) | 0.04 / 0.04 |")


def test_targets_say_what_was_met_and_what_was_missed() -> None:
    aside = meanwhile.Meanwhile(1000, 4.0, 12.0, 18.0, 510.0, 600.0, 5_000_000, 2.0, 2000, 0)
    results = [
        some_result(LIMIT, 200_000),
        some_result(NCHAN, 100_000, last_p99_ms=11.0),
        some_result(COURSEWIRE, 170_000),
    ]

    told = targets(results, aside)

    assert "× raw C | 0.85 (closed loop 0.85) | >= 0.8 | met |" in told
    assert "× Nchan | 1.70 (closed loop 1.70); raw C 2.00 | >= 1.5 | met |" in told
    assert "last browser p99, Nchan's at most | 12 ms | <= 11 ms | **missed** |" in told
    assert "ordinary requests during the fan-out to 1,000: p95 | 12 ms | <= 15 ms | met |" in told
    assert "p50 | 510 ms | <= 500 ms | **missed** |" in told


def test_plots_are_well_formed(tmp_path: Path) -> None:
    results = [some_result(LIMIT, 200_000), some_result(COURSEWIRE, 170_000)]

    paths = [
        draw(results, tmp_path / "fanout.svg"),
        *scale.draw(
            [scale.Browsing(100, 6.0, 5.0, 1.5, 500), scale.Browsing(1000, 6.1, None, 1.5, 500)],
            [scale.Watching(10, 15.0, 20.0, 0.5), scale.Watching(100, 15.0, 20.0, 0.5)],
            [scale.Working(1, 6.0, 15.0, 9.0), scale.Working(2, 6.0, 15.0, 9.0)],
            tmp_path,
        ),
    ]

    assert len(paths) == 4
    for path in paths:
        assert ET.fromstring(path.read_text()).get("aria-label")  # noqa: S314  our own


def test_what_is_to_be_measured_comes_from_the_environment() -> None:
    assert plan_of({"N": "50,20", "ROUNDS": "2", "SECONDS": "0.5"}) == Plan((50, 20), 2, 0.5)
    assert plan_of({}).rounds == 3
    with pytest.raises(SystemExit, match="need more open files than"):
        plan_of({"N": str(most_browsers() + 1)})


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(1, 101)]

    assert percentile(values, 0.5) == 51
    assert percentile(values, 0.99) == 100
    assert percentile([], 0.5) != percentile([], 0.5)


def test_a_process_has_its_time_and_its_memory() -> None:
    pid = os.getpid()
    before, until = cpu_s(pid), time.thread_time() + 0.02
    while time.thread_time() < until:
        pass

    assert family(pid)[0] == pid
    assert cpu_s(pid) >= before + 0.02
    assert pss_kb(pid) > 1000


def test_what_coursewire_is_compared_with_is_locked_with_hashes() -> None:
    text = (ROOT / "bench" / "requirements.txt").read_text()

    assert not re.search(r"https?:|file:|git\+|--index|--extra-index|--find-links", text)
    for line in text.replace("\\\n", " ").splitlines():
        assert re.match(r"[a-z0-9-]+(\[[a-z]+\])?==[^ ]+ .*--hash=sha256:[0-9a-f]{64}", line), line
    names = re.findall(r"^\s*([a-z-]+)", (ROOT / "bench/requirements.in").read_text(), re.MULTILINE)
    assert {name for name in names if f"\n{name}==" not in f"\n{text}"} == set()


def test_every_contender_says_what_it_lacks() -> None:
    for contender in CONTENDERS:
        reason = contender.missing()
        assert reason is None or re.search(r"apt-get install|make bench", reason), reason


def test_a_storm_is_counted_in_the_real_workers(tmp_path: Path) -> None:
    people = make_people(tmp_path, 6)

    found = {
        (situation, cached): storm.storm(tmp_path, people, 6, situation, cached=cached)
        for situation in ("warm", "cold")
        for cached in (True, False)
    }

    for each in found.values():
        assert each.fresh == 6
        assert each.statuses == {"200": each.statuses["200"]}
        assert sum(each.statements.values()) > each.sessions + each.guards
    assert all(found[situation, False].runs >= 6 for situation in ("warm", "cold"))
    assert all(found[situation, True].runs < 6 for situation in ("warm", "cold"))
    assert found["warm", True].sessions <= 1, "everybody is known but to the action's guard"
    told = storm.ratios(list(found.values()))
    assert [ratio["situation"] for ratio in told] == ["warm", "cold"]
    assert storm.table(list(found.values())).count("\n") == 5
