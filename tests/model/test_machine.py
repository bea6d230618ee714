"""The world as it is holds, and each planted mistake is found."""

import logging
from collections.abc import Collection, Iterator

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RULE_MARKER, run_state_machine_as_test

from tests.model.machine import Machine
from tests.model.mistakes import MISTAKES
from tests.model.world import Parts

HOLDS, FINDS = 150, 2000
"""Worlds that are tried: of the right kind, and at most to find a mistake."""


@pytest.fixture(autouse=True)
def an_app() -> Iterator[None]:
    """The cache releases the session of the request at hand, so there must be one."""
    logging.disable(logging.CRITICAL)
    with Flask(__name__).app_context():
        yield
    logging.disable(logging.NOTSET)


def drive(parts: Parts, worlds: int, among: Collection[str] = ()) -> None:
    """Try so many worlds, always the same ones; the first failure is raised as it is.

    With *among* only those of the machine's rules happen.
    """
    rules = {name: rule for name, rule in vars(Machine).items() if hasattr(rule, RULE_MARKER)}
    assert set(among) <= set(rules)
    left_out = {name: rules[name].__wrapped__ for name in rules if among and name not in among}
    machine = type("Driven", (Machine,), {"parts": parts, **left_out})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=worlds,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_nothing_is_lost_shown_backwards_or_read_without_a_cause() -> None:
    drive(Parts(), HOLDS)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(name: str) -> None:
    mistake = MISTAKES[name]

    with pytest.raises(AssertionError) as caught:
        drive(mistake.parts, FINDS, mistake.among)

    invariant, _, _ = str(caught.value).partition(":")
    assert invariant in mistake.caught_by, caught.value
