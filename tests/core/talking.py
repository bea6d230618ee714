"""A plugin that says in its log, and in its errors, what nobody but the users may read."""

import logging

from flask import abort

from core import CoursewireError, Event, Plugin, emit, public

plugin = Plugin("talking", __name__)
log = logging.getLogger(__name__)


@plugin.event
class Whispered(Event):
    """Somebody whispered a secret."""

    secret: str


@plugin.query("list", guard=public, constant=True)
def talking_list(room: str) -> list[str]:
    """What is heard in a room: nothing."""
    return [room]


@plugin.action(guard=public)
def whisper(secret: str) -> None:
    """Log that there is one; what follows, fails."""
    log.info("somebody at %s whispers", "ada@example.test")
    emit(Whispered(secret=secret))


@plugin.action(guard=public)
def shout(secret: str) -> None:
    """Fail at once."""
    raise CoursewireError(
        f"GET /talking?token={secret} was refused\nCookie: session={secret}\n"
        f"redis://:{secret}@127.0.0.1 has no ada@example.test"
    )


@plugin.on(Whispered)
def hear(event: Whispered) -> None:
    """Fail later."""
    Whispered.model_validate({"secret": [event.secret]})


@plugin.get("/talking/<token>")
def talk(token: str) -> str:
    """A page whose address is secret."""
    abort(410, token)
