"""Who sends or reads as slowly as they can, to keep others out (slowloris)."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from httpx_sse import connect_sse

from tests.servers import DEADLINE_S, Gunicorn, gunicorn, sqlite_copy

SLOW_S = 1.0


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, filled_sqlite: Path, valkey: str
) -> Iterator[Gunicorn]:
    """One worker that has little patience."""
    folder = tmp_path_factory.mktemp("slow")
    environment = {
        "DATABASE_URL": sqlite_copy(filled_sqlite, folder),
        "REDIS_URL": valkey,
        "COURSEWIRE_REDIS_PREFIX": "slow",
        "COURSEWIRE_UPLOAD_DIR": str(folder / "var" / "uploads"),
        "COURSEWIRE_HEARTBEAT_S": "0.5",
        "COURSEWIRE_SLOW_REQUEST_S": str(SLOW_S),
        "WEB_CONCURRENCY": "1",
    }
    with gunicorn(folder, **environment) as running:
        yield running


def connect(server: Gunicorn) -> socket.socket:
    there = urlsplit(server.url)
    return socket.create_connection((there.hostname, there.port), timeout=DEADLINE_S)


def trickle(connection: socket.socket, piece: bytes, every_s: float, for_s: float) -> bytes:
    """Send *piece* again and again until an answer or the end comes; what came, or ``b"…"``."""
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        readable, _, _ = select.select([connection], [], [], every_s)
        if readable:
            with suppress(ConnectionError):
                return connection.recv(65_536)
            return b""
        with suppress(ConnectionError):
            connection.sendall(piece)
    return b"..."


def post(path: str, length: int) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {length}\r\n\r\n".encode()


def test_a_head_that_trickles_is_cut_off_and_others_are_served(server: Gunicorn) -> None:
    with connect(server) as slow, httpx.Client(base_url=server.url) as other:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\nX-Padding: ")

        began = time.monotonic()
        came = trickle(slow, b"a", 0.05, DEADLINE_S)

        assert came == b""
        assert time.monotonic() - began > SLOW_S / 2
        assert other.get("/healthz").status_code == 200


def test_a_connection_that_asks_nothing_is_closed(server: Gunicorn) -> None:
    with connect(server) as silent:
        assert silent.recv(1) == b""


@pytest.mark.parametrize(("piece", "every_s"), [(b"", 0.5), (b" ", 0.05)])
def test_a_body_that_stands_still_or_trickles_is_refused_in_words(
    server: Gunicorn, piece: bytes, every_s: float
) -> None:
    with connect(server) as slow:
        slow.sendall(post("/a/accounts/sign-in", 100_000) + b"{")

        came = trickle(slow, piece, every_s, DEADLINE_S)
        while more := slow.recv(65_536):  # until the server has closed the connection
            came += more

        assert came.startswith(b"HTTP/1.1 408 "), came
        assert b"took too long to arrive. Nothing was saved" in came


def test_a_body_that_is_slow_and_steady_arrives(server: Gunicorn) -> None:
    body = b'{"email": "' + b"a" * 2_500 + b'", "password": "x"}'
    with connect(server) as slow:
        slow.sendall(post("/a/accounts/sign-in", len(body)))
        began = time.monotonic()
        for at in range(0, len(body), 100):
            slow.sendall(body[at : at + 100])
            assert select.select([slow], [], [], 0.08)[0] == [] or at + 100 >= len(body)

        assert time.monotonic() - began > 1.5 * SLOW_S
        assert slow.recv(65_536).startswith(b"HTTP/1.1 422 ")


def test_an_answer_that_nobody_takes_is_given_up(server: Gunicorn) -> None:
    asked = 3_000
    with connect(server) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        request = b"GET /openapi.json HTTP/1.1\r\nHost: here\r\n\r\n"
        deaf.settimeout(0.5)
        with suppress(TimeoutError):
            deaf.sendall(request * asked)

        gone = select.poll()
        gone.register(deaf, select.POLLRDHUP | select.POLLERR | select.POLLHUP)
        assert gone.poll(DEADLINE_S * 1000)


def test_a_stream_that_is_quiet_for_longer_goes_on(server: Gunicorn) -> None:
    with httpx.Client(base_url=server.url, timeout=DEADLINE_S) as viewer:
        viewer.post(
            "/a/accounts/sign-in", json={"email": "viewer@example.test", "password": "demo"}
        ).raise_for_status()
        began = time.monotonic()
        with connect_sse(viewer, "GET", "/live?key=courses:detail:1") as stream:
            for event in stream.iter_sse():
                assert event.event in ("hello", "beat")
                if time.monotonic() - began > 3 * SLOW_S:
                    break
