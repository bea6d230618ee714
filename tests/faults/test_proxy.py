"""The proxy does to connections what it says, or no test of a fault would mean anything."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.proxy import Proxy
from tests.servers import free_port


class Echo:
    """A server that sends back what it is sent, in threads; `family` picks TCP or a unix socket."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._connections: list[socket.socket] = []
        self._threads[0].start()

    def close(self) -> None:
        """End it, with its threads."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)
        for connection in self._connections:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._echo, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _echo(self, connection: socket.socket) -> None:
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except OSError:
            return


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with closing(Echo(listener)), Proxy(port) as proxy:
        yield proxy


def connect(proxy: Proxy, timeout_s: float = 10.0) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout_s)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def ask(connection: socket.socket, text: bytes = b"hello") -> bytes:
    connection.sendall(text)
    answer = b""
    while len(answer) < len(text):
        read = connection.recv(65536)
        if not read:
            raise ConnectionResetError
        answer += read
    return answer


def is_silent(connection: socket.socket, for_s: float = 0.2) -> bool:
    connection.settimeout(for_s)
    try:
        return connection.recv(1) == b"never"
    except TimeoutError:
        return True
    finally:
        connection.settimeout(10)


def test_without_a_fault_it_passes_everything_on(proxy: Proxy) -> None:
    with connect(proxy) as one, connect(proxy) as two:
        assert ask(one, b"x" * 300_000) == b"x" * 300_000
        assert ask(two) == b"hello"
        assert proxy.links == proxy.accepted == 2


def test_it_reaches_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    with closing(Echo(listener)), Proxy(path) as proxy, connect(proxy) as connection:
        assert ask(connection) == b"hello"


def test_refusing_resets_what_is_open_and_takes_nothing_new(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        assert ask(connection) == b"hello"

        proxy.refuse()

        with pytest.raises(ConnectionError):
            ask(connection)
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)

    proxy.heal()
    with connect(proxy) as connection:
        assert ask(connection) == b"hello"


def test_a_blackhole_accepts_and_is_silent_and_goes_on_when_healed(proxy: Proxy) -> None:
    with connect(proxy) as old:
        assert ask(old) == b"hello"

        proxy.blackhole()

        with connect(proxy) as new:
            for connection in (old, new):
                connection.sendall(b"later")
                assert is_silent(connection)
            proxy.heal()
            for connection in (old, new):
                assert connection.recv(5) == b"later"


def test_half_open_connections_stay_silent_and_new_ones_are_well(proxy: Proxy) -> None:
    with connect(proxy) as old:
        assert ask(old) == b"hello"

        proxy.half_open()

        old.sendall(b"anybody?")
        with connect(proxy) as new:
            assert ask(new) == b"hello"
        proxy.heal()
        assert is_silent(old)


def test_a_reset_is_one(proxy: Proxy) -> None:
    with connect(proxy) as old:
        assert ask(old) == b"hello"

        proxy.reset()

        with pytest.raises(ConnectionResetError):
            old.recv(1)
    with connect(proxy) as new:
        assert ask(new) == b"hello"


def test_answers_come_later_or_slowly(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.delay(0.3)
        begun = time.monotonic()
        assert ask(connection) == b"hello"
        assert time.monotonic() - begun >= 0.3

        proxy.heal()
        proxy.trickle(1000)
        begun = time.monotonic()
        assert ask(connection, b"x" * 300) == b"x" * 300
        assert time.monotonic() - begun >= 0.3


def test_a_connection_is_cut_in_the_middle_of_an_answer(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.cut_after(10)
        connection.sendall(b"x" * 100)
        read: list[bytes] = []

        with pytest.raises(ConnectionResetError):
            read.extend(iter(lambda: connection.recv(100), b""))

        assert sum(map(len, read)) <= 10


def test_it_can_be_aimed_at_another_server(proxy: Proxy, tmp_path: Path) -> None:
    with connect(proxy) as old:
        assert ask(old) == b"hello"

        proxy.aim(free_port())

        with pytest.raises(ConnectionResetError):
            old.recv(1)
    with connect(proxy) as new:
        assert new.recv(1) == b""


def test_a_server_that_is_not_there_ends_the_connection() -> None:
    with Proxy(free_port()) as proxy, connect(proxy) as connection:
        assert connection.recv(1) == b""
