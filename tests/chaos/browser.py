"""One simulated browser: our ``store``, ``watched``, ``reader``, ``poller`` and ``session``.

Where it is simpler than the real one:

1. It has one tab, which is always visible, never asleep, and never told that it is offline.
2. Its regions begin empty, instead of with what the server rendered into the page.
3. It reads JSON or fragments, and compares bodies instead of morphing them into a page.
4. It ignores `Live-Key`: it asks only for keys in their canonical spelling.
5. It tells only how often it moved on a key, not that it is troubled about one.
6. Of the cookies it keeps only `live_floor`.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from core.keys import key_text
from core.stamps import Stamp
from tests.chaos.connection import Connection, Frame, full_jitter
from tests.chaos.entries import Entry, Fetched, Want, parse
from tests.chaos.history import GONE, Happening, digest_of
from tests.chaos.wire import Answer, Gate, Unanswered

_LONGEST_READ_S = 30.0
_POLL_EVERY_S = 10.0
_ACCEPT = {"json": "application/json", "html": "text/html"}
_REFUSALS: dict[int, Literal["gone", "signed-out"]] = {404: "gone", 401: "signed-out"}


@dataclass(frozen=True)
class Seat:
    """Who sits at one browser, and what they look at: keys, each with the form they read it in."""

    name: str
    user_id: int
    cookie: str
    keys: Mapping[str, str]


class Watched:
    """One key of the page."""

    def __init__(self) -> None:
        self.entry = Entry()
        self.shows = False
        self.refused = False
        self.failures = 0
        self.timer: asyncio.TimerHandle | None = None

    def cancel(self) -> None:
        """Take back the read that is planned, if one is."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class FloorCookie:
    """The cookie ``live_floor``, as a browser keeps it."""

    def __init__(self) -> None:
        self._value = ""
        self._until = 0.0

    @property
    def sent(self) -> str:
        """What is added to the header of a request."""
        return f"; {self._value}" if time.monotonic() < self._until else ""

    def take(self, said: str) -> None:
        """Keep what a ``Set-Cookie`` header says of it."""
        found = re.match(r"(live_floor=[^;]*);.*\bMax-Age=(\d+)", said)
        if found is not None:
            self._value, self._until = found[1], time.monotonic() + int(found[2])


