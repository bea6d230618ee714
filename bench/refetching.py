"""Browsers that refetch, in a process of their own: ``python -m bench.refetching PORT PEOPLE``.

PEOPLE is a JSON file: the ``cookies`` of the browsers, each another user's, the ``path`` that they
read, the ``key`` that they watch, how many ``workers`` there are, and whether they are ``warm``.

They read the path, open their streams, and say ``ready``. A line of JSON then says what the first
of them posts (``action`` and ``body``). Each waits for its notice, reads the path again at once, as
the page does, and has a fresh answer when one is there that is not the old one and not below the
notice. The last line says when: in milliseconds since the action was sent.

1. Warm browsers are known to every worker, and read again over the connection that they have.
2. Cold ones are known only where their stream is; each opens a connection for what it reads again,
   and keeps it.
"""

import http.client
import json
import re
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SILENCE_S = 30.0
_AT_ONCE = 50
_LONGEST = 1 << 20

_NOTICE = re.compile(rb"id: (\S+)\nevent: stale\n.*\n\n")
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)
_HEADERS = {
    name: re.compile(rb"\r\n" + name.encode() + rb": ([^\r\n]*)", re.IGNORECASE)
    for name in ("ETag", "Live-Stamp", "Bench-Worker")
}


@dataclass(slots=True)
class Connection:
    """One connection of a browser, and what came over it and is not understood yet."""

    browser: "Browser"
    socket: socket.socket
    is_stream: bool
    unsent: bytes = b""
    data: bytes = b""


@dataclass(slots=True)
class Browser:
    """One browser; the times are those of `time.monotonic`."""

    cookie: str
    stream: Connection | None = None
    reader: Connection | None = None
    floor: str = ""
    told_at: float = 0.0
    fresh_at: float = 0.0
    statuses: list[int] = field(default_factory=list)


