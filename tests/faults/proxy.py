"""A TCP proxy that is at fault when a test says so: ``with Proxy(port) as proxy: proxy.reset()``.

::

    client ──► 127.0.0.1:proxy.port ──► a port of the loopback interface, or a unix socket
           ◄── faults happen to the answers ◄──

1. What `blackhole` holds back is not lost: after `heal` it goes on, as after a network that was
   away for a while. What `half_open` holds back stays silent for ever.
2. It runs in one thread of its own, and every method returns once the fault is there.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.servers import stop_listening

T = TypeVar("T")

_CHUNK = 65_536
_SLICES_PER_S = 50
_DEADLINE_S = 10.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Link:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.passing = asyncio.Event()
        self.passing.set()
        self.dead = False
        self.answered_bytes = 0

    def close(self, *, reset: bool = False) -> None:
        """End both sides at once; with *reset* they meet a reset instead of an end."""
        for writer in (self.client, self.server):
            if writer is None:
                continue
            if reset:
                raw = writer.get_extra_info("socket")
                with suppress(OSError):  # a unix socket knows no reset
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()


class Proxy:
    """Forwards to *target*: a port of the loopback interface, or the path of a unix socket."""

    def __init__(self, target: int | Path) -> None:
        self._target = target
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._latency_s = 0.0
        self._bytes_per_s = 0
        self._cut_after = 0
        self._holding = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self.port = 0
        self.accepted = 0
        """How many connections were accepted so far."""

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait_for(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._wait_for(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_DEADLINE_S)
        self._loop.close()

    @property
    def links(self) -> int:
        """How many connections are open now, dead ones included."""
        return len(self._links)

    def aim(self, target: int | Path) -> None:
        """Forward new connections to *target*, and reset those that are open."""

        def act() -> None:
            self._target = target
            self._reset()

        self._soon(act)

    def refuse(self) -> None:
        """Refuse new connections, and reset those that are open: nobody listens any more."""

        async def act() -> None:
            await self._stop_listening()
            self._reset()

        self._wait_for(act())

    def blackhole(self) -> None:
        """Accept connections and pass nothing on, in either direction, until `heal`."""

        def act() -> None:
            self._holding = True
            for link in self._links:
                link.passing.clear()

        self._soon(act)

    def half_open(self) -> None:
        """Kill every open connection without telling anybody; new ones are well."""

        def act() -> None:
            for link in self._links:
                link.dead = True
                link.passing.clear()

        self._soon(act)

    def reset(self) -> None:
        """Reset every open connection; new ones are well."""
        self._soon(self._reset)

    def delay(self, latency_s: float) -> None:
        """Let every answer come so much later."""
        self._soon(lambda: setattr(self, "_latency_s", latency_s))

    def trickle(self, bytes_per_s: int) -> None:
        """Let answers come at no more than this rate, in small pieces."""
        self._soon(lambda: setattr(self, "_bytes_per_s", bytes_per_s))

    def cut_after(self, answered_bytes: int) -> None:
        """Reset a connection once it has passed on so many bytes of answers, counted from now."""

        def act() -> None:
            self._cut_after = answered_bytes
            for link in self._links:
                link.answered_bytes = 0

        self._soon(act)

    def heal(self) -> None:
        """No fault any more; what was only held back goes on."""

        async def act() -> None:
            self._holding = False
            self._latency_s, self._bytes_per_s, self._cut_after = 0.0, 0, 0
            for link in self._links:
                if not link.dead:
                    link.passing.set()
            if self._server is None:
                await self._listen()

        self._wait_for(act())

    def _soon(self, act: Callable[[], None]) -> None:
        async def run() -> None:
            act()

        self._wait_for(run())

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_DEADLINE_S)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._server is not None:
            server, self._server = self._server, None
            await stop_listening(server)

    def _reset(self) -> None:
        for link in list(self._links):
            link.close(reset=True)

    async def _end(self) -> None:
        await self._stop_listening()
        for link in list(self._links):
            link.close()
            link.passing.set()
        # They end with their connections; a cancelled one would be logged as a mistake.
        if tasks := list(self._tasks):
            _, stuck = await asyncio.wait(tasks, timeout=_DEADLINE_S / 2)
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)
        await asyncio.sleep(0)  # the transports close their sockets in the loop's next round

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(writer)
        self._links.add(link)
        self.accepted += 1
        if self._holding:
            link.passing.clear()
        try:
            await link.passing.wait()
            answers, link.server = await self._connect()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(link, reader, self._forward(link.server)))
                group.create_task(self._pass_on(link, answers, self._answer(link)))
        except* (OSError, EOFError):
            pass
        finally:
            link.close()
            self._links.discard(link)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _pass_on(
        self, link: Link, reader: asyncio.StreamReader, send: Callable[[bytes], Awaitable[None]]
    ) -> None:
        """Raises `EOFError` at the end of one direction, which ends the other too."""
        while True:
            data = await reader.read(_CHUNK)
            await link.passing.wait()
            if not data:
                raise EOFError
            await send(data)

    def _forward(self, server: asyncio.StreamWriter) -> Callable[[bytes], Awaitable[None]]:
        async def send(data: bytes) -> None:
            server.write(data)
            await server.drain()

        return send

    def _answer(self, link: Link) -> Callable[[bytes], Awaitable[None]]:
        async def send(data: bytes) -> None:
            if self._latency_s:
                await asyncio.sleep(self._latency_s)
            while data:
                size = len(data)
                if self._bytes_per_s:
                    size = max(1, self._bytes_per_s // _SLICES_PER_S)
                    await asyncio.sleep(size / self._bytes_per_s)
                if self._cut_after:
                    size = min(size, self._cut_after - link.answered_bytes)
                piece, data = data[:size], data[size:]
                link.client.write(piece)
                await link.client.drain()
                link.answered_bytes += len(piece)
                if self._cut_after and link.answered_bytes >= self._cut_after:
                    link.close(reset=True)
                    raise EOFError
                await link.passing.wait()

        return send
