"""The database, as far as staleness cares: what every key shows, the outbox, and who may look.

What a key shows is the number of writes that changed it, so that two answers can be compared, and
every answer with the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core import Me, Plugin, public
from core.keys import access_key, prefixes
from core.queries import Key

plugin = Plugin("shop", __name__)


@plugin.query("book", guard=public)
def _book(book_id: int, page: int = 1) -> int:
    return book_id * page


@plugin.query("mine", guard=public)
def _mine(me: Me) -> int:
    return me.user_id


USERS = (1, 2)
SHARED = (_book.key(1), _book.key(2), _book.key(1, page=2))
OWN = {user: _mine.key(user) for user in USERS}
KEYS: dict[str, Key] = {key.text: key for key in (*SHARED, *OWN.values())}
NAMES = ("shop:book:1", "shop:book:2", "shop:book", "shop:mine:1", "shop")
"""What a write may name: a key, or a prefix of several."""


def depends_on(text: str) -> tuple[str, ...]:
    """The keys whose change changes what *text* shows: one user's shows what they may do."""
    owner_id = KEYS[text].owner_id if text in KEYS else None
    return (text,) if owner_id is None else (text, access_key(owner_id))


def is_named(text: str, names: Sequence[str]) -> bool:
    """Whether *names* hold *text* or a prefix of it."""
    return any(prefix in names for prefix in prefixes(text))


@dataclass(frozen=True)
class Event:
    """What an action did.

    ``written``: changed what ``name`` names. ``linked``: put the video ``number`` into the book
    ``name``. ``renamed``: changed the video ``number``, and so each book that has it; which those
    are, only a look into the database says. ``promoted``: gave the user ``number`` another role,
    which also shows in ``name``.
    ``barred`` and ``let in``: took or gave the user ``number`` all access.
    """

    kind: str
    number: int = 0
    name: str = ""


@dataclass
class Row:
    """An event that is to be published; ``keys`` as the handlers named them before the commit."""

    number: int
    event: Event
    keys: tuple[str, ...]
    created_at: datetime
    due_at: datetime


class Database:
    """All that is committed; ``moment`` counts the commits."""

    def __init__(self) -> None:
        self.moment = 0
        self.rows: dict[int, Row] = {}
        self._changes: dict[str, list[int]] = {text: [] for text in KEYS}
        self._links: set[tuple[int, str]] = set()
        self._doors: dict[int, list[int]] = {user: [] for user in USERS}
        self._last_number = 0

    def version(self, text: str, moment: int | None = None) -> int:
        """What the key shows, now or at an earlier *moment*."""
        changes = self._changes[text]
        if moment is None:
            return len(changes)
        return sum(1 for changed in changes if changed <= moment)

    @property
    def truth(self) -> dict[str, int]:
        """What every key shows now; of access keys, how often access was taken or given."""
        shown = {text: len(changes) for text, changes in self._changes.items()}
        return shown | {access_key(user): len(turns) for user, turns in self._doors.items()}

    def may_look(self, user: int) -> bool:
        """Whether the user has access."""
        return len(self._doors[user]) % 2 == 0

    def door(self, user: int) -> int:
        """How often the user's access was taken or given."""
        return len(self._doors[user])

    def begin(self) -> int:
        """A row's id, given when it is written; others may commit before it does."""
        self._last_number += 1
        return self._last_number

    def look(self, event: Event) -> tuple[str, ...]:
        """The keys that *event* makes stale, as far as is committed now."""
        if event.kind in {"promoted", "barred"}:
            names = (access_key(event.number), event.name)
            return tuple(name for name in names if name)
        if event.kind == "renamed":
            return tuple(sorted(name for video, name in self._links if video == event.number))
        return (event.name,) if event.name else ()

    def commit(self, number: int, event: Event, keys: tuple[str, ...], now: datetime) -> Row:
        """Make *event* true, and owe its publication."""
        self.moment += 1
        if event.kind == "linked":
            self._links.add((event.number, event.name))
        if event.kind in {"barred", "let in"} and self._would_turn(event):
            self._doors[event.number].append(self.moment)
        for text in self._changed_by(event):
            self._changes[text].append(self.moment)
        row = Row(number, event, keys, now, now + timedelta(seconds=2))
        self.rows[number] = row
        return row

    def owes(self, since: datetime) -> bool:
        """Whether anything committed before then is not published yet."""
        return any(row.created_at <= since for row in self.rows.values())

    def claim(self, now: datetime) -> list[Row]:
        """The rows that are present and due, which are nobody else's for a while."""
        due = [row for row in self.rows.values() if row.due_at <= now]
        for row in due:
            row.due_at = now + timedelta(seconds=5)
        return sorted(due, key=lambda row: row.number)

    def delete(self, number: int) -> None:
        """It is published."""
        self.rows.pop(number, None)

    def _would_turn(self, event: Event) -> bool:
        return self.may_look(event.number) == (event.kind == "barred")

    def _changed_by(self, event: Event) -> list[str]:
        if event.kind == "promoted":
            named = [text for text in KEYS if is_named(text, (event.name,))]
            return [OWN[event.number].text, *named]
        names = self.look(event) if event.kind in {"written", "linked", "renamed"} else ()
        return [text for text in KEYS if is_named(text, names)]
