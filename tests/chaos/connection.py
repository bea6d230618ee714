"""One stream at a time, watched over and opened again: ``connection.js`` and ``watchlist.js``."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

from core.keys import key_text
from core.stamps import Stamp
from tests.chaos.entries import older, parse
from tests.chaos.wire import Gate, Message, Unanswered

_GATHER_S = 0.02
_SETTLE_S = 0.2
_OPENING_S = 15.0
_SILENT_BEATS = 2.5
_QUIET_S = 2.0


def full_jitter(random: Random, attempt: int) -> float:
    """Seconds before attempt 0, 1, 2…: ``backoff.js``."""
    return random.random() * min(30.0, 2.0 ** min(attempt, 30))


@dataclass(frozen=True)
class Frame:
    """A frame as ``frames.js`` reads it; what it does not carry is empty."""

    event: str
    id: Stamp | None
    keys: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    cause: str = ""
    trace: str = ""
    wait_ms: int = 0
    heartbeat_s: float = 0.0

    @classmethod
    def read(cls, message: Message) -> "Frame":
        """The frame that *message* carries."""
        body: dict[str, Any] = json.loads(message.data)
        return cls(
            message.event,
            parse(message.id),
            keys=_texts(body.get("keys") or body.get("stale") or ()),
            denied=_texts(body.get("denied") or ()),
            cause=body.get("cause") or body.get("reason") or message.event,
            trace=body.get("trace", ""),
            wait_ms=body.get("spread_ms") or body.get("retry_ms") or 0,
            heartbeat_s=body.get("heartbeat_s", 0.0),
        )


class Watchlist:
    """What a stream watches, and since which stamp each key is known not to have changed."""

    def __init__(self) -> None:
        self._since: dict[str, Stamp | None] = {}
        self._confirmed: set[str] = set()
        self.heard: Stamp | None = None

    @property
    def entries(self) -> list[tuple[str, Stamp | None]]:
        """Each key with the stamp to ask a stream with."""
        return [
            (key, self.heard if key in self._confirmed else since)
            for key, since in self._since.items()
        ]

    def add(self, key: str, stamp: Stamp | None) -> None:
        """Watch *key*, of which what is shown was current at *stamp*."""
        if key not in self._since:
            self._since[key] = stamp
        elif key not in self._confirmed:
            self._since[key] = older(self._since[key], stamp)

    def begin(self, stamp: Stamp | None, covered: Iterable[str], stale: Iterable[str]) -> None:
        """A stream that watches *covered* has begun; of these the *stale* have changed."""
        watched = set(covered)
        for key in self._since:
            if key in self._confirmed and key not in watched:
                self._since[key] = self.heard
        self._confirmed = watched & self._since.keys()
        self.heard = stamp
        self.change(stamp, stale)

    def change(self, stamp: Stamp | None, keys: Iterable[str]) -> None:
        """These have changed, at or before *stamp*."""
        for key in keys:
            if key in self._since:
                self._since[key] = stamp
        self.hear(stamp)

    def hear(self, stamp: Stamp | None) -> None:
        """Everything up to here was heard."""
        self.heard = stamp or self.heard


class Connection:
    """The stream of one browser, which nobody hides, puts to sleep, or shares with other tabs."""

    def __init__(
        self,
        gate: Gate,
        headers: Mapping[str, str],
        random: Random,
        heard: Callable[[Frame], None],
        turned: Callable[[str], None],
    ) -> None:
        self._gate = gate
        self._headers = headers
        self._random = random
        self._heard = heard
        self._turned = turned
        self._list = Watchlist()
        self._covered: tuple[str, ...] = ()
        self._task: asyncio.Task[None] | None = None
        self._opening: asyncio.TimerHandle | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._attempts = 0
        self._heartbeat_s = 15.0
        self.state = "connecting"

    def watch(self, entries: Iterable[tuple[str, Stamp | None]]) -> None:
        """Watch these too, each from the stamp of what is shown."""
        for key, stamp in entries:
            self._list.add(key, stamp)
        is_narrow = any(key not in self._covered for key, _ in self._list.entries)
        if self._task is not None and is_narrow:
            self._open_after(_SETTLE_S)
        elif self._task is None and self._opening is None:
            self._open_after(_GATHER_S)

    def close(self) -> None:
        """Close the stream, and plan no other."""
        for timer in (self._opening, self._watchdog):
            if timer is not None:
                timer.cancel()
        self._opening = self._watchdog = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _open(self) -> None:
        self.close()
        entries = self._list.entries
        self._covered = tuple(key for key, _ in entries)
        self._task = asyncio.get_running_loop().create_task(self._listen(stream_path(entries)))
        self._expect_within(_OPENING_S)

    async def _listen(self, path: str) -> None:
        mine = asyncio.current_task()
        with suppress(Unanswered):
            async with aclosing(self._gate.stream(path, self._headers)) as messages:
                async for message in messages:
                    if mine is not self._task:
                        return
                    self._hear(Frame.read(message))
        if mine is self._task:
            self._fail()

    def _hear(self, frame: Frame) -> None:
        if frame.event == "hello":
            self._attempts = 0
            self._heartbeat_s = frame.heartbeat_s
            self._list.begin(frame.id, self._covered, frame.keys)
        elif frame.event == "stale":
            self._list.change(frame.id, frame.keys)
        elif frame.event == "beat":
            self._list.hear(frame.id)
        self._expect_within(_SILENT_BEATS * self._heartbeat_s)
        self._heard(frame)
        if frame.event == "degraded":
            self._say("degraded")
        elif frame.event in ("hello", "restored"):
            self._say("live")
        elif frame.event == "bye":
            if frame.wait_ms > _QUIET_S * 1000:
                self._say("reconnecting")
            self.close()
            self._open_after(self._random.random() * frame.wait_ms / 1000)

    def _fail(self) -> None:
        self._task = None  # else it would cancel itself
        self.close()
        wait_s = full_jitter(self._random, self._attempts)
        self._attempts += 1
        self._open_after(wait_s)
        self._say("reconnecting")

    def _lose(self) -> None:
        self.close()
        self._fail()

    def _open_after(self, wait_s: float) -> None:
        if self._opening is not None:
            self._opening.cancel()
        self._opening = asyncio.get_running_loop().call_later(wait_s, self._open)

    def _expect_within(self, wait_s: float) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._watchdog = asyncio.get_running_loop().call_later(wait_s, self._lose)

    def _say(self, state: str) -> None:
        if state != self.state or state == "reconnecting":
            self.state = state
            self._turned(state)


def stream_path(entries: Iterable[tuple[str, Stamp | None]]) -> str:
    """The address of a stream: ``stream_address.js``, without sharing one ``since``."""
    keys = [
        f"key={quote(key, safe=':')}{f'@{stamp}' if stamp is not None else ''}"
        for key, stamp in entries
    ]
    return f"/live?{'&'.join(keys)}"


def _texts(keys: Iterable[Any]) -> tuple[str, ...]:
    return tuple(key_text(tuple(parts)) for parts in keys)
