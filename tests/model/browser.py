"""A browser: what it knows of each key, what it watches, and what it shows.

`Entry` and `Watchlist` are `core/static/live/entry.js` and `watchlist.js`, line by line, whose own
tests are in `tests/js/`: change both or neither. `Browser` is what the store, the connection and
the session do with them, for one page in one tab.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.errors import BadRequest
from core.keys import key_text
from core.stamps import Stamp
from tests.model.database import OWN, SHARED
from tests.model.worker import Answer, Asker, ModelStream, Worker

if TYPE_CHECKING:
    from tests.model.world import World

COOKIE_AGE_S = 60


def is_before(stamp: Stamp, other: Stamp | None) -> bool:
    """Whether *stamp* is an earlier point of the same generation."""
    return (
        other is not None
        and stamp.generation == other.generation
        and stamp.sequence < other.sequence
    )


def higher(a: Stamp | None, b: Stamp | None) -> Stamp | None:
    """The floor that satisfies both; across generations the one that was heard last, *b*."""
    if a is None or b is None:
        return a or b
    return a if is_before(b, a) else b


def older(a: Stamp | None, b: Stamp | None) -> Stamp | None:
    """The stamp that both are known to be current at."""
    if a is None or b is None or a.generation != b.generation:
        return None
    return a if a.sequence <= b.sequence else b


@dataclass(frozen=True)
class Want:
    """Something newer than what is shown."""

    floor: Stamp | None
    fresh: bool


def satisfies(stamp: Stamp | None, want: Want) -> bool:
    """Whether data stamped so holds what *want* is about."""
    return (
        not want.fresh
        and want.floor is not None
        and stamp is not None
        and stamp.reaches(want.floor)
    )


def merge(first: Want | None, then: Want | None) -> Want | None:
    """One want for both."""
    if first is None or then is None:
        return first or then
    return Want(higher(first.floor, then.floor), first.fresh or then.fresh)


class Entry:
    """What a page knows of one key, and what it is still owed."""

    def __init__(self, stamp: Stamp | None) -> None:
        self.stamp = stamp
        self.shown_at: Stamp | None = None
        self.reading = False
        self.wanted: Want | None = None
        self.asked: Want | None = None

    def want(self, want: Want) -> None:
        """Ask for newer data; nothing happens when what is shown is new enough."""
        if not satisfies(self.stamp, want):
            self.wanted = merge(self.wanted, want)

    def begin(self) -> Stamp | None:
        """A read begins: whatever is wanted now, it will see. Returns its floor."""
        self.reading = True
        self.asked, self.wanted = self.wanted, None
        return higher(self.stamp, self.asked.floor if self.asked is not None else None)

    def accept(self, stamp: Stamp | None) -> bool:
        """The read ended with data; ``False``: it is late, and not shown."""
        asked = self._end()
        if self.is_late(stamp, asked):
            self._owe_again(asked)
            return False
        self.stamp = stamp or self.stamp
        if self.wanted is not None and satisfies(stamp, self.wanted):
            self.wanted = None
        return True

    def fail(self) -> None:
        """The read brought nothing: it is owed again, if it was."""
        self._owe_again(self._end())

    def abandon(self) -> None:
        """What was known and wanted means nothing any more."""
        self.wanted = None
        self._end()

    def forget_stamps(self) -> None:
        """The server has never been at our floor: ask without one."""
        asked = self._end()
        self.stamp = None
        self._owe_again(asked and Want(None, fresh=True))

    def is_late(self, stamp: Stamp | None, asked: Want | None) -> bool:
        """Whether something newer is known than what came."""
        if stamp is None:
            return False
        called = self.wanted.floor if self.wanted is not None else None
        voided = called is not None and called.generation != stamp.generation
        return (
            voided
            or is_before(stamp, self.stamp)
            or is_before(stamp, asked.floor if asked is not None else None)
        )

    def _end(self) -> Want | None:
        asked, self.asked = self.asked, None
        self.reading = False
        return asked

    def _owe_again(self, asked: Want | None) -> None:
        self.wanted = merge(asked, self.wanted)


@dataclass
class Item:
    """A key on the list: data stamped ``since`` or later is current as far as was heard."""

    since: Stamp | None
    confirmed: bool = False


class Watchlist:
    """What a stream watches, and since which stamp each key is known not to have changed."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.heard: Stamp | None = None

    @property
    def entries(self) -> list[tuple[str, Stamp | None]]:
        """Each key with the stamp to ask a stream with."""
        return [
            (key, self.heard if item.confirmed else item.since) for key, item in self.items.items()
        ]

    def add(self, key: str, stamp: Stamp | None) -> None:
        """Watch *key*, of which somebody shows what was current at *stamp*."""
        item = self.items.get(key)
        if item is None:
            self.items[key] = Item(stamp)
        elif not item.confirmed:
            item.since = older(item.since, stamp)

    def keep(self, keys: Iterable[str]) -> None:
        """Keep only these."""
        kept = set(keys)
        self.items = {key: item for key, item in self.items.items() if key in kept}

    def begin(self, stamp: Stamp | None, covered: Sequence[str], stale: Sequence[str]) -> None:
        """A stream that watches *covered* has begun: of these the *stale* have changed."""
        for key, item in self.items.items():
            if item.confirmed and key not in covered:
                item.since = self.heard
            item.confirmed = key in covered
        self.heard = stamp
        self.change(stamp, stale)

    def change(self, stamp: Stamp | None, keys: Sequence[str]) -> None:
        """These have changed, at or before *stamp*."""
        for key in keys:
            if key in self.items:
                self.items[key].since = stamp
        self.hear(stamp)

    def hear(self, stamp: Stamp | None) -> None:
        """Everything up to there was heard."""
        self.heard = stamp or self.heard


