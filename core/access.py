"""Who is asking, and how much a guard grants them."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from flask import g

from core.current import current_runtime


class Access(IntEnum):
    """What a user may do with a key; a higher grant includes the lower ones."""

    NONE = 0
    VIEW = 1
    EDIT = 2


@dataclass(frozen=True, slots=True)
class Me:
    """The signed-in user, as plain values: no ORM object outlives the read it came from.

    ``seen_at`` is when the session was last used, as far as its worker remembers.
    """

    user_id: int
    name: str
    email: str
    staff: bool
    session_id: int
    expires_at: datetime
    seen_at: datetime | None = None


def current_me() -> Me | None:
    """Who sent this request; ``None`` when nobody is signed in.

    Asked once per request of the plugin that registered ``@plugin.identity``.
    """
    if "coursewire_me" not in g:
        g.coursewire_me = current_runtime().identify()
    me: Me | None = g.coursewire_me
    return me
