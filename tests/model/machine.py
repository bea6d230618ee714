"""What may happen in the world, one thing after another, as a Hypothesis state machine."""

import sys

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.model.browser import Browser
from tests.model.database import NAMES, SHARED, USERS, Event
from tests.model.tasks import Task, Tasks
from tests.model.worker import Worker
from tests.model.world import PLENTY, Parts, World

numbers = st.integers(0, 5)
videos = st.integers(1, 2)
books = st.sampled_from([SHARED[0].text, SHARED[1].text])
users = st.sampled_from(USERS)
events = st.one_of(
    st.builds(Event, st.just("written"), name=st.sampled_from(NAMES)),
    st.builds(Event, st.just("linked"), videos, books),
    st.builds(Event, st.just("renamed"), videos),
    st.builds(Event, st.just("promoted"), users, st.sampled_from(["", SHARED[0].text])),
    st.builds(Event, st.sampled_from(["barred", "let in"]), users),
)


FATES = (
    "worker killed",
    "subscription broken",
    "all reset",
    "redis flushed",
    "redis restarted",
    "redis restored",
)


class Machine(RuleBasedStateMachine):
    """The world, driven; `parts` may hold a mistake."""

    parts: Parts

    @initialize(
        kept=st.sampled_from([PLENTY, PLENTY, 1, 3]),
        loaded=st.sampled_from([PLENTY, PLENTY, 1, 3]),
        calm=st.booleans(),
        welcome=st.booleans(),
    )
    def begin(self, kept: int, loaded: int, calm: bool, welcome: bool) -> None:
        self.world = World(self.parts, kept=kept, loaded=loaded, lease_s=3.0)
        self.calm, self.welcome = calm, welcome

    @rule(event=events, number=numbers, by=numbers, steps=st.integers(0, 7))
    def act(self, event: Event, number: int, by: int, steps: int) -> None:
        self.write(event, number, by)
        self.step_newest(steps)

    @rule(event=events, number=numbers, by=numbers)
    def act_to_the_end(self, event: Event, number: int, by: int) -> None:
        self.write(event, number, by)
        self.step_newest(20)

    @rule(event=events, number=numbers, steps=st.integers(1, 7))
    def die_while_acting(self, event: Event, number: int, steps: int) -> None:
        self.write(event, number, 5)
        self.step_newest(steps)
        self.world.replace(self.worker(number))

    @rule(number=numbers, steps=st.integers(1, 3))
    def go_on(self, number: int, steps: int) -> None:
        for _ in range(steps):
            if runnable := self.tasks.runnable:
                runnable[number % len(runnable)].step()

    @rule()
    def go_on_with_all(self) -> None:
        self.tasks.run()

    @rule(number=numbers)
    def hear_a_notice(self, number: int) -> None:
        self.worker(number).hear()

    @rule(number=numbers)
    def hear_and_tell(self, number: int) -> None:
        self.spread(self.worker(number))

    @rule()
    def hear_and_tell_everywhere(self) -> None:
        for worker in self.world.workers:
            self.spread(worker)
        for browser in self.world.browsers:
            while browser.hear():
                pass

    @rule(number=numbers, fate=st.sampled_from(["lost", "twice", "swapped"]))
    def misplace_a_notice(self, number: int, fate: str) -> None:
        channel = self.worker(number).channel
        if not channel:
            return
        if fate == "lost":
            channel.pop()
        elif fate == "twice":
            channel.append(channel[0])
        else:
            channel.rotate(1)

    @rule(number=numbers)
    def beat(self, number: int) -> None:
        worker = self.worker(number)
        worker.compare()
        self.world.clock.move(0.6)
        worker.hear()
        worker.compare()
        worker.hub.tick()
        worker.hub.fan_out()

    @rule(seconds=st.sampled_from([0.1, 1.5, 3.5]))
    def let_time_pass(self, seconds: float) -> None:
        self.world.clock.move(seconds)

    @rule(number=numbers, steps=st.integers(0, 6))
    def sweep(self, number: int, steps: int) -> None:
        self.world.clock.move(2.0)
        self.worker(number).begin_sweep()
        self.step_newest(steps)

    @rule(number=numbers, fate=st.sampled_from(FATES))
    def fail(self, number: int, fate: str) -> None:
        """In half of the worlds no generation ends: each end hides what was wrong before it."""
        world, worker = self.world, self.worker(number)
        if self.calm and fate not in FATES[:2]:
            return
        if fate == "worker killed":
            world.replace(worker)
        elif fate == "subscription broken" and worker.channel is not None:
            worker.lose()
        elif fate == "all reset" and not worker.bus.away:
            worker.bus.reset("refresh", "")
        elif fate == "redis flushed":
            world.flush()
        elif fate == "redis restarted":
            world.restart(world.redis.dump())
        elif fate == "redis restored":
            world.restart(world.dump)

    @rule()
    def dump_redis(self) -> None:
        self.world.dump = self.world.redis.dump()

    @rule(number=numbers, away=st.booleans())
    def lose_or_find_redis(self, number: int, away: bool) -> None:
        workers = self.world.workers if number > 1 else [self.worker(number)]
        for worker in workers:
            worker.bus.away = away
            if number % 2:
                worker.compare()
                self.world.clock.move(1.5)
                worker.hear()

    @rule(by=numbers, number=numbers)
    def open_a_stream(self, by: int, number: int) -> None:
        self.browser(by).open(self.worker(number))

    @rule(by=numbers)
    def close_a_stream(self, by: int) -> None:
        self.browser(by).close()

    @rule(by=numbers, number=numbers, steps=st.integers(0, 40))
    def load_a_page(self, by: int, number: int, steps: int) -> None:
        self.browser(by).load(self.worker(number))
        self.step_newest(steps)

    @rule(by=numbers, most=st.integers(1, 4), then_close=st.booleans())
    def hear_frames(self, by: int, most: int, then_close: bool) -> None:
        browser = self.browser(by)
        for _ in range(most):
            browser.hear()
        if then_close:
            browser.close()

    @rule(by=numbers, number=numbers)
    def refetch(self, by: int, number: int) -> None:
        self.browser(by).refetch(self.worker(number))

    @rule(by=numbers, number=numbers, steps=st.integers(0, 8))
    def check(self, by: int, number: int, steps: int) -> None:
        self.browser(by).check(self.worker(number))
        self.step_newest(steps)

    @rule(
        event=events, by=numbers, number=numbers, steps=st.integers(0, 6), away=st.booleans(),
        barring=st.booleans(),
    )  # fmt: skip
    def ask_while_another_acts(
        self, event: Event, by: int, number: int, steps: int, away: bool, barring: bool
    ) -> None:
        """What is read, and what is told meanwhile, pass each other."""
        browser, other = self.browser(by), self.worker(number + 1)
        if barring:
            event = Event("barred", browser.user)
            self.world.replace(self.worker(number))
        worker = self.worker(number)
        worker.bus.away = away
        browser.check(worker)
        self.step_all(steps)
        asking = self.tasks.runnable
        if not (self.welcome and barring):
            self.world.write(other, event)
        self.go_on_but_for(asking)
        self.browser(by + 1).check(worker)
        for each in self.world.workers:
            self.spread(each)
        for everybody in self.world.browsers:
            while everybody.hear():
                pass
        self.tasks.run()
        browser.check(worker)
        self.tasks.run()

    @rule(event=events, by=numbers, number=numbers, most=st.integers(1, 2))
    def part_while_being_told(self, event: Event, by: int, number: int, most: int) -> None:
        browser = self.browser(by)
        while browser.hear():
            pass
        self.write(event, number, 5)
        self.step_newest(20)
        for worker in self.world.workers:
            self.spread(worker)
        for _ in range(most):
            browser.hear()
        browser.close()
        browser.open(self.worker(number))

    @rule(event=events, number=numbers)
    def act_and_lose_the_notice(self, event: Event, number: int) -> None:
        self.write(event, number, 5)
        self.step_newest(20)
        if channel := self.worker(number).channel:
            channel.pop()

    @rule(by=numbers, number=numbers, steps=st.integers(1, 6))
    def read_slowly(self, by: int, number: int, steps: int) -> None:
        """Another worker takes the lease, and sees what is committed and not yet published."""
        changed = Event("written", name=NAMES[-1])
        self.write(changed, number, 5)
        self.step_newest(20)
        self.browser(by).check(self.worker(number))
        self.step_all(steps)
        slow = self.tasks.runnable
        self.world.write(self.worker(number + 1), changed)
        self.step_newest(2)
        slow += self.tasks.runnable[-1:]
        self.world.clock.move(3.5)
        self.browser(by + 1).check(self.worker(number + 1))
        self.go_on_but_for(slow)

    @rule(video=videos, book=books, number=numbers, steps=st.integers(0, 3))
    def rename_while_another_links(self, video: int, book: str, number: int, steps: int) -> None:
        self.world.write(self.worker(number), Event("renamed", video))
        renaming = self.tasks.runnable[-1:]
        self.step_newest(steps)
        self.world.write(self.worker(number + 1), Event("linked", video, book))
        self.go_on_but_for(renaming)
        for worker in self.world.workers:
            self.spread(worker)
        for browser in self.world.browsers:
            while browser.hear():
                pass
            browser.refetch(self.worker(number))
        self.go_on_but_for(renaming)

    @rule(event=events, other=events, number=numbers, steps=st.integers(1, 4))
    def commit_out_of_order(self, event: Event, other: Event, number: int, steps: int) -> None:
        """Both die before they publish; the one that began last is swept first."""
        world = self.world
        first, second = self.worker(number), self.worker(number + 1)
        world.write(first, event)
        task = self.tasks.runnable[-1]
        world.write(second, other)
        self.step_newest(2)
        world.replace(second)
        world.clock.move(2.5)
        self.worker(number + 1).begin_sweep()
        self.step_newest(20)
        for _ in range(steps):
            if task.runnable:
                task.step()
        world.replace(first)

    @rule(event=events, by=numbers, number=numbers, fate=st.sampled_from(FATES))
    def act_before_a_failure(self, event: Event, by: int, number: int, fate: str) -> None:
        browser = self.browser(by)
        self.world.write(self.worker(number), event, browser)
        self.step_newest(20)
        self.fail(number, fate)
        browser.load(self.worker(number + 1))
        self.step_newest(20)

    @rule(event=events, by=numbers, number=numbers)
    def act_without_redis(self, event: Event, by: int, number: int) -> None:
        worker, browser = self.worker(number), self.browser(by)
        worker.bus.away = True
        self.world.write(worker, event, browser)
        self.step_newest(20)
        browser.load(self.worker(number + 1))
        self.step_newest(20)

    @rule(user=users, number=numbers)
    def turn_away_or_let_in(self, user: int, number: int) -> None:
        if self.welcome:
            return
        kind = "barred" if self.world.database.may_look(user) else "let in"
        self.world.write(self.worker(number), Event(kind, user))
        self.step_newest(20)
        for browser in self.world.browsers:
            browser.load(self.worker(number))
            self.step_newest(20)

    @rule()
    def settle(self) -> None:
        self.world.settle()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            if sys.exc_info()[0] is None:
                self.world.settle()
        finally:
            self.tasks.kill()

    @property
    def tasks(self) -> Tasks:
        return self.world.tasks

    def write(self, event: Event, number: int, by: int) -> None:
        browsers = self.world.browsers
        if self.welcome and event.kind == "barred":
            return
        self.world.write(self.worker(number), event, browsers[by] if by < len(browsers) else None)

    def step_newest(self, steps: int) -> None:
        for _ in range(steps):
            if runnable := self.tasks.runnable:
                runnable[-1].step()

    def step_all(self, rounds: int) -> None:
        for _ in range(rounds):
            for task in self.tasks.runnable:
                if task.runnable:
                    task.step()

    def go_on_but_for(self, left: list[Task]) -> None:
        while others := [task for task in self.tasks.runnable if task not in left]:
            others[0].step()

    def spread(self, worker: Worker) -> None:
        worker.hear()
        while worker.channel:
            worker.hear()
        worker.hub.fan_out()

    def worker(self, number: int) -> Worker:
        return self.world.workers[number % len(self.world.workers)]

    def browser(self, number: int) -> Browser:
        return self.world.browsers[number % len(self.world.browsers)]