class Browser:
    """It keeps what is shown of every key of its seat as new as our browser code would.

    *note* is told all that happens; *body* every body that was ever shown.
    """

    def __init__(
        self,
        seat: Seat,
        gate: Gate,
        random: Random,
        note: Callable[[Happening], None],
        body: Callable[[str, bytes], None],
    ) -> None:
        self._seat = seat
        self._gate = gate
        self._random = random
        self._note = note
        self._body = body
        self._headers = {"Cookie": seat.cookie}
        self._floor = FloorCookie()
        self._watched = {key: Watched() for key in seat.keys}
        self._poll: asyncio.Task[None] | None = None
        self._reads: set[asyncio.Task[bool]] = set()
        self._connection = Connection(gate, self._headers, random, self._hear, self._turn)
        self.shown: dict[str, str] = {}
        """The digest of what each key shows, or `GONE`."""

    @property
    def state(self) -> str:
        """The state of its stream."""
        return self._connection.state

    def start(self) -> None:
        """Load the page."""
        self._invalidate(self._watched, Want(None, True, "shown"), 0)

    def close(self) -> None:
        """Leave it."""
        self._stop_polling()
        self._connection.close()
        for watched in self._watched.values():
            watched.cancel()
        for read in self._reads:
            read.cancel()

    def _hear(self, frame: Frame) -> None:
        self._happened("frame", "", frame.id, frame.event, frame.trace, " ".join(frame.keys))
        if frame.event == "hello":
            refused = {key for key, watched in self._watched.items() if watched.refused}
            changed = refused.symmetric_difference(frame.denied)
            self._invalidate(changed, Want(None, True, "access"), 0)
            self._invalidate(frame.keys, Want(frame.id, frame.id is None, "hello"), 0)
        elif frame.event == "stale":
            want = Want(frame.id, frame.id is None, frame.cause, frame.trace)
            self._invalidate(frame.keys, want, frame.wait_ms / 1000)

    def _turn(self, state: str) -> None:
        self._happened("state", "", None, state)
        if state not in ("degraded", "reconnecting"):
            self._stop_polling()
        elif self._poll is None:
            self._poll = asyncio.get_running_loop().create_task(self._poll_for_ever())

    def _stop_polling(self) -> None:
        if self._poll is not None:
            self._poll.cancel()
            self._poll = None

    async def _poll_for_ever(self) -> None:
        while True:
            await asyncio.sleep((0.5 + self._random.random()) * _POLL_EVERY_S)
            for key, watched in self._watched.items():
                if not watched.shows or watched.entry.reading:
                    continue
                # Stopping to poll takes back no read that has begun.
                if not await asyncio.shield(self._begin_read(key, watched)):
                    break

    def _invalidate(self, keys: Iterable[str], want: Want, spread_s: float) -> None:
        for name in list(keys):
            for key, watched in self._watched.items():
                if key == name or key.startswith(f"{name}:"):
                    watched.entry.want(want)
                    self._read_after(key, watched, self._random.random() * spread_s)

    def _read_after(self, key: str, watched: Watched, wait_s: float) -> None:
        if not watched.entry.owed or watched.entry.reading:
            return
        watched.cancel()
        if wait_s < 0.001:
            self._begin_read(key, watched)
        else:
            loop = asyncio.get_running_loop()
            watched.timer = loop.call_later(wait_s, self._begin_read, key, watched)

    def _begin_read(self, key: str, watched: Watched) -> "asyncio.Task[bool]":
        watched.cancel()
        floor, etag = watched.entry.begin()
        read = asyncio.get_running_loop().create_task(self._read(key, watched, floor, etag))
        self._reads.add(read)
        read.add_done_callback(self._reads.discard)
        return read

    async def _read(
        self, key: str, watched: Watched, floor: Stamp | None, etag: str | None
    ) -> bool:
        begun = time.monotonic()
        fetched = await self._fetch(key, floor, etag)
        showed = watched.shows
        wait_s = self._take(key, watched, fetched, begun)
        if watched.shows and not showed:
            self._connection.watch(
                (each, w.entry.stamp) for each, w in self._watched.items() if w.shows
            )
        self._read_after(key, watched, wait_s)
        return fetched.kind != "failed"

    async def _fetch(self, key: str, floor: Stamp | None, etag: str | None) -> Fetched:
        headers = {**self._headers, "Accept": _ACCEPT[self._seat.keys[key]]}
        headers["Cookie"] += self._floor.sent
        if floor is not None:
            headers["Live-Floor"] = str(floor)
        if etag is not None:
            headers["If-None-Match"] = etag
        path = f"/q/{key.replace(':', '/')}"
        try:
            answer = await self._gate.ask("GET", path, headers, deadline_s=_LONGEST_READ_S)
        except Unanswered:
            return Fetched("failed")
        self._floor.take(answer.headers.get("set-cookie", ""))
        return _understand(answer, with_floor=floor is not None)

    def _take(self, key: str, watched: Watched, fetched: Fetched, begun: float) -> float:
        """Take what a read brought; returns how long to wait before what is still owed is read."""
        entry = watched.entry
        if fetched.kind in ("fresh", "same"):
            want = entry.accept(fetched)
            if want == "late":
                self._happened("late", key, fetched.stamp)
                return self._try_again(watched)
            watched.failures, watched.refused, watched.shows = 0, False, True
            self._show(key, fetched, want or Want(None, True, "check"), begun)
            return 0.0
        if fetched.kind == "bad-floor":
            self._happened("bad-floor", key)
            entry.forget_stamps()
            return self._try_again(watched)
        if fetched.kind == "failed":
            self._happened("failed", key)
            entry.fail()
            return max(fetched.retry_s, self._try_again(watched))
        entry.abandon()
        watched.failures, watched.refused = 0, True
        self.shown[key] = GONE
        self._happened("gone", key, None, fetched.kind)
        return 0.0

    def _show(self, key: str, fetched: Fetched, want: Want, begun: float) -> None:
        kind, digest = "same", self.shown.get(key, "")
        if fetched.kind == "fresh":
            digest = digest_of(fetched.body)
            if digest != self.shown.get(key):
                kind = "shown"
                self._body(digest, fetched.body)
            self.shown[key] = digest
        happening = Happening(
            time.monotonic(), kind, key, str(fetched.stamp), want.cause, want.trace, digest
        )
        self._note(replace(happening, begun=begun))

    def _try_again(self, watched: Watched) -> float:
        wait_s = full_jitter(self._random, watched.failures)
        if watched.entry.owed:
            watched.failures += 1
        return max(0.001, wait_s)

    def _happened(
        self,
        kind: str,
        key: str,
        stamp: Stamp | None = None,
        cause: str = "",
        trace: str = "",
        more: str = "",
    ) -> None:
        self._note(Happening(time.monotonic(), kind, key, str(stamp), cause, trace, more))


def _understand(answer: Answer, *, with_floor: bool) -> Fetched:
    stamp = parse(answer.headers.get("live-stamp"))
    if answer.status == 200 and "live-key" in answer.headers:
        return Fetched("fresh", stamp, answer.headers.get("etag"), answer.body)
    if answer.status == 304:
        return Fetched("same", stamp)
    if answer.status in _REFUSALS:
        return Fetched(_REFUSALS[answer.status])
    if answer.status == 400 and with_floor:
        return Fetched("bad-floor")
    return Fetched("failed", retry_s=float(answer.headers.get("retry-after", 0)))


def key_of(*parts: str | int) -> str:
    """The text form of a key."""
    return key_text(parts)