class Browsers:
    """All of them, and the loop that reads."""

    def __init__(self, port: int, people: dict[str, Any]) -> None:
        self._port = port
        self._path: str = people["path"]
        self._key: str = people["key"]
        self._workers: int = people["workers"]
        self._warm: bool = people["warm"]
        self._all = [Browser(cookie) for cookie in people["cookies"]]
        self._poller = select.epoll()
        self._by_descriptor: dict[int, Connection] = {}
        self._etag = ""
        self._seen_at = 0.0
        self._done = 0
        self._workers_seen: Counter[str] = Counter()

    def prepare(self) -> None:
        """Read the page, on every worker when warm, and open the streams."""
        self._meet(self._all if self._warm else self._all[:1])
        if self._warm:
            self._each(self._open_reader)
        self._each(self._open_stream)

    def storm(self, action: str, body: Any) -> dict[str, Any]:
        """The first browser posts; when all have a fresh answer, or nothing comes any more."""
        begun, used_s = time.monotonic(), time.process_time()
        answered_ms = self._post(action, body)
        self._turn_until(lambda: all(b.fresh_at for b in self._all), finishing=True)
        used_s, wall_s = time.process_time() - used_s, time.monotonic() - begun
        fresh = [(b.fresh_at - begun) * 1000 for b in self._all if b.fresh_at]
        told = [(b.told_at - begun) * 1000 for b in self._all if b.told_at]
        return {
            "fresh": len(fresh),
            "answered_ms": answered_ms,
            "told_ms": _percentiles(told),
            "fresh_ms": _percentiles(fresh),
            "reads": sum(len(b.statuses) for b in self._all),
            "statuses": dict(Counter(str(s) for b in self._all for s in b.statuses)),
            "by_worker": sorted(self._workers_seen.values()),
            "client_share": round(used_s / wall_s, 3),
        }

    def _meet(self, browsers: Sequence[Browser]) -> None:
        """Let the workers know the users of *browsers*: read the page on each."""
        connections = list(self._one_connection_per_worker(browsers[0]))
        for browser in browsers:
            for connection in connections:  # in turn, or one is idle for too long, and is closed
                self._etag = _get(connection, self._path, browser.cookie).headers["ETag"]
        for connection in connections:
            connection.close()

    def _one_connection_per_worker(self, first: Browser) -> Iterator[http.client.HTTPConnection]:
        met: dict[str, http.client.HTTPConnection] = {}
        until = time.monotonic() + _SILENCE_S
        while len(met) < (self._workers if self._warm else 1):
            if time.monotonic() > until:
                raise RuntimeError(f"{len(met)} of {self._workers} workers answered")
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_SILENCE_S)
            answer = _get(connection, self._path, first.cookie)
            if met.setdefault(answer.headers["Bench-Worker"], connection) is not connection:
                connection.close()
        yield from met.values()

    def _each(self, begin: Callable[[Browser], None]) -> None:
        """Let every browser *begin* something, a few at a time."""
        self._done = 0
        for number, browser in enumerate(self._all):
            begin(browser)
            enough = number + 1 - _AT_ONCE
            self._turn_until(lambda: self._done > enough)  # noqa: B023  used before the next
        self._turn_until(lambda: self._done == len(self._all))

    def _open_stream(self, browser: Browser) -> None:
        browser.stream = self._connect(browser, is_stream=True)
        self._send(browser.stream, self._request(browser, f"/live?key={self._key}"))

    def _open_reader(self, browser: Browser) -> None:
        browser.reader = self._connect(browser, is_stream=False)
        self._send(browser.reader, self._request(browser, self._path, "Accept: text/html\r\n"))

    def _refetch(self, browser: Browser) -> None:
        if browser.reader is None:
            browser.reader = self._connect(browser, is_stream=False)
        conditions = f"Live-Floor: {browser.floor}\r\nIf-None-Match: {self._etag}\r\n"
        request = self._request(browser, self._path, f"Accept: text/html\r\n{conditions}")
        self._send(browser.reader, request)

    def _request(self, browser: Browser, target: str, headers: str = "") -> bytes:
        head = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
        return f"{head}Cookie: {browser.cookie}\r\n{headers}\r\n".encode()

    def _connect(self, browser: Browser, *, is_stream: bool) -> Connection:
        opened = socket.socket()
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Closed at once, it leaves no port in TIME_WAIT.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        opened.connect_ex(("127.0.0.1", self._port))
        connection = Connection(browser, opened, is_stream)
        self._by_descriptor[opened.fileno()] = connection
        self._poller.register(opened.fileno(), select.EPOLLIN)
        return connection

    def _send(self, connection: Connection, request: bytes) -> None:
        """Send *request*, or keep it until the connection is there."""
        try:
            connection.socket.sendall(request)
        except OSError:
            connection.unsent = request
            self._poller.modify(connection.socket.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _turn_until(self, condition: Callable[[], bool], *, finishing: bool = False) -> None:
        """Read until *condition* holds. Raises `RuntimeError` after silence, unless *finishing*."""
        self._seen_at = time.monotonic()
        while not condition():
            events = self._poller.poll(1.0, 1024)
            for descriptor, mask in events:
                self._event(self._by_descriptor[descriptor], mask)
            if events:
                self._seen_at = time.monotonic()
            elif time.monotonic() - self._seen_at > _SILENCE_S:
                if finishing:
                    return
                raise RuntimeError(f"{self._done} of {len(self._all)} answers, then silence")

    def _event(self, connection: Connection, mask: int) -> None:
        if connection.unsent and mask & select.EPOLLOUT:
            request, connection.unsent = connection.unsent, b""
            connection.socket.sendall(request)
            self._poller.modify(connection.socket.fileno(), select.EPOLLIN)
        if mask & ~select.EPOLLOUT:
            data = connection.socket.recv(_LONGEST)
            if not data:
                raise RuntimeError("the server closed a connection")
            connection.data += data
            (self._stream_said if connection.is_stream else self._answered)(connection)

    def _stream_said(self, stream: Connection) -> None:
        if b"event: hello\n" in stream.data and stream.data.endswith(b"\n\n"):
            self._done += 1
            stream.data = b""
        notice = _NOTICE.search(stream.data)
        if notice is not None:
            browser = stream.browser
            stream.data = stream.data[notice.end() :]
            browser.told_at, browser.floor = time.monotonic(), notice[1].decode()
            self._refetch(browser)

    def _answered(self, reader: Connection) -> None:
        head, found, rest = reader.data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or (length is not None and len(rest) < int(length[1])):
            return
        reader.data = b""
        self._done += 1
        browser, status = reader.browser, int(head[9:12])
        if not browser.floor:
            if status != 200:
                raise RuntimeError(f"GET {self._path} is answered {status}")
            return
        browser.statuses.append(status)
        self._workers_seen[_header(head, "Bench-Worker")] += 1
        changed = status == 200 and _header(head, "ETag") != self._etag
        if changed and _reaches(_header(head, "Live-Stamp"), browser.floor):
            browser.fresh_at = time.monotonic()
        else:
            self._refetch(browser)

    def _post(self, action: str, body: Any) -> float:
        """Send the action; returns the milliseconds until its answer."""
        begun = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_SILENCE_S)
        headers = {"Cookie": self._all[0].cookie, "Content-Type": "application/json"}
        connection.request("POST", action, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"POST {action} is answered {answer.status}: {text}")
        return round((time.monotonic() - begun) * 1000, 1)


def _get(
    connection: http.client.HTTPConnection, path: str, cookie: str
) -> http.client.HTTPResponse:
    connection.request("GET", path, headers={"Cookie": cookie, "Accept": "text/html"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"GET {path} is answered {answer.status}")
    return answer


def _header(head: bytes, name: str) -> str:
    found = _HEADERS[name].search(head)
    return found[1].decode() if found else ""


def _reaches(stamp: str, floor: str) -> bool:
    generation, _, sequence = stamp.partition("-")
    wanted, _, least = floor.partition("-")
    return generation == wanted and int(sequence) >= int(least)


def _percentiles(took_ms: list[float]) -> dict[str, float]:
    ordered = sorted(took_ms) or [0.0]
    at = {"p50": 0.5, "p99": 0.99, "last": 1.0}
    last = len(ordered) - 1
    return {name: round(ordered[int(last * share)], 1) for name, share in at.items()}


def main() -> None:
    """Prepare, wait for the word, storm, and say when each was fresh."""
    port, people = sys.argv[1:]
    browsers = Browsers(int(port), json.loads(Path(people).read_text()))
    browsers.prepare()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    told = json.loads(sys.stdin.readline())
    sys.stdout.write(json.dumps(browsers.storm(told["action"], told["body"])) + "\n")


if __name__ == "__main__":
    main()
