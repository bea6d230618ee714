"""Runs: the reactions that are due, each in a thread and a transaction of its own.

A reaction whose worker dies runs again in another: its row is claimed for a time, and deleted by
the transaction in which it ran.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from flask import Flask
from sqlalchemy import delete, select

from core.database import db, now, writing
from core.errors import CoursewireError
from core.events import Event
from core.outbox import OutboxReaction
from core.reactions import Reaction, limited
from core.transactions import transaction

if TYPE_CHECKING:
    from core.runtime import Runtime

log = logging.getLogger("coursewire.relay")

_CLAIM_S = 30.0
"""How long a reaction is left to the worker that claimed it, beyond the time it may run."""
_ATTEMPTS = 12
_LONGEST_WAIT_S = 600


class Runs:
    """The reactions that run in one worker.

    None is started once *stopping* is set; *ended* is called whenever one has ended.
    """

    def __init__(
        self,
        app: Flask,
        runtime: "Runtime",
        stopping: threading.Event,
        ended: Callable[[], None],
    ) -> None:
        self._app = app
        self._runtime = runtime
        self._stopping = stopping
        self._ended = ended
        # A reaction holds a database connection; half of the worker's stay with the requests.
        self._slots = threading.BoundedSemaphore(max(1, runtime.settings.database_pool_size // 2))
        self._running: dict[str, threading.Thread] = {}

    def start_due(self) -> list[threading.Thread]:
        """Start the due reactions that have a slot, each in a thread and transaction of its own.

        It never waits for a slot, so reactions that hang do not hold up what is to be published.
        One function runs once at a time in this worker, so one that hangs takes one slot.
        """
        runs = []
        while not self._stopping.is_set() and self._slots.acquire(blocking=False):
            run = None
            try:
                run = self._claim()
            finally:
                if run is None:
                    self._slots.release()
            if run is None:
                break
            run.start()
            runs.append(run)
        return runs

    def wait(self, until: float) -> None:
        """Wait for those that run, until *until* (of `time.monotonic`) at most."""
        for run in list(self._running.values()):
            if run.is_alive():
                run.join(timeout=max(0.0, until - time.monotonic()))

    def _claim(self) -> threading.Thread | None:
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
            reaction, event = (
                self._reaction(row.reaction),
                self._runtime.registry.event_of(row.event, row.payload),
            )
            if reaction is None or event is None:
                self._park(
                    row, "No enabled plugin has this reaction, or its event has another shape."
                )
                return None
            if row.attempts >= _ATTEMPTS:
                self._park(row, f"Its process ended each time it ran, {row.attempts} times.")
                return None
            row.attempts += 1
            limit_s = self._runtime.settings.reaction_timeout_s + _CLAIM_S
            row.due_at = now() + timedelta(seconds=max(limit_s, _wait_s(row)))
            claimed = (row.id, reaction, event, row.trace)
        run = threading.Thread(target=self._run, args=claimed, daemon=True)
        self._running[reaction.label] = run
        return run

    def _run(self, row_id: int, reaction: Reaction, event: Event, trace: str) -> None:
        try:
            metrics = self._runtime.metrics
            with self._app.app_context():
                try:
                    with (
                        self._runtime.spans.span("reaction", trace, reaction=reaction.label),
                        metrics.reaction_seconds.labels(reaction.label).time(),
                        limited(self._runtime.settings.reaction_timeout_s, reaction.label),
                    ):
                        _run_in_transaction(row_id, reaction, event, trace)
                    metrics.reactions.labels(reaction.label, "ok").inc()
                except Exception as error:
                    log.exception(
                        "Reaction %s (row %d) failed",
                        reaction.label,
                        row_id,
                        extra={"trace": trace},
                    )
                    metrics.reactions.labels(reaction.label, "failed").inc()
                    self._failed(row_id, error)
        finally:
            del self._running[reaction.label]
            self._slots.release()
            self._ended()

    def _reaction(self, label: str) -> Reaction | None:
        known = self._runtime.registry.reactions
        return next((reaction for reaction in known if reaction.label == label), None)

    def _failed(self, row_id: int, error: Exception) -> None:
        with writing() as session:
            row = session.get(OutboxReaction, row_id)
            if row is not None:
                row.error = f"{type(error).__name__}: {error}"[:2000]
                row.due_at = now() + timedelta(seconds=_wait_s(row))
                if row.attempts >= _ATTEMPTS:
                    row.parked_at = now()
                    self._runtime.metrics.reactions.labels(row.reaction, "parked").inc()

    def _park(self, row: OutboxReaction, reason: str) -> None:
        row.parked_at, row.error = now(), reason
        self._runtime.metrics.reactions.labels(row.reaction, "parked").inc()
        log.error(
            "Reaction %s (row %d) is parked: %s",
            row.reaction,
            row.id,
            reason,
            extra={"trace": row.trace},
        )


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
