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
from sqlalchemy import bindparam, delete, exists, select, update
from sqlalchemy.exc import SQLAlchemyError

from core.bus import Notice
from core.database import UtcDateTime, db, now, reading, writing
from core.errors import BusUnavailable
from core.explain.why import Named, Why, both_looks
from core.glance import Glance
from core.outbox import ActionAnswer, OutboxEvent, OutboxReaction
from core.runs import Runs
from core.transactions import Owed, Work, answers_by_name, answers_seen_after

if TYPE_CHECKING:
    from core.runtime import Runtime

log = logging.getLogger("coursewire.relay")

_CLAIM_S = 5.0
_ASKED_ANEW_S = 2.0
"""How long Redis, which took what it was told, is taken to do so while nothing is owed."""
_STOP_S = 5.0
_BATCH = 100
_ATTEMPTS = 5
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
        self._runs = Runs(app, runtime, self._stopping, self._nudge.set)
        self._thread: threading.Thread | None = None
        self._due = Glance(_DUE)
        self._answered_at = 0.0

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
        self._runs.wait(until)

    def publish_now(self, work: Work, owed: Sequence[Owed]) -> None:
        """Publish the rows that *work* just committed, and note in it what came of that.

        Never raises because of Redis or of the second look: the rows stay for the sweeper, and
        ``work.stamp`` stays ``None``.
        """
        if not owed:
            work.stamp = self._runtime.read_stamp()
            return
        try:
            origin = self._runtime.spans.origin(work.trace)
            later = answers_seen_after(self._runtime.registry, [row.event for row in owed])
            seen = [key for answers in later for answer in answers for key in answer.keys]
            work.stale = tuple(dict.fromkeys([*work.stale, *seen]))
            stamp = None
            for row, answers in zip(owed, later, strict=True):
                named = both_looks(row.named, answers)
                why = Why(work.by, row.row_id, time.time(), named=named, span=origin)
                notice = _notice(row, answers, work.committed, why)
                with self._runtime.spans.span("publication", row.trace, event=row.name):
                    stamp = self._runtime.bus.publish(notice)
            work.stamp = stamp
            self._delete([row.row_id for row in owed])
        except BusUnavailable as error:
            log.info("Not published yet, the sweeper will: %s", error, extra=_traced(work.trace))
            self._runtime.hub.owe()
            self._runtime.hub.doubt()
        except Exception:
            self._runtime.hub.owe()
            # The action is committed: its answer must not depend on what comes after.
            log.exception("Not published yet, the sweeper will try", extra=_traced(work.trace))
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
                (answers,) = answers_seen_after(self._runtime.registry, [row.event])
                named = answers
                if row.event is not None:
                    named = (*answers_by_name(self._runtime.registry, row.event), *answers)
                why = Why("", row.row_id, time.time(), swept=True, named=named)
                notice = _notice(row, answers, row.committed, why)
                with self._runtime.spans.span("publication", row.trace, event=row.name):
                    self._runtime.bus.publish(notice, patient=True)
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
        """Start the due reactions that have a slot; see `core.runs.Runs.start_due`."""
        return self._runs.start_due()

    def forget_answers(self) -> None:
        """Delete the answers kept for repeated requests that are older than a day."""
        with writing() as session:
            session.execute(
                delete(ActionAnswer).where(ActionAnswer.created_at < now() - _ANSWERS_KEPT)
            )

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
                Owed(
                    row.id,
                    self._runtime.registry.event_of(row.event, row.payload),
                    tuple(row.keys),
                    row.trace,
                    row.event,
                    row.created_at.timestamp(),
                )
                for row in rows
            ]

    def _failed(self, row: Owed, error: Exception) -> None:
        traced = _traced(row.trace)
        log.error(
            "Event %s (row %d) cannot be published",
            row.name,
            row.row_id,
            exc_info=error,
            extra=traced,
        )
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
        log.error(
            "Event %s (row %d) is parked; every screen reads again",
            row.name,
            row.row_id,
            extra=traced,
        )

    def _round(self) -> None:
        """Do what is due; when that is nothing, as it mostly is, one statement has told."""
        events, reactions = self._due.one(db.engine, {"moment": now()})
        if events:
            self.sweep()
        elif time.monotonic() - self._answered_at > _ASKED_ANEW_S:
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
        self._answered_at = time.monotonic()
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


def _traced(trace: str) -> dict[str, str]:
    """What puts *trace* on a log line."""
    return {"trace": trace}


def _notice(row: Owed, later: Sequence[Named], at: float | None, why: Why) -> Notice:
    """The notice of *row*, with what the second look saw."""
    seen = [key for answer in later for key in answer.keys]
    keys = tuple(dict.fromkeys([*row.keys, *seen]))
    return Notice(keys, row.name, row.trace, at=at, why=why.encode())
