"""Requests and background work as greenlets that one test runs step by step, in any order.

No thread, no real time: what waits for a moment waits for the clock to be moved, and what waits for
another is gone on with once that has happened. So every interleaving can be had, and had again.
"""

from collections.abc import Callable
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from typing import Any

import greenlet

from core.clock import Clock

_LONGEST = 10_000


class Task:
    """Something under way in one worker."""

    def __init__(self, tasks: "Tasks", owner: object, work: Callable[[], None]) -> None:
        self.owner = owner
        self.until: Callable[[], bool] | None = None
        self.wakes_at: float | None = None
        self._tasks = tasks
        self._greenlet = greenlet.greenlet(work)
        self._greenlet.gr_context = copy_context()

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._greenlet.dead

    @property
    def runnable(self) -> bool:
        """Whether it can go on now."""
        return not self.ended and (self.until is None or self.until())

    def step(self) -> None:
        """Go on to the next pause."""
        self.until = self.wakes_at = None
        self._greenlet.switch()

    def kill(self) -> None:
        """End it where it stands, as ``kill -9`` does."""
        if self._greenlet:
            self._greenlet.throw(greenlet.GreenletExit)


class Tasks:
    """All that is under way anywhere."""

    def __init__(self) -> None:
        self._all: list[Task] = []
        self._home = greenlet.getcurrent()

    def spawn(self, owner: object, work: Callable[[], None]) -> Task:
        """Begin *work*, up to its first pause."""
        task = Task(self, owner, work)
        self._all.append(task)
        task.step()
        return task

    @property
    def runnable(self) -> list[Task]:
        """Those that can go on, the oldest first."""
        self._all = [task for task in self._all if not task.ended]
        return [task for task in self._all if task.runnable]

    @property
    def wakes_at(self) -> float | None:
        """The next moment that somebody waits for."""
        moments = [task.wakes_at for task in self._all if task.wakes_at and not task.ended]
        return min(moments, default=None)

    def of(self, owner: object) -> list[Task]:
        """Those of one worker."""
        return [task for task in self._all if task.owner is owner and not task.ended]

    def pause(self) -> None:
        """Let others go first; outside of a task, nothing."""
        if greenlet.getcurrent() is not self._home:
            self._home.switch()

    def wait(self, until: Callable[[], bool], wakes_at: float | None = None) -> None:
        """Let others go first until that holds."""
        if until():
            return
        current = greenlet.getcurrent()
        assert current is not self._home, "nobody is there to make that happen"
        (task,) = [task for task in self._all if task._greenlet is current]
        task.until, task.wakes_at = until, wakes_at
        self._home.switch()

    def run(self) -> None:
        """Go on with everything until nothing can."""
        for _ in range(_LONGEST):
            ready = self.runnable
            if not ready:
                return
            for task in ready:
                if task.runnable:
                    task.step()
        raise AssertionError("it never comes to an end")

    def kill(self, owner: object = None) -> None:
        """End what is under way in one worker, or anywhere."""
        for task in list(self._all):
            if owner is None or task.owner is owner:
                task.kill()
        self._all = [task for task in self._all if not task.ended]


class ModelEvent:
    """Something that others wait for."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._is_set = False

    def set(self) -> None:
        """It has happened."""
        self._is_set = True

    def wait(self) -> Any:
        """Returns once it has happened."""
        self._tasks.wait(lambda: self._is_set)


class ModelClock(Clock):
    """A clock that the test moves."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._now_s = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self._now_s

    def now(self) -> datetime:
        """The wall clock, which agrees."""
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._now_s)

    def move(self, duration_s: float) -> None:
        """Let time pass."""
        self._now_s += duration_s

    def sleep(self, duration_s: float) -> None:
        """Wait for the test to let so much time pass."""
        ends_at = self._now_s + duration_s
        self._tasks.wait(lambda: self._now_s >= ends_at, ends_at)

    def event(self) -> ModelEvent:
        """Something that has not happened yet."""
        return ModelEvent(self._tasks)
