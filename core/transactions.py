"""Write transactions: what an action emits becomes outbox rows in the same transaction."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from flask import g
from sqlalchemy.orm import Session

from core.current import current_runtime
from core.database import now, reading, writing
from core.errors import CoursewireError
from core.events import Event
from core.outbox import OutboxEvent, OutboxReaction
from core.stamps import Stamp

if TYPE_CHECKING:
    from core.freshness.observation import Wrote
    from core.registry import Registry
    from core.runtime import Runtime


@dataclass
class Work:
    """One write transaction: what it emitted, and, once it has ended, what came of it.

    ``stale`` are the text forms of the keys that its events made stale. ``stamp`` is that of the
    last publication; ``None`` while anything is not yet published. ``before_commit`` runs once the
    outbox rows are written. ``by`` is who writes, as in “action 'chapters.link_media'”, and
    ``wrote`` what, once committed, where that is observed.
    """

    trace: str = field(default_factory=lambda: secrets.token_hex(8))
    events: list[Event] = field(default_factory=list)
    message: str | None = None
    stale: tuple[str, ...] = ()
    stamp: Stamp | None = None
    before_commit: Callable[[], None] | None = None
    by: str = "a transaction of no action"
    wrote: "Wrote | None" = None


@dataclass(frozen=True)
class Owed:
    """An outbox row, read: ``event`` is ``None`` when no enabled plugin declares it any more."""

    row_id: int
    event: Event | None
    keys: tuple[str, ...]
    trace: str
    cause: str = ""

    @property
    def name(self) -> str:
        """The wire name of its event."""
        return self.event.wire_name if self.event is not None else self.cause


def emit(event: Event) -> None:
    """State the fact *event*, inside the transaction at hand; a rolled-back one publishes nothing.

    Raises `CoursewireError` outside a write transaction, and for an event of no enabled plugin.
    """
    work = _work_at_hand(f"emit({type(event).__name__})")
    if current_runtime().registry.events.get(event.wire_name) is not type(event):
        raise CoursewireError(
            f"{type(event).__name__} is declared by no enabled plugin. "
            "Put @plugin.event before the class."
        )
    work.events.append(event)


def say(message: str) -> None:
    """The sentence that tells the user what the action did: “2 videos added to Basics.”"""
    _work_at_hand("say()").message = message


@contextmanager
def transaction(*, at_first_use: bool = False) -> Iterator[Work]:
    """A write transaction for code outside actions (commands, demonstration data, tests).

    At the exit it commits, and then publishes what was emitted; an exception rolls it back and
    publishes nothing. Transactions do not nest. *at_first_use*: see `core.database.writing`.
    """
    if "coursewire_work" in g:
        raise CoursewireError("A write transaction is open already; use that one.")
    runtime = current_runtime()
    work = g.coursewire_work = Work()
    try:
        with writing(at_first_use=at_first_use) as session:
            yield work
            owed = write_outbox(session, runtime, work)
            work.stale = tuple(dict.fromkeys(key for row in owed for key in row.keys))
            if work.before_commit is not None:
                work.before_commit()
    finally:
        g.pop("coursewire_work")
    runtime.relay.publish_now(work, owed)
    runtime.freshness.committed(work)


def write_outbox(session: Session, runtime: "Runtime", work: Work) -> list[Owed]:
    """Turn what *work* emitted into rows: one per event, and one per (event, reaction)."""
    session.flush()
    rows = []
    for event in work.events:
        payload = event.model_dump(mode="json")
        rows.append(
            OutboxEvent(
                event=event.wire_name,
                payload=payload,
                keys=keys_of(runtime.registry, event),
                trace=work.trace,
                due_at=now() + timedelta(seconds=runtime.settings.outbox_age_s),
            )
        )
        session.add_all(
            OutboxReaction(
                reaction=reaction.label, event=event.wire_name, payload=payload, trace=work.trace
            )
            for reaction in runtime.registry.reactions_to(type(event))
        )
    session.add_all(rows)
    session.flush()
    return [
        Owed(row.id, event, tuple(row.keys), row.trace)
        for row, event in zip(rows, work.events, strict=True)
    ]


def keys_of(registry: "Registry", event: Event) -> list[str]:
    """The text forms that *event* makes stale, in the view of the transaction at hand."""
    found = {key: None for source in registry.sources_of(type(event)) for key in source.keys(event)}
    return list(found)


def keys_seen_after(registry: "Registry", events: Sequence[Event | None]) -> list[list[str]]:
    """For each event, the keys that its handlers in code name in a transaction begun now.

    ::

        rename          BEGIN ── who uses the video? nobody ──────────── COMMIT
        link (other)            BEGIN ── link ── COMMIT
        this one                                                                 who uses it? B

    Inside the renaming transaction the link is not there yet, and the link's own notice may be
    older than the rename: only a look after the commit names course B.
    """
    sources = [
        [(source, event) for source in registry.sources_of(type(event)) if source.in_code]
        if event is not None
        else []
        for event in events
    ]
    if not any(sources):
        return [[] for _ in events]
    with reading():
        return [[key for source, event in own for key in source.keys(event)] for own in sources]


def _work_at_hand(what: str) -> Work:
    work: Work | None = g.get("coursewire_work")
    if work is None:
        raise CoursewireError(
            f"{what} was called outside a write transaction. Call it in an action, or inside "
            "`with transaction():`."
        )
    return work
