"""The world: workers, browsers, Redis and the database, and what must always hold of them.

What is asserted, by its name in `docs/guarantees.md`:

lost        Once everything is settled, every browser shows the truth of every key it watches.
forbidden   No answer stamped *s* is older than the last publication up to *s* that named its key;
            no answer without a stamp, and none to one whose write is not published, is older than
            the question.
backwards   No browser shows something older after something newer.
floor       No answer is stamped below the floor of the one who asked.
own write   The page after one's own action shows it.
cause       Nobody is told to read again, and no body is made anew, unless a publication made it
            stale; but after a new generation.
rest        When nothing is written any more, nothing is read any more.
kept        The body that Redis keeps of a key never becomes an older one.
access      Who may look is never refused; who may not is never let in by an answer remembered from
            before the notice, or from before Redis was away.

What no system promises is left out exactly: *between the commit of a write and its publication* two
answers may differ on it. So a browser may see it, ask another worker, and not see it, as long as
the second answer is stamped below the publication.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from core.bodies import Bodies
from core.cache import Cache
from core.keys import access_key
from core.queries import Key
from core.settings import Settings
from core.shelves import Shelf
from core.stamps import Stamp
from core.web.live import Opening
from tests.model.browser import Browser, Frame, Line, is_before
from tests.model.database import KEYS, Database, Event, is_named
from tests.model.facts import Facts
from tests.model.redis import Data, Kept, ModelBus, ModelRedis
from tests.model.tasks import ModelClock, Tasks
from tests.model.worker import Answer, Asker, Granted, TurnedHub, Worker, version_of

ROUNDS = 30
PLENTY = 1000
"""So many versions are never trimmed here."""


def read_now(database: Database, text: str, begun: int) -> int:
    """A query in a session and transaction of its own."""
    return database.version(text)


def as_it_is(key: Key) -> Key:
    """The key that a request names."""
    return key


@dataclass
class Parts:
    """What a world is made of. A mistake is one of them replaced."""

    redis: type[ModelRedis] = ModelRedis
    bus: type[ModelBus] = ModelBus
    hub: type[TurnedHub] = TurnedHub
    shelf: type[Shelf[Any]] = Shelf
    cache: type[Cache] = Cache
    opening: type[Opening] = Opening
    worker: type[Worker] = Worker
    browser: type[Browser] = Browser
    read: Callable[[Database, str, int], int] = read_now
    key: Callable[[Key], Key] = as_it_is


@dataclass
class Asked:
    """A question, and what is true when it is asked."""

    world: "World"
    text: str
    asker: Asker
    truth: int = field(init=False)
    door: int = field(init=False)

    def __post_init__(self) -> None:
        self.truth = self.world.database.version(self.text)
        self.door = self.world.database.door(self.asker.user)

    def is_given(self, version: int, stamp: Stamp | None) -> Answer:
        """Judge the answer."""
        said = f"{self.text} {version} @{stamp} for {self.asker}"
        floor = self.asker.floor
        if stamp is None or self.asker.bypass:
            assert version >= self.truth, f"forbidden: {said}, asked at {self.truth}"
        if stamp is not None:
            least = self.world.facts.least(self.text, stamp)
            assert version >= least, f"forbidden: {said}, {least} is published"
            assert floor is None or not is_before(stamp, floor), f"floor: {said}"
        return Answer(version, stamp)

    def is_refused(self) -> Answer:
        """Judge the refusal."""
        door = self.world.database.door(self.asker.user)
        assert door != self.door or door % 2 == 1, f"access: {self.asker} may look"
        return Answer(None, None)


class World:
    """All of it, with one Redis and one database."""

    def __init__(self, parts: Parts, *, kept: int, loaded: int, lease_s: float) -> None:
        self.parts = parts
        self._generations = count()
        self._steps = count()
        self.is_exact = min(kept, loaded) >= PLENTY
        self.settings = Settings().model_copy(
            update={"versions_kept": kept, "versions_loaded": loaded, "lease_s": lease_s}
        )
        self.tasks = Tasks()
        self.clock = ModelClock(self.tasks)
        self.database = Database()
        self.facts = Facts(self.database)
        self.redis = parts.redis(self.clock)
        self.redis.on_publication = self.facts.publish
        self.redis.on_keep = self.check_kept
        self.redis.on_lease = self.check_lease
        self._kept: dict[tuple[str, str], int] = {}
        self._begin_generation()
        self.dump: Data = self.redis.dump()
        self.workers = [parts.worker(self) for _ in range(2)]
        self.browsers = [parts.browser(self, user) for user in (1, 1, 2)]
        for number, browser in enumerate(self.browsers):
            worker = self.workers[number % 2]
            browser.load(worker)
            self.tasks.run()
            browser.open(worker)
        self.tasks.run()

    @property
    def steps(self) -> int:
        """A number above every one before."""
        return next(self._steps)

    def asked(self, text: str, asker: Asker) -> Asked:
        """Note a question."""
        return Asked(self, text, asker)

    def names(self, names: Sequence[str], text: str) -> bool:
        """Whether *names* name *text*."""
        return is_named(text, names)

    def write(self, worker: Worker, event: Event, browser: Browser | None = None) -> None:
        """An action, perhaps of a browser."""
        before = self.database.truth
        changed: dict[str, int] = {}

        def committed() -> None:
            now = self.database.truth
            changed.update({key: now[key] for key in KEYS if now[key] > before[key]})

        def answered(keys: tuple[str, ...], stamp: Stamp | None) -> None:
            if browser is not None:
                browser.own = changed
                browser.acted(keys, stamp)

        self.tasks.spawn(worker, lambda: worker.write(event, committed, answered))

    def flush(self) -> None:
        """Redis loses its data."""
        self.redis.flush()
        self._begin_generation()

    def restart(self, data: Data) -> None:
        """Redis is another process, or another machine, with older data."""
        self.redis.restart(data)
        self._begin_generation()

    def replace(self, worker: Worker) -> None:
        """A worker dies, and another one takes its place."""
        worker.die()
        for browser in self.browsers:
            browser.fail(worker)
        self.workers[self.workers.index(worker)] = self.parts.worker(self)

    def check_kept(self, name: str, body: Kept) -> None:
        """Judge a body that Redis begins to keep."""
        version = version_of(Bodies.unpack(body.text))
        before = self._kept.get((name, body.generation), 0)
        assert version >= before, f"kept: {name} {version}, after {before}"
        self._kept[name, body.generation] = version

    def check_lease(self, name: str, body: Kept | None, stamp: Stamp) -> None:
        """Judge a lease that was given although there is a body."""
        if not self.is_exact or body is None or body.generation != stamp.generation:
            return
        text = name.partition(":body:")[2].partition(":")[2]
        caused = self.facts.is_caused(text, stamp.generation, body.sequence, stamp.sequence)
        assert caused, f"cause: {text} @{body.sequence} is read again at {stamp}"

    def check_grant(self, worker: Worker, asker: Asker, known: Granted) -> None:
        """Judge what a guard is remembered to have said."""
        assert known.read_at >= worker.lost_at, "access: remembered from before Redis was away"
        heard = worker.hub.stamp
        assert heard is not None
        least = self.facts.least(access_key(asker.user), heard)
        refused_and_let_in = known.door % 2 == 1 and self.database.may_look(asker.user)
        assert not refused_and_let_in, f"access: {asker} may look, a refusal is remembered"
        assert known.door >= least, f"access: {asker} is remembered from before the notice"

    def check_cause(self, browser: Browser, line: Line, frame: Frame, key: str) -> None:
        """Judge a frame that tells a browser to read *key* again.

        Notices that come together are one frame, with the stamp of the last: it may be above the
        one that names *key*, and ask for a key again that was read in between.
        """
        shown, told = browser.entries[key].stamp, line.told[key]
        if not self.is_exact or frame.stamp is None or shown is None or told is None:
            return
        if shown.generation != frame.stamp.generation or told.generation != shown.generation:
            return
        if shown.reaches(frame.stamp):
            return
        after = min(shown.sequence, told.sequence)
        through = frame.stamp.sequence
        caused = self.facts.is_caused(key, shown.generation, after, through)
        caused |= self.facts.is_caused(access_key(browser.user), shown.generation, after, through)
        assert caused, f"cause: {key} @{shown} is told {frame}"

    def check_shown(self, browser: Browser, key: str, answer: Answer) -> None:
        """Judge what a browser is about to show."""
        most, version, stamp = browser.most.get(key, 0), answer.version, answer.stamp
        assert version is not None
        shown = browser.entries[key].shown_at
        if shown is not None and stamp is not None:
            assert not is_before(stamp, shown), f"backwards: {key} @{stamp} after @{shown}"
        if version < most:
            least = most if stamp is None else self.facts.least(key, stamp)
            assert version >= least, f"backwards: {key} {version} @{stamp} after {most}"

    def check_page(self, key: str, answer: Answer, own: int) -> None:
        """Judge what a page shows that was asked for after an action of its own."""
        version = answer.version
        assert version is None or version >= own, f"own write: {key} {version}, after {own}"

    def settle(self) -> None:
        """Everything works again, and goes on for as long as anything changes."""
        for worker in self.workers:
            worker.bus.away = False
        for browser in self.browsers:
            browser.is_asleep = False
        for number in range(ROUNDS):
            self._settle_once(number)
            if self._is_quiet and number > 3:
                break
        else:
            raise AssertionError("rest: it never comes")
        self.check_nothing_lost()

    def check_nothing_lost(self) -> None:
        """Every browser shows the truth, or nothing to one who may not look."""
        for browser in self.browsers:
            may_look = self.database.may_look(browser.user)
            for key in browser.page:
                truth = self.database.version(key) if may_look else None
                shown = browser.shown.get(key)
                assert shown == truth, f"lost: user {browser.user} shows {key} {shown}, not {truth}"

    def _settle_once(self, number: int) -> None:
        self._run()
        for worker in self.workers:
            worker.begin_sweep()
            self._run()
            worker.compare()
            self.clock.move(1.0)
            for _ in range(PLENTY):
                waiting = worker.channel
                worker.hear()
                if waiting is not None and worker.channel is waiting and not waiting:
                    break
            worker.compare()
            worker.hub.tick()
            worker.hub.fan_out()
        for index, browser in enumerate(self.browsers):
            worker = self.workers[(number + index) % 2]
            self._refresh(browser, worker)
        self._run()

    def _refresh(self, browser: Browser, worker: Worker) -> None:
        while browser.hear():
            pass
        if self._is_bare(browser) and browser.busy is None and not (browser.owed or browser.asked):
            # What gives access names nobody: the person looks again.
            browser.load(worker)
            self._run()
        if (browser.line is None or browser.is_narrow) and browser.busy is None:
            browser.open(worker)
        browser.refetch(worker)

    @property
    def _is_quiet(self) -> bool:
        waiting = any(b.owed or b.asked or b.busy for b in self.browsers)
        frames = any(b.line is not None and b.line.stream.frames for b in self.browsers)
        open_ = all(b.line is not None or not b.list.items for b in self.browsers)
        bare = any(self._is_bare(b) for b in self.browsers)
        return not (waiting or frames or bare or self.database.rows) and open_

    def _is_bare(self, browser: Browser) -> bool:
        may_look = self.database.may_look(browser.user)
        return may_look and any(browser.shown.get(key) is None for key in browser.page)

    def _run(self) -> None:
        """Run all that can run, and let time pass for what waits for that."""
        self.tasks.run()
        while (moment := self.tasks.wakes_at) is not None:
            self.clock.move(max(0.0, moment - self.clock.monotonic()))
            self.tasks.run()

    def _begin_generation(self) -> None:
        self.facts.begin(self.redis.generation(f"epoch {next(self._generations)}"))
