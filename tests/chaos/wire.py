"""HTTP/1.1, as little of it as hundreds of simulated browsers in one process need.

The gate stands for what is in front of several servers: it keeps connections, spreads requests over
the servers at random, and turns to the next server when one takes a connection and says nothing (as
nginx's ``proxy_next_upstream error`` does, for requests that may be repeated).
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

_LINE_BYTES = 1 << 22
_REST_S = 1.0
_KEPT = 16


class Unanswered(Exception):
    """No whole answer came; whether the request was carried out, nobody knows."""


class _Silent(Unanswered):
    """The connection ended before the first byte of an answer."""


@dataclass(frozen=True)
class Answer:
    """A whole answer; the names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Message:
    """One server-sent event, with the last id that its stream has named so far."""

    event: str
    id: str
    data: str


class Gate:
    """The one address of several servers."""

    def __init__(self, ports: Sequence[tuple[int, int]], random: Random) -> None:
        """*ports*: of each server, the one for requests and the one for streams."""
        self._ports = list(ports)
        self._random = random
        self._kept: dict[int, list[_Connection]] = {}
        self._rests_until: dict[int, float] = {}

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        deadline_s: float = 30.0,
    ) -> Answer:
        """One request; raises `Unanswered`."""
        try:
            async with asyncio.timeout(deadline_s):
                return await self._ask(method, path, headers, body)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            raise Unanswered(f"{type(error).__name__}: {error}") from error

    async def stream(self, path: str, headers: Mapping[str, str]) -> AsyncGenerator[Message]:
        """The events of one stream, until it ends; raises `Unanswered`, also for another status."""
        wanted = {**headers, "Accept": "text/event-stream"}
        connection = None
        try:
            connection, status = await self._open(path, wanted)
            if status != 200:
                raise Unanswered(f"{status}")
            async for message in connection.messages():
                yield message
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            raise Unanswered(f"{type(error).__name__}: {error}") from error
        finally:
            if connection is not None:
                connection.close()

    def close(self) -> None:
        """Close every connection that is kept."""
        for kept in self._kept.values():
            for connection in kept:
                connection.close()
        self._kept.clear()

    async def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        problem: Exception = Unanswered("no server")
        for port, _ in self._in_turn():
            kept = self._kept.setdefault(port, [])
            while kept:
                try:
                    return await self._ask_over(kept.pop(), port, method, path, headers, body)
                except (_Silent, ConnectionError) as error:
                    # Closed while nobody used it, or just now: only what may be repeated is.
                    if method != "GET":
                        raise Unanswered(str(error)) from error
            try:
                connection = await _Connection.open(port)
                return await self._ask_over(connection, port, method, path, headers, body)
            except (_Silent, ConnectionError) as error:
                if method != "GET":
                    raise Unanswered(str(error)) from error
                problem = error
                self._rests_until[port] = time.monotonic() + _REST_S
        raise problem

    async def _ask_over(
        self,
        connection: "_Connection",
        port: int,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        """One request over *connection*, which is kept or closed afterwards."""
        reusable = False
        try:
            answer = await connection.ask(method, path, headers, body)
            reusable = connection.reusable and len(self._kept[port]) < _KEPT
        finally:
            if reusable:
                self._kept[port].append(connection)
            else:
                connection.close()
        return answer

    async def _open(self, path: str, headers: Mapping[str, str]) -> "tuple[_Connection, int]":
        problem: Exception = Unanswered("no server")
        for port, stream_port in self._in_turn():
            try:
                connection = await _Connection.open(stream_port)
                try:
                    return connection, await connection.begin("GET", path, headers, b"")
                except BaseException:
                    connection.close()
                    raise
            except (_Silent, ConnectionError) as error:
                problem = error
                self._rests_until[port] = time.monotonic() + _REST_S
        raise problem

    def _in_turn(self) -> list[tuple[int, int]]:
        """The servers in random order, those that were silent a moment ago last."""
        now = time.monotonic()
        ports = self._random.sample(self._ports, len(self._ports))
        return sorted(ports, key=lambda each: self._rests_until.get(each[0], 0.0) > now)


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._headers: dict[str, str] = {}
        self.reusable = False

    @classmethod
    async def open(cls, port: int) -> "_Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=_LINE_BYTES))

    def close(self) -> None:
        self._writer.transport.abort()

    async def begin(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """Send a request and read the head of its answer; returns the status."""
        self.reusable = False
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            raise _Silent("the connection ended without an answer") from None
        first, *rest = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in rest if line)
        self._headers = {name.lower(): value.strip() for name, _, value in pairs}
        return int(first.split()[1])

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        status = await self.begin(method, path, headers, body)
        received = b"" if status in (204, 304) else await self._body()
        self.reusable = self._headers.get("connection", "").lower() != "close"
        return Answer(status, self._headers, received)

    async def messages(self) -> AsyncIterator[Message]:
        """What an EventSource hands over (WHATWG HTML, section 9.2.6), as far as we send it."""
        newest_id = ""
        async for block in self._blocks():
            event, data = "message", []
            for line in block.split("\n"):
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "id":
                    newest_id = value
                elif name == "event":
                    event = value
                elif name == "data":
                    data.append(value)
            if data:
                yield Message(event, newest_id, "\n".join(data))

    async def _blocks(self) -> AsyncIterator[str]:
        if self._headers.get("transfer-encoding", "").lower() == "chunked":
            raise ValueError("this stream is not the hub's own")
        while True:
            block = await self._reader.readuntil(b"\n\n")
            yield block[:-2].decode()

    async def _body(self) -> bytes:
        if self._headers.get("transfer-encoding", "").lower() == "chunked":
            parts = []
            while size := int(await self._reader.readline(), 16):
                parts.append(await self._reader.readexactly(size))
                await self._reader.readexactly(2)
            await self._reader.readexactly(2)
            return b"".join(parts)
        return await self._reader.readexactly(int(self._headers.get("content-length", "0")))


def decode(body: bytes) -> dict[str, object]:
    """A JSON object; empty for what is none."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
