"""A worker: the real hub, memory, cache and streams; the requests that use them as tasks.

Real: `Bus` (all but its connections), `Hub` (all but its threads), `Versions`, `Fanout`,
`Watchers`, `Shelf`, `Cache`, `Flights`, `Bodies`, and the verdict of a joining stream. Modelled:
what needs a database or Flask, which is the relay, the guard's question, and the way into the
cache. Left out: what workers tell each other of sessions and guards' answers.
"""

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.bodies import Bodies, Body
from core.bus import Notice
from core.cache import Cache
from core.errors import BusUnavailable
from core.fanout import BEAT_SLOTS
from core.hub import Heard, Hub
from core.keys import access_key
from core.memory import Memory
from core.shared import Shared
from core.shelves import Shelf
from core.stamps import Stamp
from core.streams import Announcement, Stream
from core.watchers import WatchedKey
from core.web.live import Opening, Watched
from tests.model.database import KEYS, Event, Row
from tests.model.redis import ModelBus

if TYPE_CHECKING:
    from tests.model.world import World

BUILD = "build"


class TurnedHub(Hub):
    """The hub, whose threads are turned by hand."""

    def subscribe(self) -> None:
        """What its listening thread does first, once it is subscribed."""
        self._comparison.begin()
        try:
            self._bus.probe()
            self._resume()
        except BusUnavailable as error:
            self._disconnected(error)

    def hear(self, text: str) -> None:
        """What it does with a message."""
        try:
            self._notice(text)
        except BusUnavailable as error:
            self._disconnected(error)

    def compare(self) -> None:
        """What it does once in a beat."""
        try:
            self._compare()
        except BusUnavailable as error:
            self._disconnected(error)

    def lose(self) -> None:
        """What it does when its connection breaks."""
        self._disconnected(OSError("reset by peer"))

    def fan_out(self) -> None:
        """A round of the fan-out, with everybody's beat."""
        stamp = self.stamp
        self._fanout._send_waiting()
        for _ in range(BEAT_SLOTS):
            self._fanout._beat(stamp)

    def tick(self) -> None:
        """What its thread does that looks for what is owed."""
        self._say_restored()


class ModelStream(Stream):
    """A stream whose frames wait for a browser to take them."""

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening.wanted, opening.access_key)
        self.frames: deque[bytes] = deque()
        self.is_closed = False

    def send_stale(
        self, encoded: bytes, keys: Sequence[WatchedKey], announcement: Announcement
    ) -> None:
        """Frame by frame: nobody reads so slowly that they would be merged."""
        self.send(encoded)

    def send(self, encoded: bytes) -> None:
        """Nothing is said after the last word."""
        if not self.is_closed:
            self.frames += encoded.removesuffix(b"\n\n").split(b"\n\n")

    def end(self, encoded: bytes) -> None:
        """The last word."""
        self.send(encoded)
        self.is_closed = True


def version_of(bodies: Bodies) -> int:
    """What a body shows."""
    version: int = json.loads(bodies.json.content)
    return version


@dataclass(frozen=True)
class Answer:
    """What a read brought: ``version`` is ``None`` for "not there, or not for you"."""

    version: int | None
    stamp: Stamp | None


@dataclass(frozen=True)
class Asker:
    """Who asks, and what their headers and cookies say."""

    user: int
    floor: Stamp | None = None
    cookie: Stamp | None = None
    bypass: bool = False


@dataclass
class Granted:
    """A guard's answer, and how often access had changed when it was read."""

    door: int
    read_at: int


