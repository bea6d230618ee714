"""A screen: a small honest client of the protocol, which writes all it is told into the ledger."""

import json
import queue
import random
import re
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
from httpx_sse import EventSource

from core.stamps import Stamp
from tests.core.listening import hang_up
from tests.faults.ledger import Ledger

_VALUE = re.compile(r"v(\d+)")
_POLL_S = 0.5
_RETRY_S = 0.1
_LONGEST_WAIT_S = 0.5


@dataclass(frozen=True)
class Frame:
    """One event of the stream, decoded."""

    event: str
    data: Any
    stamp: Stamp | None
    asked: Mapping[str, Stamp | None]
    """With which stamps the stream was opened."""


class Screen:
    """Shows *keys* of the server at *url*, from the start to `close`, whatever happens.

    One thread reads the stream and opens it anew; another reads what is stale, and polls while
    the stream says ``degraded``. ``frames`` holds all that was heard but beats.
    """

    def __init__(
        self, name: str, url: str, cookies: Mapping[str, str], keys: tuple[str, ...], ledger: Ledger
    ) -> None:
        self.name = name
        self.keys = keys
        self.frames: list[Frame] = []
        self.beats: list[float] = []
        self.connected = threading.Event()
        self._url = url
        self._cookies = dict(cookies)
        self._ledger = ledger
        self._shown: dict[str, Stamp | None] = {}
        self._wanted: dict[str, Stamp | None] = dict.fromkeys(keys)
        self._news: queue.Queue[Frame] = queue.Queue()
        self._closing = threading.Event()
        self._degraded = False
        self._response: httpx.Response | None = None
        ledger.watches(name, keys)
        self._threads = [
            threading.Thread(target=run, name=f"{run.__name__} of {name}", daemon=True)
            for run in (self._listen_for_ever, self._show_for_ever)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Leave."""
        self._closing.set()
        while any(thread.is_alive() for thread in self._threads):
            response = self._response
            if response is not None:
                with suppress(KeyError, AttributeError):
                    hang_up(response)
            for thread in self._threads:
                thread.join(0.05)

    def heard(self, event: str) -> list[Frame]:
        """The frames of this kind so far."""
        return [frame for frame in list(self.frames) if frame.event == event]

    def _listen_for_ever(self) -> None:
        with httpx.Client(base_url=self._url, cookies=self._cookies, timeout=10) as client:
            while not self._closing.is_set():
                wait_s = _LONGEST_WAIT_S
                with suppress(httpx.TransportError, httpx.StreamError, json.JSONDecodeError):
                    wait_s = self._listen(client)
                self.connected.clear()
                self._response = None
                self._closing.wait(random.uniform(0, wait_s))

    def _listen(self, client: httpx.Client) -> float:
        """Returns how long to wait, at most, before the next attempt."""
        asked = dict(self._shown)
        watched = [f"{key}@{asked[key]}" if asked.get(key) else key for key in self.keys]
        query = httpx.QueryParams([("key", key) for key in watched])
        with client.stream("GET", "/live", params=query) as response:
            if response.status_code != 200:
                return _LONGEST_WAIT_S
            self._response = response
            for event in EventSource(response).iter_sse():
                stamp = Stamp.parse(event.id) if event.id else None
                if event.event == "beat":
                    self.beats.append(time.monotonic())
                    continue
                frame = Frame(event.event, json.loads(event.data), stamp, asked)
                self.frames.append(frame)
                self._news.put(frame)
                self.connected.set()
                if event.event == "bye":
                    wait_s: float = min(frame.data["retry_ms"] / 1000, _LONGEST_WAIT_S)
                    return wait_s
        return _LONGEST_WAIT_S

    def _show_for_ever(self) -> None:
        polled_at = time.monotonic()
        with httpx.Client(base_url=self._url, cookies=self._cookies, timeout=10) as client:
            while not self._closing.is_set():
                with suppress(queue.Empty):
                    self._take(self._news.get(timeout=_RETRY_S))
                if self._degraded and time.monotonic() - polled_at > _POLL_S:
                    polled_at = time.monotonic()
                    for key in self.keys:
                        self._wanted.setdefault(key, None)
                for key in list(self._wanted):
                    with suppress(httpx.TransportError):
                        self._read(client, key, self._wanted[key])

    def _take(self, frame: Frame) -> None:
        if frame.event == "hello":
            self._degraded = False
            self._tell(frame, frame.data["stale"], "hello")
        elif frame.event == "stale":
            self._tell(frame, frame.data["keys"], frame.data["cause"])
        elif frame.event == "degraded":
            self._degraded = True
        elif frame.event == "restored":
            self._degraded = False
        elif frame.event == "bye" and frame.data["reason"] == "access":
            for key in self.keys:
                self._wanted.setdefault(key, None)

    def _tell(self, frame: Frame, keys: list[list[Any]], cause: str) -> None:
        for parts in keys:
            key = ":".join(str(part) for part in parts)
            shown = self._shown.get(key)
            since = frame.asked.get(key) if cause == "hello" else shown
            self._ledger.tell(self.name, key, since, frame.stamp, cause)
            if not _reaches(shown, frame.stamp) and not _reaches(
                self._wanted.get(key), frame.stamp
            ):
                self._wanted[key] = frame.stamp

    def _read(self, client: httpx.Client, key: str, floor: Stamp | None) -> None:
        headers = {"Live-Floor": str(floor)} if floor is not None else {}
        answer = client.get(f"/q/{key.replace(':', '/')}", headers=headers)
        if answer.status_code != 200:
            return
        text = answer.headers.get("Live-Stamp")
        stamp = Stamp.parse(text) if text else None
        if self._wanted.get(key) == floor or _reaches(stamp, self._wanted[key]):
            del self._wanted[key]
        if stamp is not None and _is_older(stamp, self._shown.get(key)):
            return
        self._shown[key] = stamp
        self._ledger.show(self.name, key, _values(answer.json()), stamp, floor)


def _is_older(stamp: Stamp, shown: Stamp | None) -> bool:
    return shown is not None and shown.generation == stamp.generation and not stamp.reaches(shown)


def _reaches(stamp: Stamp | None, floor: Stamp | None) -> bool:
    return stamp is not None and floor is not None and stamp.reaches(floor)


def _values(data: Any) -> dict[str, int]:
    """The cells in an answer: whatever has an id and a title such as ``v17``, by kind and id."""
    found: dict[str, int] = {}
    for item in _objects(data):
        title = _VALUE.fullmatch(str(item.get("title", "")))
        number = item.get("chapter_id") or item.get("media_file_id") or item.get("id")
        if title is not None and number is not None:
            kind = "media" if "media_file_id" in item else "chapter"
            found[f"{kind} {number}"] = int(title[1])
    return found


def _objects(data: Any) -> list[dict[str, Any]]:
    if isinstance(data, list):
        return [item for each in data for item in _objects(each)]
    if isinstance(data, dict):
        return [data, *(item for each in data.values() for item in _objects(each))]
    return []
