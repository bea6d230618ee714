"""The ledger finds what it is there to find: each fault is planted once."""

import pytest

from core.stamps import Stamp
from tests.faults.ledger import Ledger, State

KEY = "chapters:list:1"
BOUND_S = 5.0


def at(sequence: int, generation: str = "0123456789ab") -> Stamp:
    return Stamp(generation, sequence)


class Clock:
    """Tells the time that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(clock: Clock) -> Ledger:
    """One screen, two commits of one cell, both told and shown: nothing is wrong."""
    ledger = Ledger(clock)
    ledger.watches("screen", [KEY])
    ledger.show("screen", KEY, {"title": 0}, at(10))
    for value in (1, 2):
        commit(ledger, value, at(10 + value))
        ledger.tell("screen", KEY, at(9 + value), at(10 + value), "chapter-renamed")
        ledger.show("screen", KEY, {"title": value}, at(10 + value), at(10 + value))
    return ledger


def commit(
    ledger: Ledger,
    value: int,
    stamp: Stamp | None,
    state: State = State.COMMITTED,
    keys: tuple[str, ...] = (KEY,),
) -> None:
    ledger.end(ledger.send("title", value, keys), state, stamp)


def test_all_is_well_where_nothing_is_wrong(ledger: Ledger) -> None:
    assert ledger.is_settled()
    assert ledger.verdict(BOUND_S).faults == []


def test_a_commit_that_no_screen_shows_is_lost(ledger: Ledger) -> None:
    commit(ledger, 3, at(13))

    assert not ledger.is_settled()
    assert ledger.verdict(BOUND_S).lost == [
        f"screen shows title = 2 of {KEY}; 3 is committed",
    ]


def test_a_screen_that_never_showed_anything_has_lost_it(ledger: Ledger) -> None:
    ledger.watches("blank", [KEY])

    assert ledger.verdict(BOUND_S).lost == [f"blank shows title = 0 of {KEY}; 2 is committed"]


def test_a_value_below_one_that_was_shown_went_back(ledger: Ledger) -> None:
    ledger.show("screen", KEY, {"title": 1}, at(12))
    ledger.show("screen", KEY, {"title": 2}, at(12))

    assert ledger.verdict(BOUND_S).went_back == [f"screen: title of {KEY} from 2 to 1"]


def test_a_value_that_was_refused_or_never_written_is_invented(ledger: Ledger) -> None:
    commit(ledger, 3, None, State.REFUSED)
    ledger.show("screen", KEY, {"title": 3}, at(12))
    ledger.show("screen", KEY, {"title": 9}, at(12))

    assert ledger.verdict(BOUND_S).invented == [
        f"screen: title of {KEY} = 3, never committed",
        f"screen: title of {KEY} = 9, never committed",
    ]


def test_a_write_of_which_nobody_knows_may_be_shown_or_not(ledger: Ledger) -> None:
    commit(ledger, 3, None, State.UNKNOWN)
    assert ledger.verdict(BOUND_S).faults == []

    ledger.show("screen", KEY, {"title": 3}, at(12))
    assert ledger.verdict(BOUND_S).faults == []


def test_a_key_that_is_told_twice_is_extra(ledger: Ledger) -> None:
    ledger.tell("screen", KEY, at(12), at(13), "chapter-renamed")

    assert len(ledger.verdict(BOUND_S).extra) == 1


def test_a_key_that_the_screen_does_not_watch_is_extra(ledger: Ledger) -> None:
    commit(ledger, 3, at(13), keys=("courses:detail:1",))
    ledger.tell("screen", "courses:detail:1", at(12), at(13), "course-edited")

    assert ledger.verdict(BOUND_S).extra == [
        "screen was told of courses:detail:1, which it watches not"
    ]


def test_a_key_may_be_told_again_where_a_row_was_published_twice(ledger: Ledger) -> None:
    ledger.tell("screen", KEY, at(12), at(13), "chapter-renamed")
    ledger.repeated = 1
    assert ledger.verdict(BOUND_S).extra == []

    ledger.tell("screen", KEY, at(13), at(14), "chapter-renamed")
    assert len(ledger.verdict(BOUND_S).extra) == 2


def test_another_generation_is_a_cause_once(ledger: Ledger) -> None:
    new = at(1, "ba9876543210")
    ledger.show("screen", KEY, {"title": 2}, new)
    ledger.tell("screen", KEY, new, new, "reset")
    assert ledger.verdict(BOUND_S).faults == []

    ledger.tell("screen", KEY, new, at(2, "ba9876543210"), "reset")
    assert len(ledger.verdict(BOUND_S).extra) == 1


def test_a_notice_of_what_the_screen_shows_already_costs_nothing(ledger: Ledger) -> None:
    ledger.tell("screen", KEY, at(12), at(12), "chapter-renamed")

    assert ledger.verdict(BOUND_S).faults == []


def test_who_reconnects_before_it_has_read_may_be_told_again(ledger: Ledger) -> None:
    commit(ledger, 3, at(13))
    ledger.tell("screen", KEY, at(12), at(13), "chapter-renamed")
    ledger.tell("screen", KEY, at(12), at(13), "hello")
    ledger.show("screen", KEY, {"title": 3}, at(13), at(13))

    assert ledger.verdict(BOUND_S).faults == []


def test_an_answer_below_its_floor_is_found(ledger: Ledger) -> None:
    ledger.show("screen", KEY, {"title": 2}, at(12), at(14))

    assert len(ledger.verdict(BOUND_S).below_floor) == 1


def test_what_comes_after_the_bound_is_late(ledger: Ledger, clock: Clock) -> None:
    commit(ledger, 3, at(13))
    clock.now = 7.0
    ledger.show("screen", KEY, {"title": 3}, at(13))

    verdict = ledger.verdict(BOUND_S)
    assert verdict.late == [f"screen: title = 3 of {KEY} after 7.0 s"]
    assert verdict.slowest_s == 7.0


def test_a_namespace_names_its_keys(ledger: Ledger) -> None:
    commit(ledger, 3, at(13), keys=("chapters:list",))

    assert not ledger.is_settled()
