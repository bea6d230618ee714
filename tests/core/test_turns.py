"""Turns: how long a loop runs, and how long it lets the others run."""

import pytest

from core.turns import Turn


class Others:
    """A clock, and what others do during each pause: so many seconds of work."""

    def __init__(self, *work_s: float) -> None:
        self.now = 100.0
        self.pauses: list[float] = []
        self._work_s = list(work_s)

    def clock(self) -> float:
        return self.now

    def sleep(self, wait_s: float) -> None:
        self.pauses.append(wait_s)
        self.now += wait_s + (self._work_s.pop(0) if self._work_s else 0.0)

    def turn(self) -> Turn:
        turn = Turn(self.clock, self.sleep)
        turn.begin()
        return turn


def test_a_turn_that_is_not_over_is_not_interrupted() -> None:
    others = Others()
    turn = others.turn()
    others.now += 0.002

    turn.end_when_due()

    assert others.pauses == []


def test_when_nobody_has_anything_to_do_the_pause_is_short() -> None:
    others = Others()
    turn = others.turn()
    others.now += 0.0031

    turn.end_when_due()

    assert len(others.pauses) == 1
    assert others.now == pytest.approx(100.0031, abs=1e-5)


def test_who_waits_for_redis_several_times_is_done_within_one_pause() -> None:
    others = Others(0.0004, 0.0003, 0.0003, 0.0004)
    turn = others.turn()
    others.now += 0.0031

    turn.end_when_due()

    assert len(others.pauses) == 6, "four steps, and two looks that found nobody"


def test_others_who_never_end_have_enough_at_some_time() -> None:
    others = Others(*[0.001] * 1_000)
    turn = others.turn()
    others.now += 0.0031

    turn.end_when_due()

    assert others.now - 100.0031 < 0.008


def test_after_a_view_that_computed_the_turn_is_as_long_as_its_own() -> None:
    others = Others(0.015)
    turn = others.turn()
    others.now += 0.0031
    turn.end_when_due()
    assert len(others.pauses) == 1

    others.now += 0.0149
    turn.end_when_due()
    assert len(others.pauses) == 1

    others.now += 0.0002
    turn.end_when_due()
    assert len(others.pauses) == 2


def test_a_view_that_computes_for_a_second_gives_no_turn_of_a_second() -> None:
    others = Others(1.0)
    turn = others.turn()
    others.now += 0.0031
    turn.end_when_due()

    others.now += 0.0201
    turn.end_when_due()

    assert len(others.pauses) == 2
