"""Who shares whose answer, and that it is never older than the question."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from core.flights import Flights
from tests.servers import wait_until


class Place:
    """A thing to be read, whose reads stand still until the test lets them end."""

    def __init__(self) -> None:
        self.flights: Flights[int] = Flights()
        self.begun = 0
        self.running = 0
        self.most_at_once = 0
        self.may_end = threading.Semaphore(0)
        self.fails = False

    def read(self) -> int:
        self.begun += 1
        number = self.begun
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        assert self.may_end.acquire(timeout=30)
        self.running -= 1
        if self.fails:
            raise ValueError("no such thing")
        return number

    def ask(self) -> int:
        return self.flights.share("thing", self.read)

    @property
    def waiting(self) -> int:
        """How many flights there are that have not landed."""
        last = self.flights._last.get("thing")
        return 0 if last is None else 1 + (last.before is not None)


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def submit() -> Iterator[Callable[[Callable[[], int]], Future[int]]]:
    with ThreadPoolExecutor(20) as pool:
        yield pool.submit


Submit = Callable[[Callable[[], int]], "Future[int]"]


def begin(place: Place, submit: Submit) -> Future[int]:
    """A first one, whose read has begun."""
    first = submit(place.ask)
    wait_until(lambda: place.begun == 1, "read")
    return first


def test_those_who_ask_while_a_read_runs_share_the_next_one(place: Place, submit: Submit) -> None:
    first = begin(place, submit)
    others = [submit(place.ask) for _ in range(10)]
    wait_until(lambda: place.waiting == 2, "second flight")
    place.may_end.release()
    assert first.result(30) == 1

    place.may_end.release()
    place.may_end.release()  # for one who came late on a slow machine

    answers = {other.result(30) for other in others}
    assert min(answers) > 1
    assert len(answers) < len(others)
    assert place.most_at_once == 1


def test_nobody_shares_a_read_that_began_before_they_asked(place: Place, submit: Submit) -> None:
    first = begin(place, submit)
    second = submit(place.ask)
    place.may_end.release(2)

    assert (first.result(30), second.result(30)) == (1, 2)


def test_an_error_is_shared_and_the_next_one_reads_again(place: Place, submit: Submit) -> None:
    place.fails = True
    first = begin(place, submit)
    place.may_end.release()

    with pytest.raises(ValueError, match="no such thing"):
        first.result(30)
    place.fails = False
    place.may_end.release()
    assert place.ask() == 2


class Killed(BaseException):
    """As gevent ends a greenlet."""


def test_those_who_waited_for_one_who_was_killed_ask_again(place: Place, submit: Submit) -> None:
    first = begin(place, submit)
    killing = threading.Event()

    def die() -> int:
        assert killing.wait(30)
        raise Killed

    doomed = submit(lambda: place.flights.share("thing", die))
    wait_until(lambda: place.waiting == 2, "second flight")
    passenger = submit(place.ask)
    place.may_end.release()
    assert first.result(30) == 1
    killing.set()
    place.may_end.release()

    assert passenger.result(30) == 2
    with pytest.raises(Killed):
        doomed.result(30)


def test_different_things_do_not_wait_for_each_other(place: Place, submit: Submit) -> None:
    first = begin(place, submit)

    assert place.flights.share("another", lambda: 7) == 7

    place.may_end.release()
    first.result(30)


def test_nothing_is_left_behind(place: Place) -> None:
    place.may_end.release()
    place.ask()

    assert place.flights._last == {}
