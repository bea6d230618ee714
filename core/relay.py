"""The relay: from the outbox to the bus, and from the outbox to the reactions.

The request that committed publishes its own rows at once. Whatever it could not (Redis away, the
process killed), a sweeper in every worker takes once the row is due. Two sweepers at once publish
at least once, which harms nothing: a key named twice is refetched once more, or answered with 304.

It reads the rows that are present, never "id above the last": identifiers become visible out of
order. Nobody waits for Redis while holding a database connection: rows are claimed in one short
transaction, published outside of any, and deleted in another.
"""

import logging
import random
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from flask import Flask
from pydantic import ValidationError
from sqlalchemy import bindparam, delete, exists, select, update
from sqlalchemy.exc import SQLAlchemyError

from core.bus import Notice
from core.database import UtcDateTime, db, now, reading, writing
from core.errors import BusUnavailable, CoursewireError
from core.events import Event
from core.outbox import ActionAnswer, OutboxEvent, OutboxReaction
from core.reactions import Reaction, limited
from core.stamps import Stamp
from core.transactions import Owed, Work, keys_seen_after, transaction

if TYPE_CHECKING:
    from core.runtime import Runtime

log = logging.getLogger("coursewire.relay")

_CLAIM_S = 5.0
_REACTION_CLAIM_S = 30.0
"""How long a reaction is left to the worker that claimed it, beyond the time it may run."""
_STOP_S = 5.0
_BATCH = 100
_ATTEMPTS = 5
_REACTION_ATTEMPTS = 12
_LONGEST_WAIT_S = 600
_ANSWERS_KEPT = timedelta(hours=24)

_MOMENT = bindparam("moment", type_=UtcDateTime())
_DUE = select(
    exists().where(OutboxEvent.parked_at.is_(None), OutboxEvent.due_at <= _MOMENT),
    exists().where(OutboxReaction.parked_at.is_(None), OutboxReaction.due_at <= _MOMENT),
)


