"""Write transactions: what an action emits becomes outbox rows in the same transaction."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flask import g, has_request_context
from sqlalchemy.orm import Session

from core.current import current_runtime
from core.database import now, reading, writing
from core.errors import CoursewireError
from core.events import Event
from core.explain.why import Named
from core.listeners import Origin
from core.outbox import OutboxEvent, OutboxReaction
from core.stamps import Stamp

if TYPE_CHECKING:
    from core.actions import Action
    from core.freshness.observation import Wrote
    from core.registry import Registry
    from core.runtime import Runtime


@dataclass(frozen=True)
class Undo:
    """What would take an action back: another action, as ``plugin/path-name``, and its body."""

    action: str
    arguments: dict[str, Any]


@dataclass
class Work:
    """One write transaction: what it emitted, and, once it has ended, what came of it.

    ``stale`` are the text forms of the keys that its events made stale. ``stamp`` is that of the
    last publication; ``None`` while anything is not yet published. ``before_commit`` runs once the
    outbox rows are written. ``by`` is who writes, as in “action 'chapters.link_media'”; then
    ``action`` is its label, and ``user_id`` whoever ran it. ``wrote`` is what, once committed,
    where that is observed; ``committed`` when, in seconds since the epoch.
    """

    trace: str = field(default_factory=lambda: secrets.token_hex(8))
    events: list[Event] = field(default_factory=list)
    message: str | None = None
    undo: Undo | None = None
    stale: tuple[str, ...] = ()
    stamp: Stamp | None = None
    before_commit: Callable[[], None] | None = None
    by: str = "a transaction of no action"
    action: str | None = None
    user_id: int | None = None
    committed: float | None = None
    wrote: "Wrote | None" = None


@dataclass(frozen=True)
class Owed:
    """An outbox row, read: ``event`` is ``None`` when no enabled plugin declares it any more.

    ``committed`` is when, in seconds since the epoch; ``named`` what the rules answered inside the
    transaction, where that is known still.
    """

    row_id: int
    event: Event | None
    keys: tuple[str, ...]
    trace: str
    cause: str = ""
    committed: float | None = None
    named: tuple[Named, ...] = ()

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


def undone_by(action: "Action[..., Any]", **arguments: Any) -> None:
    """Offer the user to take back what was done: *action* with these *arguments* does it.

    It runs when they ask for it, with its guard, in a transaction of its own, on what is there by
    then. Raises pydantic's `ValidationError` when *action* does not take the arguments.
    """
    body = action.body_type.model_validate(arguments).model_dump(mode="json")
    _work_at_hand("undone_by()").undo = Undo(f"{action.plugin}/{action.path_name}", body)


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
            _tell_listeners(runtime, work)
            owed = write_outbox(session, runtime, work)
            work.stale = tuple(dict.fromkeys(key for row in owed for key in row.keys))
            if work.before_commit is not None:
                work.before_commit()
    finally:
        g.pop("coursewire_work")
        g.coursewire_trace = work.trace
    work.committed = time.time()
    runtime.relay.publish_now(work, owed)
    runtime.freshness.committed(work)


def _tell_listeners(runtime: "Runtime", work: Work) -> None:
    """Tell every listener what was emitted so far, and nothing that listeners emit."""
    events = tuple(work.events)
    if events and runtime.registry.listeners:
        origin = Origin(
            work.user_id, work.action, work.by, work.trace, from_request=has_request_context()
        )
        for listener in runtime.registry.listeners:
            listener.function(events, origin)


def write_outbox(session: Session, runtime: "Runtime", work: Work) -> list[Owed]:
    """Turn what *work* emitted into rows: one per event, and one per (event, reaction)."""
    session.flush()
    rows, named = [], []
    for event in work.events:
        payload = event.model_dump(mode="json")
        named.append(answers_to(runtime.registry, event))
        rows.append(
            OutboxEvent(
                event=event.wire_name,
                payload=payload,
                keys=_keys(named[-1]),
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
        Owed(row.id, event, tuple(row.keys), row.trace, named=answers)
        for row, event, answers in zip(rows, work.events, named, strict=True)
    ]


def answers_to(registry: "Registry", event: Event) -> tuple[Named, ...]:
    """What each rule says that *event* makes stale, in the view of the transaction at hand."""
    return tuple(source.answer(event) for source in registry.sources_of(type(event)))


def answers_by_name(registry: "Registry", event: Event) -> tuple[Named, ...]:
    """The same of the rules that need no function, and so no transaction."""
    sources = registry.sources_of(type(event))
    return tuple(source.answer(event) for source in sources if not source.in_code)


def keys_of(registry: "Registry", event: Event) -> list[str]:
    """The text forms that *event* makes stale, in the view of the transaction at hand."""
    return _keys(answers_to(registry, event))


def answers_seen_after(
    registry: "Registry", events: Sequence[Event | None]
) -> list[tuple[Named, ...]]:
    """For each event, what its handlers in code say in a transaction begun now.

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
        return [() for _ in events]
    with reading():
        return [tuple(source.answer(event) for source, event in own) for own in sources]


def _keys(answers: Iterable[Named]) -> list[str]:
    return list(dict.fromkeys(key for answer in answers for key in answer.keys))


def _work_at_hand(what: str) -> Work:
    work: Work | None = g.get("coursewire_work")
    if work is None:
        raise CoursewireError(
            f"{what} was called outside a write transaction. Call it in an action, or inside "
            "`with transaction():`."
        )
    return work
