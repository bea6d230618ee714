"""One open stream, read by a decoder that is not ours."""

import json
import queue
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from flask.testing import FlaskClient
from httpx_sse import ServerSentEvent, connect_sse
from httpx_sse._decoders import SSEDecoder, SSELineDecoder

from core.stamps import Stamp

DEADLINE_S = 20.0


@dataclass(frozen=True)
class Heard:
    """One event, decoded."""

    event: str
    data: Any
    id: str

    @property
    def stamp(self) -> Stamp:
        """Its id, which must be a stamp."""
        return Stamp.parse(self.id)


class Listening:
    """An open stream; a thread reads it, so that waiting for an event has a deadline."""

    def __init__(self, events: Iterable[ServerSentEvent]) -> None:
        self._queue: queue.Queue[Heard | None] = queue.Queue()
        self.everything: list[Heard] = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._read, args=(events,), daemon=True)
        self.thread.start()

    @property
    def beats(self) -> list[Heard]:
        """The beats so far."""
        return [heard for heard in self.everything if heard.event == "beat"]

    def next(self, what: str | None = None, *, past: tuple[str, ...] = ()) -> Heard:
        """The next event that is no beat, nor one of *past*; fails unless it is *what*, or when
        none comes.
        """
        while True:
            try:
                heard = self._queue.get(timeout=DEADLINE_S)
            except queue.Empty:
                pytest.fail(f"no {what or 'event'} came within {DEADLINE_S:g} s")
            assert heard is not None, f"the stream ended without {what or 'a further event'}"
            if heard.event not in past:
                assert what is None or heard.event == what, heard
                return heard

    def rest(self) -> list[Heard]:
        """What comes until the server ends the stream."""
        found: list[Heard] = []
        until = time.monotonic() + DEADLINE_S
        while True:
            try:
                heard = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"the stream did not end within {DEADLINE_S:g} s; it said {found}")
            if heard is None:
                return found
            found.append(heard)

    def _read(self, events: Iterable[ServerSentEvent]) -> None:
        try:
            for event in events:
                heard = Heard(event.event, json.loads(event.data), event.id)
                self.everything.append(heard)
                if heard.event != "beat":
                    self._queue.put(heard)
        except (httpx.TransportError, httpx.StreamError):
            pass
        finally:
            self.ended.set()
            self._queue.put(None)


@contextmanager
def listening(
    client: httpx.Client, *keys: str, since: str | None = None, **headers: str
) -> Iterator[Listening]:
    """A stream of a real server, closed at the exit."""
    query: list[tuple[str, str | int | float | bool | None]] = [("key", key) for key in keys]
    if since is not None:
        query.append(("since", since))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with connect_sse(
        client, "GET", "/live", params=httpx.QueryParams(query), headers=named
    ) as source:
        assert source.response.status_code == 200, source.response.read()
        stream = Listening(source.iter_sse())
        try:
            yield stream
        finally:
            hang_up(source.response)
            stream.thread.join(DEADLINE_S)


def listening_here(client: FlaskClient, query: str) -> Listening:
    """A stream of an app in this process; it ends when the app's runtime drains or stops."""
    response = client.get(f"/live?{query}")
    assert response.status_code == 200, response.get_data(as_text=True)
    return Listening(decoded(response.iter_encoded()))


def decoded(chunks: Iterable[bytes]) -> Iterator[ServerSentEvent]:
    """The events in *chunks*, as each is complete."""
    lines, decoder = SSELineDecoder(), SSEDecoder()
    for chunk in chunks:
        for line in lines.decode(chunk.decode()):
            event = decoder.decode(line)
            if event is not None:
                yield event


def hang_up(response: httpx.Response) -> None:
    """End the connection while another thread reads it."""
    stream = response.extensions["network_stream"]
    raw = stream.get_extra_info("socket")
    with suppress(OSError):
        raw.shutdown(socket.SHUT_RDWR)
