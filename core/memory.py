"""What a worker remembers of sessions, guards' answers and bodies, under the rule of stamps.

Whatever may change what a user may see names the user's access key, ``access:<user id>``: a role
changed, a session ended, an account disabled. So one rule serves all: what was read at stamp *s*
holds while the hub has heard of no notice after *s* that names a key it depends on. While Redis is
away nothing holds, and the database is asked.

What was remembered before Redis was away is forgotten: a change that could not be published then
changed no number yet, so that an old stamp looks current when Redis is back.

Sessions and guards' answers are told to the other workers (`core.shared`); bodies reach them by way
of `core.cache`.

A refusal is never remembered, so a guard need not hear of what gives access, only of what takes it
away. An action's guard never asks here: it decides inside the action's own transaction.
"""

import json
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Any

from core.access import Access, Me
from core.bodies import Bodies
from core.guards import Guard
from core.hub import Hub
from core.keys import Scalar
from core.shared import Shared, SharedShelf, Spelling
from core.shelves import Shelf

MOST_SESSIONS = 10_000
MOST_ANSWERS = 100_000

Question = tuple[Guard, tuple[int, bool], tuple[Scalar, ...]]
"""A guard, the user and whether they are staff, and the values of the guard's parameters."""


class Memory:
    """What one worker remembers: sessions (by `session_name`), guards' answers, and bodies."""

    def __init__(self, hub: Hub, shared: Shared, most_bytes: int) -> None:
        self.sessions = SharedShelf(hub, MOST_SESSIONS, shared, _SESSIONS)
        self.answers = SharedShelf(hub, MOST_ANSWERS, shared, _ANSWERS)
        self.bodies: Shelf[Bodies] = Shelf(hub, most_bytes)


def session_name(token: str) -> bytes:
    """What is kept of a session's token: a dump of the memory signs nobody in."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def _write_me(me: Me) -> dict[str, Any]:
    seen_at = me.seen_at and me.seen_at.isoformat()
    return {**asdict(me), "expires_at": me.expires_at.isoformat(), "seen_at": seen_at}


def _read_me(written: dict[str, Any]) -> Me:
    seen_at = written["seen_at"] and datetime.fromisoformat(written["seen_at"])
    expires_at = datetime.fromisoformat(written["expires_at"])
    return Me(**{**written, "expires_at": expires_at, "seen_at": seen_at})


def _name_question(question: Question) -> str:
    guard, user, asked = question
    return json.dumps([guard.name, user, asked])


_SESSIONS: Spelling[Me] = Spelling("session", bytes.hex, _write_me, _read_me)
_ANSWERS: Spelling[Access] = Spelling("answer", _name_question, int, Access)
