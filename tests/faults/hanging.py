"""The app with one plugin more, whose reactions misbehave: one hangs, one raises, one is well."""

import os
import time
from pathlib import Path

from core import Event, Plugin, create_app, emit, public

plugin = Plugin("hanging", __name__)


@plugin.event
class Poked(Event):
    """Somebody poked it."""

    number: int


@plugin.action(guard=public)
def poke(number: int) -> None:
    """Poke it."""
    emit(Poked(number=number))


@plugin.on(Poked)
def hang(event: Poked) -> None:
    """Wait for somebody who never comes."""
    _note("hang", event)
    time.sleep(3600)


@plugin.on(Poked)
def fail(event: Poked) -> None:
    """Raise."""
    raise RuntimeError(f"poked {event.number} times")


@plugin.on(Poked)
def note(event: Poked) -> None:
    """Do what is to be done."""
    _note("note", event)


def _note(what: str, event: Poked) -> None:
    with Path(os.environ["POKED"]).open("a") as file:
        file.write(f"{what} {event.number}\n")


app = create_app(plugins=[plugin])