@dataclass(frozen=True)
class Frame:
    """A frame, read."""

    event: str
    stamp: Stamp | None
    keys: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()


def parse(encoded: bytes) -> Frame:
    """The frame that the bytes spell."""
    lines = dict(line.split(": ", 1) for line in encoded.decode().strip().split("\n"))
    data = json.loads(lines["data"])
    keys = [tuple(parts) for parts in data.get("stale", data.get("keys", ()))]
    denied = [tuple(parts) for parts in data.get("denied", ())]
    return Frame(
        lines["event"],
        Stamp.parse(lines["id"]) if "id" in lines else None,
        tuple(key_text(parts) for parts in keys),
        tuple(key_text(parts) for parts in denied),
    )


class Line:
    """An open stream, as the browser sees it: ``told`` is how far it was told of each key."""

    def __init__(
        self, worker: Worker, stream: ModelStream, entries: Sequence[tuple[str, Stamp | None]]
    ) -> None:
        self.worker = worker
        self.stream = stream
        self.covered = [key for key, _ in entries]
        self.last: Stamp | None = None
        self.told = dict(entries)


class Browser:
    """One browser with one page, signed in as one user."""

    entry = Entry

    def __init__(self, world: "World", user: int) -> None:
        self.world = world
        self.user = user
        second = SHARED[2] if user == 1 else SHARED[1]
        self.page = (SHARED[0].text, second.text, OWN[user].text)
        self.entries: dict[str, Entry] = {}
        self.shown: dict[str, int | None] = {}
        self.most: dict[str, int] = {}
        self.list = Watchlist()
        self.line: Line | None = None
        self.asked: dict[str, Worker] = {}
        self.busy: Worker | None = None
        self.cookie: tuple[Stamp | None, float] | None = None
        self.own: dict[str, int] = {}
        self.is_asleep = False

    @property
    def owed(self) -> list[str]:
        """The keys to read now."""
        found = self.entries.items()
        return [key for key, entry in found if entry.wanted is not None and not entry.reading]

    @property
    def is_narrow(self) -> bool:
        """Whether the stream lacks a key that is shown."""
        covered = self.line.covered if self.line is not None else ()
        return any(key not in covered for key in self.list.items)

    def load(self, worker: Worker) -> None:
        """Go to the page, or load it anew."""
        self.close()
        self.busy, self.entries, self.shown, self.asked = worker, {}, {}, {}
        self.list = Watchlist()
        asker, own = self._asker(), self.own if self._has_cookie else {}

        def request() -> None:
            read, floor = [], asker.cookie
            may_look = worker.grant(asker)
            for key in self.page:
                try:
                    read.append((key, worker.answer(key, replace(asker, floor=floor), may_look)))
                except BadRequest:
                    floor = None
                    read.append((key, worker.answer(key, replace(asker, floor=None), may_look)))
            worker.tasks.pause()
            if self.busy is worker:
                self._show_page(read, own)

        worker.tasks.spawn(worker, request)

    def open(self, worker: Worker) -> None:
        """Open a stream, in place of the one that is open."""
        self.close()
        if not self.list.items or self.busy is not None:
            return
        self.busy = worker
        entries = self.list.entries
        wanted = self.list

        def request() -> None:
            stream, _ = worker.open(self.user, entries)
            if self.busy is not worker or self.list is not wanted:
                worker.hub.leave(stream)
                return
            self.busy = None
            self.line = Line(worker, stream, entries)

        worker.tasks.spawn(worker, request)

    def close(self) -> None:
        """The stream is gone, with what was on its way."""
        if self.line is not None:
            self.line.worker.hub.leave(self.line.stream)
        self.line = None
        self.busy = None

    def hear(self) -> bool:
        """Take the next frame; whether there was one."""
        line = self.line
        if line is None or not line.stream.frames:
            return False
        frame = parse(line.stream.frames.popleft())
        line.last = frame.stamp or line.last
        frame = replace(frame, stamp=line.last)
        if frame.event == "hello":
            self._greet(line, frame)
        elif frame.event == "stale":
            self.list.change(frame.stamp, frame.keys)
            self._told(line, frame)
        elif frame.event == "beat":
            self.list.hear(frame.stamp)
        elif frame.event == "bye":
            self.close()
        return True

    def refetch(self, worker: Worker) -> None:
        """Read what is owed."""
        for key in self.owed:
            self._read(key, worker)

    def check(self, worker: Worker) -> None:
        """Look whether anything has changed, as one does while there is no stream."""
        for key, entry in self.entries.items():
            if not entry.reading and self.shown.get(key) is not None:
                self._read(key, worker)

    def fail(self, worker: Worker) -> None:
        """A worker has died: what it was asked brings nothing."""
        for key in [key for key, asked in self.asked.items() if asked is worker]:
            del self.asked[key]
            self.entries[key].fail()
        if self.busy is worker:
            self.busy = None
        if self.line is not None and self.line.worker is worker:
            self.line = None

    def acted(self, keys: Sequence[str], stamp: Stamp | None) -> None:
        """The answer to an action of this browser."""
        self.cookie = stamp, self.world.clock.monotonic()
        named = [key for key in self.entries if self.world.names(keys, key)]
        self._want(named, Want(stamp, fresh=stamp is None))

    @property
    def _has_cookie(self) -> bool:
        now = self.world.clock.monotonic()
        return self.cookie is not None and now - self.cookie[1] < COOKIE_AGE_S

    def _asker(self, floor: Stamp | None = None) -> Asker:
        if self.cookie is None or not self._has_cookie:
            return Asker(self.user, floor)
        return Asker(self.user, floor, self.cookie[0], bypass=self.cookie[0] is None)

    def _show_page(self, read: Sequence[tuple[str, Answer]], own: Mapping[str, int]) -> None:
        self.busy = None
        for key, answer in read:
            self.world.check_page(key, answer, own.get(key, 0))
            if answer.version is None:
                self.shown[key] = None
                continue
            self.entries[key] = self.entry(answer.stamp)
            self.list.add(key, answer.stamp)
            self._show(key, answer)

    def _greet(self, line: Line, frame: Frame) -> None:
        self.list.begin(frame.stamp, line.covered, frame.keys)
        refused = [key for key in self.entries if self.shown.get(key) is None]
        self._want([*frame.denied, *refused], Want(None, fresh=True))
        self._told(line, frame)
        line.told = dict.fromkeys(line.covered, frame.stamp)

    def _told(self, line: Line, frame: Frame) -> None:
        for key in frame.keys:
            entry = self.entries.get(key)
            if entry is not None:
                self.world.check_cause(self, line, frame, key)
                line.told[key] = frame.stamp
                entry.want(Want(frame.stamp, fresh=frame.stamp is None))

    def _want(self, keys: Iterable[str], want: Want) -> None:
        for key in keys:
            if key in self.entries:
                self.entries[key].want(want)

    def _read(self, key: str, worker: Worker) -> None:
        entry = self.entries[key]
        asker = self._asker(entry.begin())
        self.asked[key] = worker

        def request() -> None:
            try:
                answer = worker.ask(key, asker)
            except BadRequest:
                answer = None
            worker.tasks.pause()
            if self.entries.get(key) is not entry or self.asked.get(key) is not worker:
                return
            del self.asked[key]
            if answer is None:
                entry.forget_stamps()
            elif answer.version is None:
                entry.abandon()
                self.shown[key] = None
                self.list.keep(set(self.list.items) - {key})
            elif entry.accept(answer.stamp):
                self._show(key, answer)
                self.list.add(key, entry.stamp)

        worker.tasks.spawn(worker, request)

    def _show(self, key: str, answer: Answer) -> None:
        self.world.check_shown(self, key, answer)
        assert answer.version is not None
        self.entries[key].shown_at = answer.stamp or self.entries[key].shown_at
        self.most[key] = max(self.most.get(key, 0), answer.version)
        self.shown[key] = answer.version
