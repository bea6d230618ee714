"""An HTTP proxy that answers in the server's place when a test says so.

::

    browser ──► 127.0.0.1:gate.port ──► Coursewire
            ◄── what `gate.verdicts` says of the path, or else what Coursewire answers ◄──

It takes one request to a connection, notes them all, and runs in one thread of its own.
"""

import asyncio
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from tests.servers import stop_listening

_DEADLINE_S = 10.0
_CHUNK = 65_536


@dataclass(eq=False)
class Asked:
    """One request: when it came, on the monotonic clock, and the status of its answer, if any."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    status: int | None = None
    muted: bool = False


@dataclass(frozen=True)
class Answer:
    """Answers so itself."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class Silence:
    """Never answers; with *asking*, it asks the server and keeps what that says to itself."""

    asking: bool = False


Verdict = Answer | Silence


class Gate:
    """``with Gate(port) as gate: gate.verdicts["/live"] = Answer(503)``."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate")
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._open: set[Asked] = set()
        self.verdicts: dict[str, Verdict] = {}
        """What becomes of requests from now on, by the beginning of their path."""
        self.asked: list[Asked] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Where browsers come in."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(_DEADLINE_S)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(_DEADLINE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_DEADLINE_S)
        self._loop.close()

    def of(self, prefix: str, method: str = "GET") -> list[Asked]:
        """The requests so far for paths that begin so."""
        return [a for a in list(self.asked) if a.method == method and a.path.startswith(prefix)]

    @property
    def streams(self) -> list[Asked]:
        """The streams that are open now."""
        return [a for a in self.of("/live?") if a in self._open]

    def mute(self) -> None:
        """What is open now stays open, and nothing comes through it any more."""
        for asked in list(self._open):
            asked.muted = True

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        await stop_listening(self._server)
        # A page that closes says so: what was let in just now is a task in one of the next turns.
        quiet, ours = 0, {asyncio.current_task()}
        while quiet < 5:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for writer in self._writers:
                writer.transport.abort()  # nobody reads what is still to be sent
            await asyncio.sleep(0.01)
            quiet = 0 if asyncio.all_tasks() - ours else quiet + 1

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            with suppress(asyncio.IncompleteReadError, OSError):
                await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # it ends with the gate, which gives its connections up
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        asked = Asked(time.monotonic(), method, path, headers)
        self.asked.append(asked)
        self._open.add(asked)
        try:
            await self._judge(asked, body, reader, writer)
        finally:
            self._open.discard(asked)

    async def _judge(
        self, asked: Asked, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        verdicts = [v for begin, v in self.verdicts.items() if asked.path.startswith(begin)]
        verdict = verdicts[0] if verdicts else None
        if isinstance(verdict, Answer):
            asked.status = verdict.status
            writer.write(_written(verdict))
            await writer.drain()
            return
        asked.muted = verdict is not None
        left = asyncio.ensure_future(reader.read())  # ends when the browser goes
        passing = asyncio.ensure_future(
            left if verdict == Silence() else self._pass(asked, body, writer)
        )
        try:
            await asyncio.wait({left, passing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (left, passing):
                each.cancel()
            await asyncio.gather(left, passing, return_exceptions=True)

    async def _pass(self, asked: Asked, body: bytes, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        try:
            kept = {k: v for k, v in asked.headers.items() if k != "connection"}
            lines = "".join(f"{k}: {v}\r\n" for k, v in {**kept, "connection": "close"}.items())
            to_server.write(
                f"{asked.method} {asked.path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")
            )
            to_server.write(body)
            while chunk := await from_server.read(_CHUNK):
                if asked.status is None:
                    asked.status = int(chunk.split(b" ", 2)[1])
                if not asked.muted:
                    writer.write(chunk)
                    await writer.drain()
            if asked.muted:
                await asyncio.Event().wait()  # the browser is told of no end either
        finally:
            to_server.close()


def _written(answer: Answer) -> bytes:
    body = answer.body.encode()
    headers = {**answer.headers, "Content-Length": str(len(body)), "Connection": "close"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} Said\r\n{lines}\r\n".encode("latin-1") + body
