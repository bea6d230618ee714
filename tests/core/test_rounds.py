"""Rounds: what plugins do every few seconds in each worker."""

import logging
import time

import pytest
from flask import Flask

from core import Plugin
from core.rounds import ROUND_S, Round, Rounds


def test_a_round_that_fails_is_told_once_and_hinders_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ran: list[str] = []
    broken = [True]

    def fails() -> None:
        if broken[0]:
            raise RuntimeError("No")
        ran.append("mended")

    def works() -> None:
        ran.append("works")

    rounds = Rounds(Flask("test"), [Round("notes", fails), Round("notes", works)])

    with caplog.at_level(logging.ERROR, "coursewire.rounds"):
        rounds.run()
        rounds.run()
        broken[0] = False
        rounds.run()
        broken[0] = True
        rounds.run()

    told = [record.getMessage() for record in caplog.records]
    assert told == ["Round notes.fails failed; it comes again"] * 2
    assert ran == ["works", "works", "mended", "works", "works"]


def test_a_plugin_declares_its_rounds_and_none_after_the_start() -> None:
    plugin = Plugin("ticking", __name__)

    @plugin.round
    def tick() -> None:
        """Nothing to do."""

    plugin.freeze()

    assert [each.label for each in plugin.rounds] == ["ticking.tick"]
    with pytest.raises(Exception, match="was registered after the app had started"):
        plugin.round(tick)


def test_they_end_without_waiting_for_the_next_round() -> None:
    rounds = Rounds(Flask("test"), [Round("notes", lambda: None)])
    rounds.start()
    began = time.monotonic()

    rounds.stop()

    assert time.monotonic() - began < ROUND_S / 2