class Relay:
    """Publishes what is owed, and runs the reactions; one per worker."""

    def __init__(self, app: Flask, runtime: "Runtime") -> None:
        self._app = app
        self._runtime = runtime
        self._stopping = threading.Event()
        self._nudge = threading.Event()
        # A reaction holds a database connection; half of the worker's stay with the requests.
        self._slots = threading.BoundedSemaphore(max(1, runtime.settings.database_pool_size // 2))
        self._running: dict[str, threading.Thread] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to sweep, in the background."""
        self._thread = threading.Thread(target=self._sweep_for_ever, name="coursewire-relay")
        self._thread.daemon = True
        self._thread.start()

    def stop(self) -> None:
        """Stop sweeping; returns when the round at hand has ended, and the reactions that run, or
        after five seconds. What has not ended by then runs again in another worker.
        """
        self._stopping.set()
        self._nudge.set()
        until = time.monotonic() + _STOP_S
        if self._thread is not None:
            self._thread.join(timeout=_STOP_S)
        for run in list(self._running.values()):
            if run.is_alive():
                run.join(timeout=max(0.0, until - time.monotonic()))

    def publish_now(self, work: Work, owed: Sequence[Owed]) -> None:
        """Publish the rows that *work* just committed, and note in it what came of that.

        Never raises because of Redis or of the second look: the rows stay for the sweeper, and
        ``work.stamp`` stays ``None``.
        """
        if not owed:
            work.stamp = self._runtime.read_stamp()
            return
        try:
            later = keys_seen_after(self._runtime.registry, [row.event for row in owed])
            work.stale = tuple(dict.fromkeys([*work.stale, *(k for keys in later for k in keys)]))
            stamp = None
            for row, keys in zip(owed, later, strict=True):
                stamp = self._publish(row, keys, patient=False)
            work.stamp = stamp
            self._delete([row.row_id for row in owed])
        except BusUnavailable as error:
            log.info("Not published yet, the sweeper will: %s (trace %s)", error, work.trace)
            self._runtime.hub.owe()
            self._runtime.hub.doubt()
        except Exception:
            self._runtime.hub.owe()
            # The action is committed: its answer must not depend on what comes after.
            log.exception("Not published yet, the sweeper will try (trace %s)", work.trace)
        finally:
            self._nudge.set()

    def sweep(self) -> int:
        """Publish every due row; returns how many were published. Needs an app context."""
        published = 0
        while not self._stopping.is_set() and self._redis_answers():
            claimed = self._claim()
            done = self._publish_claimed(claimed)
            published += len(done)
            if done:
                self._delete(done)
            if len(claimed) < _BATCH or not done:
                break
        return published

    def owes(self, since: datetime) -> bool:
        """Whether an event committed before *since* is not published yet, or nobody can tell."""
        owed = OutboxEvent.parked_at.is_(None) & (OutboxEvent.created_at <= since)
        try:
            with self._app.app_context(), reading() as session:
                return session.scalar(select(OutboxEvent.id).where(owed).limit(1)) is not None
        except SQLAlchemyError:
            return True

    def _publish_claimed(self, claimed: Sequence[Owed]) -> list[int]:
        """Publish what can be; the ids of the rows that were."""
        done = []
        for row in claimed:
            try:
                later = keys_seen_after(self._runtime.registry, [row.event])
                self._publish(row, later[0], patient=True)
            except BusUnavailable as error:
                if not error.refused:
                    break
                self._failed(row, error)
            except Exception as error:  # noqa: BLE001  logged, and parked in the end
                self._failed(row, error)
            else:
                done.append(row.row_id)
        return done

    def react(self) -> list[threading.Thread]:
        """Start the due reactions that have a slot, each in a thread and transaction of its own.

        It never waits for a slot, so reactions that hang do not hold up what is to be published.
        One function runs once at a time in this worker, so one that hangs takes one slot.
        """
        runs = []
        while not self._stopping.is_set() and self._slots.acquire(blocking=False):
            run = None
            try:
                run = self._claim_reaction()
            finally:
                if run is None:
                    self._slots.release()
            if run is None:
                break
            run.start()
            runs.append(run)
        return runs

    def forget_answers(self) -> None:
        """Delete the answers kept for repeated requests that are older than a day."""
        with writing() as session:
            session.execute(
                delete(ActionAnswer).where(ActionAnswer.created_at < now() - _ANSWERS_KEPT)
            )

    def _publish(self, row: Owed, later: Sequence[str], *, patient: bool) -> Stamp:
        keys = tuple(dict.fromkeys([*row.keys, *later]))
        return self._runtime.bus.publish(Notice(keys, row.name, row.trace), patient=patient)

    def _delete(self, row_ids: Sequence[int]) -> None:
        with writing() as session:
            session.execute(delete(OutboxEvent).where(OutboxEvent.id.in_(row_ids)))

    def _claim(self) -> list[Owed]:
        due = (
            select(OutboxEvent)
            .where(OutboxEvent.parked_at.is_(None), OutboxEvent.due_at <= now())
            .order_by(OutboxEvent.id)
            .limit(_BATCH)
        )
        if db.session.execute(due.with_only_columns(OutboxEvent.id).limit(1)).first() is None:
            db.session.remove()
            return []
        with writing() as session:
            rows = session.scalars(due.with_for_update(skip_locked=True)).all()
            for row in rows:
                row.due_at = now() + timedelta(seconds=_CLAIM_S)
            return [
                Owed(row.id, self._event(row.event, row.payload), tuple(row.keys), row.trace,
                     row.event)
                for row in rows
            ]  # fmt: skip

    def _event(self, wire_name: str, payload: dict[str, object]) -> Event | None:
        """The event of a row; ``None`` when a newer or older release wrote it in another shape."""
        kind = self._runtime.registry.events.get(wire_name)
        try:
            return kind.model_validate(payload) if kind is not None else None
        except ValidationError:
            return None

    def _failed(self, row: Owed, error: Exception) -> None:
        log.error("Event %s (row %d) cannot be published", row.name, row.row_id, exc_info=error)
        with writing() as session:
            attempts = session.scalar(
                update(OutboxEvent)
                .where(OutboxEvent.id == row.row_id)
                .values(attempts=OutboxEvent.attempts + 1, error=str(error)[:2000])
                .returning(OutboxEvent.attempts)
            )
        if attempts is None or attempts < _ATTEMPTS:
            return
        try:
            self._runtime.bus.reset("parked", row.trace)
        except BusUnavailable:
            return
        with writing() as session:
            session.execute(
                update(OutboxEvent).where(OutboxEvent.id == row.row_id).values(parked_at=now())
            )
        log.error("Event %s (row %d) is parked; every screen reads again", row.name, row.row_id)

    def _claim_reaction(self) -> threading.Thread | None:
        """A thread that will run the reaction that is due first; ``None`` when none is due."""
        due = (
            select(OutboxReaction)
            .where(
                OutboxReaction.parked_at.is_(None),
                OutboxReaction.due_at <= now(),
                OutboxReaction.reaction.not_in(list(self._running)),
            )
            .order_by(OutboxReaction.due_at, OutboxReaction.id)
            .limit(1)
        )
        if db.session.execute(due.with_only_columns(OutboxReaction.id)).first() is None:
            db.session.remove()
            return None
        with writing() as session:
            row = session.scalars(due.with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            reaction, event = self._reaction(row.reaction), self._event(row.event, row.payload)
            if reaction is None or event is None:
                _park(row, "No enabled plugin has this reaction, or its event has another shape.")
                return None
            if row.attempts >= _REACTION_ATTEMPTS:
                _park(row, f"Its process ended each time it ran, {row.attempts} times.")
                return None
            row.attempts += 1
            limit_s = self._runtime.settings.reaction_timeout_s + _REACTION_CLAIM_S
            row.due_at = now() + timedelta(seconds=max(limit_s, _wait_s(row)))
            claimed = (row.id, reaction, event, row.trace)
        run = threading.Thread(target=self._run, args=claimed, daemon=True)
        self._running[reaction.label] = run
        return run

    def _run(self, row_id: int, reaction: Reaction, event: Event, trace: str) -> None:
        try:
            with self._app.app_context():
                try:
                    with limited(self._runtime.settings.reaction_timeout_s, reaction.label):
                        _run_in_transaction(row_id, reaction, event, trace)
                except Exception as error:
                    log.exception("Reaction %s (row %d) failed", reaction.label, row_id)
                    self._reaction_failed(row_id, error)
        finally:
            del self._running[reaction.label]
            self._slots.release()
            self._nudge.set()

    def _reaction(self, label: str) -> Reaction | None:
        known = self._runtime.registry.reactions
        return next((reaction for reaction in known if reaction.label == label), None)

    def _reaction_failed(self, row_id: int, error: Exception) -> None:
        with writing() as session:
            row = session.get(OutboxReaction, row_id)
            if row is not None:
                row.error = f"{type(error).__name__}: {error}"[:2000]
                row.due_at = now() + timedelta(seconds=_wait_s(row))
                row.parked_at = now() if row.attempts >= _REACTION_ATTEMPTS else None

    def _round(self) -> None:
        """Do what is due; when that is nothing, as it mostly is, one statement has told."""
        with reading() as session:
            events, reactions = session.execute(_DUE, {"moment": now()}).one()
        if events:
            self.sweep()
        else:
            self._redis_answers()
        if reactions:
            self.react()

    def _redis_answers(self) -> bool:
        """Whether Redis takes what is to be published."""
        try:
            self._runtime.bus.probe()
        except BusUnavailable:
            self._runtime.hub.doubt()
            return False
        return True

    def _sweep_for_ever(self) -> None:
        forgotten_at = now()
        while not self._stopping.is_set():
            sweep_s = self._runtime.settings.sweep_s
            self._nudge.wait(random.uniform(0.5, 1.0) * sweep_s)  # noqa: S311  jitter
            self._nudge.clear()
            try:
                with self._app.app_context():
                    self._round()
                    if now() - forgotten_at > timedelta(hours=1):
                        forgotten_at = now()
                        self.forget_answers()
            except SQLAlchemyError as error:
                log.warning("The database is away; the sweeper tries again: %s", error)
            except Exception:
                log.exception("The sweeper failed; it tries again")


def _run_in_transaction(row_id: int, reaction: Reaction, event: Event, trace: str) -> None:
    """The transaction begins when the reaction first uses the database: while it waits for
    something else before that, it holds neither a connection nor SQLite's write lock.
    """
    with transaction(at_first_use=True) as work:
        work.trace = trace
        work.by = f"reaction '{reaction.label}'"
        reaction.function(event)
        gone = db.session.execute(delete(OutboxReaction).where(OutboxReaction.id == row_id))
        if not gone.rowcount:  # type: ignore[attr-defined]  # a DELETE has one
            raise CoursewireError(
                "Another worker has run it meanwhile; nothing is kept of this run."
            )


def _wait_s(row: OutboxReaction) -> float:
    return min(2.0**row.attempts, _LONGEST_WAIT_S)


def _park(row: OutboxReaction, reason: str) -> None:
    row.parked_at, row.error = now(), reason
    log.error("Reaction %s (row %d) is parked: %s", row.reaction, row.id, reason)