class Worker:
    """One process."""

    def __init__(self, world: "World") -> None:
        parts, settings, clock = world.parts, world.settings, world.clock
        self.world = world
        self.tasks = world.tasks
        self.bus: ModelBus = parts.bus(settings, clock, world.redis, world.tasks.pause)
        self.hub: TurnedHub = parts.hub(self.bus, settings, owes=world.database.owes, clock=clock)
        shared = Shared(self.bus, self.hub, settings, BUILD)
        self.memory = Memory(self.hub, shared, settings.cache_memory_bytes)
        self.answers: Shelf[Granted] = parts.shelf(self.hub, 100)
        self.memory.bodies = parts.shelf(self.hub, settings.cache_memory_bytes)
        self.cache: Cache = parts.cache(self.bus, self.hub, self.memory, settings, BUILD, clock)
        self.channel: deque[str] | None = None
        self.lost_at = 0
        self.listen()

    def listen(self) -> None:
        """Subscribe, and load the versions."""
        self.channel = deque()
        if not self.bus.away:
            self.world.redis.heard_by.append(self.channel)
        self.hub.subscribe()
        if not self.hub.connected:
            self.lose()

    def hear(self) -> None:
        """Take the next notice; find out that the connection is gone; or connect anew."""
        if self.channel is None:
            self.listen()
        elif not any(self.channel is other for other in self.world.redis.heard_by):
            self.lose()
        elif self.channel:
            self.hub.hear(self.channel.popleft())
        if self.channel is not None and not self.hub.connected:
            self.lose()

    def compare(self) -> None:
        """Compare with Redis."""
        if self.channel is not None:
            self.hub.compare()
            if not self.hub.connected:
                self.lose()

    def lose(self) -> None:
        """The connection to the channel is gone."""
        heard_by = self.world.redis.heard_by
        heard_by[:] = [channel for channel in heard_by if channel is not self.channel]
        self.channel = None
        self.lost_at = self.world.steps
        self.hub.lose()

    def die(self) -> None:
        """``kill -9``."""
        self.bus.away, self.bus.pause = True, lambda: None
        self.tasks.kill(self)
        self.lose()

    def ask(self, text: str, asker: Asker) -> Answer:
        """``GET /q/…``; raises `BadRequest` for a floor that Redis has not reached."""
        return self.answer(text, asker)

    def answer(self, text: str, asker: Asker, may_look: bool | None = None) -> Answer:
        """What a key shows; a page asks the guard once for all that it shows."""
        asked = self.world.asked(text, asker)
        key = self.world.parts.key(KEYS[text])
        begun = self.world.database.moment
        if may_look is None and not self.grant(asker):
            return asked.is_refused()
        if may_look is False:
            return Answer(None, None)
        found = self.cache.find(
            key, asker.floor, lambda: self.read(text, begun), bypass=asker.bypass
        )
        return asked.is_given(version_of(found.bodies), found.stamp)

    def read(self, text: str, begun: int) -> Bodies:
        """Run the query, in a transaction begun now; *begun* is when the request did."""
        self.tasks.pause()
        version = self.world.parts.read(self.world.database, text, begun)
        self.tasks.pause()
        return Bodies(Body(json.dumps(version).encode()), {})

    def grant(self, asker: Asker) -> bool:
        """What `Runtime.grant` says: as remembered, or as the database does."""
        known = self.remembered(asker)
        if known is not None:
            self.world.check_grant(self, asker, known)
            return known.door % 2 == 0
        heard = self.hub.heard
        self.tasks.pause()
        read = Granted(self.world.database.door(asker.user), self.world.steps)
        self.tasks.pause()
        self.remember(asker, read, heard)
        return read.door % 2 == 0

    def remembered(self, asker: Asker) -> Granted | None:
        """What is remembered, unless the one who asks has done something newer."""
        heard = self.hub.stamp
        if heard is None or asker.bypass:
            return None
        floors = [floor for floor in (asker.floor, asker.cookie) if floor is not None]
        if not all(heard.reaches(floor) for floor in floors):
            return None
        return self.answers.get(asker.user)

    def remember(self, asker: Asker, read: Granted, heard: Heard) -> None:
        """Remember what was granted, never what was refused."""
        if read.door % 2 == 0:
            self.answers.put(asker.user, read, (access_key(asker.user),), heard)

    def open(
        self, user: int, entries: Sequence[tuple[str, Stamp | None]]
    ) -> tuple[ModelStream, list[str]]:
        """``GET /live``; the stream, and the keys that it does not watch."""
        asked_at = self.hub.stamp
        seen = self.grant(Asker(user))
        watched = [Watched(KEYS[text], stamp) for text, stamp in entries]
        opening = self.world.parts.opening(
            hub=self.hub,
            allowed=watched if seen else [],
            denied=[] if seen else watched,
            access_key=access_key(user),
            asked_at=asked_at,
            ends_at=None,
            address="",
            label="",
            heartbeat_s=15.0,
        )
        stream = ModelStream(opening)
        stream.send(opening.join(stream))
        return stream, [] if seen else [text for text, _ in entries]

    def write(
        self,
        event: Event,
        committed: Callable[[], None],
        answer: Callable[[tuple[str, ...], Stamp | None], None],
    ) -> None:
        """``POST /a/…``: commit, then publish what is owed."""
        database = self.world.database
        number = database.begin()
        self.tasks.pause()
        keys = database.look(event)
        self.tasks.pause()
        row = database.commit(number, event, keys, self.world.clock.now())
        committed()
        self.tasks.pause()
        stamp = None
        try:
            keys, stamp = self.publish(row, patient=False)
            self.tasks.pause()
            database.delete(row.number)
        except BusUnavailable:
            self.hub.owe()
            self.hub.doubt()
        answer(keys, stamp)

    def publish(self, row: Row, *, patient: bool) -> tuple[tuple[str, ...], Stamp]:
        """Look once more, and publish both looks."""
        keys = tuple(dict.fromkeys([*row.keys, *self.look_again(row)]))
        self.tasks.pause()
        return keys, self.bus.publish(Notice(keys, row.event.kind, ""), patient=patient)

    def look_again(self, row: Row) -> tuple[str, ...]:
        """The keys that the handlers name after the commit."""
        return self.world.database.look(row.event)

    def begin_sweep(self) -> None:
        """A round of the sweeper."""
        self.tasks.spawn(self, self.sweep)

    def sweep(self) -> None:
        """Publish every row that is due."""
        try:
            self.bus.probe()
            claimed = self.claim()
            self.tasks.pause()
            for row in claimed:
                self.publish(row, patient=True)
                self.tasks.pause()
                self.world.database.delete(row.number)
        except BusUnavailable:
            self.hub.doubt()

    def claim(self) -> list[Row]:
        """The rows present."""
        return self.world.database.claim(self.world.clock.now())
