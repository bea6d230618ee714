"""The connections that the hub owns: raw non-blocking descriptors, one ``write`` per browser.

Under gunicorn's gevent worker the request writes its own head, detaches the descriptor and ends;
its greenlet and all its objects are freed. From then on gunicorn neither counts the browser, nor
logs it, nor drains it: the hub does all three.

1. One epoll object for all of them hangs in gevent's loop as a single descriptor. It tells of
   browsers that left, and of slow ones that take data again.
2. ``fd`` is -1 once the stream is closed or while it is slow. A write to -1 fails at once, so the
   fan-out's loop needs no test, and never writes to a number that has become somebody else's.
3. A browser that cannot keep up for longer than the stall limit is told ``bye: slow`` as soon as it
   takes anything; one that takes nothing for twice as long is closed.
"""

import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import gevent
from gevent import monkey

from core import frames
from core.keys import KeyParts
from core.streams import Announcement, LateKeys, Stream
from core.watchers import WatchedKey

log = logging.getLogger("coursewire.hub")

HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache, no-transform\r\n"
    b"X-Accel-Buffering: no\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"Connection: close\r\n"
    b"\r\n"
)

_SLOW_RETRY_MS = 5_000
_SEND_BUFFER_BYTES = 32_768
_USER_TIMEOUT_MS = 30_000
_OUT, _ERR, _HUP, _RDHUP, _EDGE = 0x4, 0x8, 0x10, 0x2000, 1 << 31
"""As in Linux's <sys/epoll.h>; Python has the names on Linux only."""

_GONE = _RDHUP | _HUP | _ERR
_WATCHED = _RDHUP | _EDGE
_EVENTS_AT_ONCE = 1024


class SocketStream(Stream):
    """A stream on a descriptor of its own.

    ``fd`` is the descriptor while the browser takes data, else -1. Every method returns at once.
    """

    __slots__ = ("_connections", "_descriptor", "_late", "_rest", "_slow_since", "_state")

    def __init__(
        self,
        connections: "Connections",
        wanted: Mapping[str, KeyParts],
        access_key: str | None,
        *,
        ends_at: float | None = None,
        address: str = "",
        label: str = "-",
    ) -> None:
        super().__init__(wanted, access_key, ends_at=ends_at, address=address, label=label)
        self._connections = connections
        self._descriptor = -1
        self._rest: bytes = b""
        self._state: bytes = b""
        self._late: LateKeys | None = None
        self._slow_since = 0.0

    def adopt(self, connection: socket.socket, first: bytes) -> None:
        """Take over *connection*, and write the response's head and *first*."""
        connection.setblocking(False)
        _tune(connection)
        self._descriptor = self.fd = connection.detach()
        try:
            self._connections.watch(self, self._descriptor)
        except OSError:
            self.close()  # no room in the kernel for one more: the browser comes back
            raise
        self.send(HEAD + first)

    def send_stale(
        self, encoded: bytes, keys: Sequence[WatchedKey], announcement: Announcement
    ) -> None:
        """Tell the browser to refetch *keys*; a slow one is told later, all at once."""
        if self.fd >= 0:
            self.send(encoded)
        elif self._descriptor >= 0:
            if self._late is None:
                self._late = LateKeys()
            self._late.add(keys, announcement)

    def send(self, encoded: bytes) -> None:
        """Send a frame; one about the stream itself is not worth keeping for a slow browser."""
        if self.fd < 0:
            if self._slow_for_s() > 2 * self._connections.stall_s:
                self.ended = "slow"
                self.close()
            return
        try:
            written = os.write(self.fd, encoded)
        except BlockingIOError:
            written = 0
        except OSError:
            self.close()
            return
        self.frames_sent += 1
        if written < len(encoded):
            self._wait(encoded[written:])

    def send_state(self, encoded: bytes) -> None:
        """Send ``degraded`` or ``restored``; a slow browser hears the newest of them later."""
        if self.fd < 0:
            self._state = encoded
        self.send(encoded)

    def end(self, encoded: bytes) -> None:
        """Send the last frame if the browser takes it now, and close."""
        self.send(encoded)
        self.close()

    def close(self) -> None:
        """Close the descriptor; harmless when repeated."""
        descriptor, self._descriptor, self.fd = self._descriptor, -1, -1
        if descriptor >= 0:
            self._connections.forget(self, descriptor)
            os.close(descriptor)

    def sent_partly(self, rest: bytes) -> None:
        """The descriptor took less than a whole frame: wait until the browser reads on."""
        self._wait(rest)

    def writable(self) -> None:
        """The browser takes data again: send the rest of a frame, then what it missed."""
        rest, self._rest = self._rest, b""
        late = (self._late.take() if self._late is not None else b"") + self._state
        self._state = b""
        too_slow = self._slow_for_s() > self._connections.stall_s
        self._late = None
        self.fd = self._descriptor
        self._connections.expect(self._descriptor, _WATCHED)
        if too_slow:
            # After the rest of the frame at hand; what it missed it reads when it comes back.
            self.ended = "slow"
            self.end(rest + frames.bye("slow", _SLOW_RETRY_MS))
        elif rest or late:
            self.send(rest + late)
        if self.fd >= 0:
            self._slow_since = 0.0

    def _wait(self, rest: bytes) -> None:
        self._rest = rest
        self._slow_since = self._slow_since or time.monotonic()
        self.fd = -1
        self._connections.expect(self._descriptor, _WATCHED | _OUT)

    def _slow_for_s(self) -> float:
        return time.monotonic() - self._slow_since if self._slow_since else 0.0


