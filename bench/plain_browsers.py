"""Many browsers in one process, where there is no C compiler: `browsers.c` tells the language.

Slower than it, so the last browser's time is partly this program's. Standard library only.
"""

import json
import re
import select
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

_MARK = re.compile(rb'"t=(\d+)#(\d+)"')
_LONGEST_MARK = 40


@dataclass
class Browser:
    """One connection: what of its data may still be half a mark, and what it has received."""

    connection: socket.socket
    open: bool = False
    rest: bytes = b""
    newest: int = 0


@dataclass
class Phase:
    """What is expected of every browser, and what has come."""

    events: int = 0
    reached: list[int] = field(default_factory=list)
    last_us: list[int] = field(default_factory=list)
    received: int = 0
    repeated: int = 0
    finished: int = 0
    newest_at: float = 0.0


class Browsers:
    """All of them, and the loop that reads."""

    def __init__(self, count: int, port: int, requests: list[bytes]) -> None:
        self._count = count
        self._port = port
        self._requests = requests
        self._eager = False
        self._browsers: dict[int, Browser] = {}
        self._poller = select.epoll()
        self._phase = Phase()
        self._open = 0
        self._failed = 0

    def open(self, at_once: int, eager: bool) -> None:
        """Open every stream."""
        self._eager, self._open, self._failed = eager, 0, 0
        begun, started = time.monotonic(), 0
        while self._open + self._failed < self._count and time.monotonic() < begun + 300:
            while started < self._count and started - self._open - self._failed < at_once:
                self._begin(self._requests[started % len(self._requests)])
                started += 1
            self._turn()
        seconds = round(time.monotonic() - begun, 3)
        _say("opened", json.dumps({"open": self._open, "failed": self._failed, "seconds": seconds}))

    def expect(self, events: int, silence_s: float) -> None:
        """Read until every browser has the last of *events*, or nothing comes any more."""
        phase = self._phase = Phase(events, [0] * (events + 1), [0] * (events + 1))
        phase.newest_at = time.monotonic()
        for browser in self._browsers.values():
            browser.newest = 0
        _say("ready")
        while phase.finished < self._open and time.monotonic() - phase.newest_at < silence_s:
            self._turn()
        gone = self._count - len(self._browsers)
        missing = (
            sum(events - browser.newest for browser in self._browsers.values()) + gone * events
        )
        told = {
            "received": phase.received,
            "repeated": phase.repeated,
            "skipped": self._count * events - phase.received - missing,
            "missing": missing,
        }
        _say("done", json.dumps(told))

    def close(self) -> None:
        """Close every stream."""
        for browser in self._browsers.values():
            browser.connection.close()
        self._browsers.clear()
        self._open = 0
        _say("closed")

    def _begin(self, line: bytes) -> None:
        target, _, header = line.partition(b"\t")
        head = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: text/event-stream\r\n%s\r\n"
        request = head % (target, self._port, header + b"\r\n" if header else b"")
        connection = socket.create_connection(("127.0.0.1", self._port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.sendall(request)
        connection.setblocking(False)
        browser = Browser(connection, open=self._eager)
        self._open += self._eager
        self._browsers[connection.fileno()] = browser
        self._poller.register(connection.fileno(), select.EPOLLIN)

    def _turn(self) -> None:
        for descriptor, _ in self._poller.poll(0.05, 1024):
            browser = self._browsers[descriptor]
            try:
                data = browser.connection.recv(65536)
            except OSError:
                data = b""
            if data:
                self._read(browser, data)
            else:
                self._end(browser, "the server closed it")

    def _read(self, browser: Browser, data: bytes) -> None:
        data = browser.rest + data
        if not browser.open:
            if not data.startswith(b"HTTP/1.1 200"):
                self._end(browser, "the answer is not 200")
                return
            browser.open = True
            self._open += 1
        now_ns, end = time.monotonic_ns(), 0
        for mark in _MARK.finditer(data):
            end = mark.end()
            self._arrived(browser, int(mark[2]), (now_ns - int(mark[1])) // 1000)
        browser.rest = data[max(end, len(data) - _LONGEST_MARK) :]

    def _arrived(self, browser: Browser, number: int, us: int) -> None:
        phase = self._phase
        phase.newest_at = time.monotonic()
        if number > phase.events:
            return
        if number <= browser.newest:
            phase.repeated += 1
            return
        browser.newest = number
        phase.received += 1
        phase.last_us[number] = max(phase.last_us[number], us)
        phase.reached[number] += 1
        if phase.reached[number] == self._open:
            _say("reached", str(number), str(phase.last_us[number]))
        phase.finished += number == phase.events

    def _end(self, browser: Browser, why: str) -> None:
        if self._failed < 3:
            sys.stderr.write(f"a browser ends: {why}\n")
        self._failed += 1
        self._open -= browser.open
        del self._browsers[browser.connection.fileno()]
        browser.connection.close()


def main() -> None:
    """Do what standard input says."""
    count, port, path = sys.argv[1:]
    browsers = Browsers(int(count), int(port), Path(path).read_bytes().splitlines())
    for line in sys.stdin:
        match line.split():
            case ["open", at_once, eager]:
                browsers.open(int(at_once), eager == "1")
            case ["expect", events, silence_s]:
                browsers.expect(int(events), float(silence_s))
            case ["close"]:
                browsers.close()
            case _:
                raise SystemExit(f"not a command: {line}")


def _say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