def can_own_sockets() -> bool:
    """Whether this process can: gevent runs it, on a system with epoll."""
    return monkey.is_module_patched("socket") and sys.platform == "linux"


class Connections:
    """The descriptors of one worker, and the epoll that watches them; for gevent's loop only."""

    def __init__(self, left: Callable[[Stream], None], stall_s: float) -> None:
        self._left = left
        self.stall_s = stall_s
        self._by_descriptor: dict[int, SocketStream] = {}
        self._epoll: Any = monkey.get_original("select", "epoll")()
        self._watcher = gevent.get_hub().loop.io(self._epoll.fileno(), 1)
        self._watcher.start(self._poll)

    @property
    def slow(self) -> int:
        """How many browsers take no data now."""
        return sum(1 for stream in list(self._by_descriptor.values()) if stream.fd < 0)

    def watch(self, stream: SocketStream, descriptor: int) -> None:
        """Begin to watch the descriptor of *stream*."""
        self._by_descriptor[descriptor] = stream
        self._epoll.register(descriptor, _WATCHED)

    def expect(self, descriptor: int, events: int) -> None:
        """Watch *descriptor* for *events* from now on."""
        self._epoll.modify(descriptor, events)

    def forget(self, stream: SocketStream, descriptor: int) -> None:
        """Stop watching *descriptor*, before it is closed."""
        self._left(stream)
        self._by_descriptor.pop(descriptor, None)
        with suppress(OSError):  # it never got that far
            self._epoll.unregister(descriptor)

    def close(self) -> None:
        """Close every connection, and the epoll."""
        for stream in list(self._by_descriptor.values()):
            stream.close()
        self._watcher.stop()
        self._watcher.close()
        self._epoll.close()

    def _poll(self) -> None:
        """Runs in gevent's own loop: must return at once, and never switch."""
        for descriptor, events in self._epoll.poll(0, _EVENTS_AT_ONCE):
            stream = self._by_descriptor.get(descriptor)
            if stream is None:
                continue
            try:
                if events & _GONE:
                    stream.close()
                elif events & _OUT:
                    stream.writable()
            except Exception:
                # gevent would stop the watcher, and no departure would be noticed any more.
                log.exception("A stream failed and was dropped")
                stream.close()


def _tune(connection: socket.socket) -> None:
    """Bound what a stalled browser holds in the kernel, and how long a vanished one stays."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    if connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
