"""Sampling: what the workers count becomes a row, and the row's own write is the canary.

::

    round (each worker, 5 s) ── due? ──► totals of all workers (Redis)
                                              │
                           one transaction:   ▼
                           Sample + SampleTaken ──► outbox ──► notice ──► every open `/status`
                                                                   └────► the canary's own watcher

So the page is drawn by the very path that it tells about: when that fails, the page stands still,
and says of when its figures are.
"""

import random
from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from core import current_settings, db, emit, now, reading, transaction
from core.operations import audience, findings, send_canary, totals
from core.parked import Parked, parked_rows
from core.rounds import ROUND_S
from core.telemetry.lines import scrub
from core.transactions import Work
from plugins.status import plugin
from plugins.status.events import FindingsChanged, ParkedRowsChanged, SampleTaken
from plugins.status.figures import Figures, figures_of
from plugins.status.models import FoundMistake, Sample
from plugins.status.queries import KEPT, status_now

_SLACK_S = 0.5
_MOST_FINDINGS = 100


@plugin.round
def measure_when_due() -> None:
    """Take a sample when the last one is old: sooner while somebody here looks at the figures.

    Whichever worker comes first takes it, so over time every worker's canary flies.
    """
    every_s = ROUND_S if audience(status_now) else current_settings().canary_s
    if not every_s:
        return
    with reading() as session:
        newest_at = session.scalar(select(func.max(Sample.taken_at)))
    due_s = every_s * random.uniform(0.9, 1.1) - _SLACK_S  # noqa: S311  a lot, and no secret
    if newest_at is not None and now() - newest_at < timedelta(seconds=due_s):
        return
    measure()


@plugin.round
def note_findings() -> None:
    """Write down what this worker's freshness guard has found; a mistake found again is no news."""
    found = {_digest(each.kind): each for each in findings()[-_MOST_FINDINGS:]}
    if not found:
        return
    with reading() as session:
        known = set(
            session.scalars(select(FoundMistake.digest).where(FoundMistake.digest.in_(list(found))))
        )
    if found.keys() <= known:
        return
    try:
        with transaction() as work:
            work.by = "round 'status.note_findings'"
            db.session.add_all(
                FoundMistake(digest=digest, plugin=each.plugin, text=scrub(str(each)))
                for digest, each in found.items()
                if digest not in known
            )
            emit(FindingsChanged())
    except IntegrityError:
        pass  # another worker wrote one of them meanwhile; what is left is written next time


def measure() -> float | None:
    """Take a sample now, and watch until a screen would show it; the lag in seconds."""
    figures = figures_of(totals())
    written: list[int] = []

    def write() -> Work | None:
        try:
            with transaction() as work:
                work.by = "round 'status.measure_when_due'"
                written.append(take_sample(figures))
        except IntegrityError:
            return None  # another worker took this number meanwhile
        return work

    return send_canary(status_now, write, lambda shown: shown["number"] >= written[-1])


def take_sample(figures: Figures) -> int:
    """Write *figures* down, in the transaction at hand; returns the number of the sample."""
    last = db.session.scalars(select(Sample).order_by(Sample.number.desc()).limit(1)).first()
    number = last.number + 1 if last is not None else 1
    taken_at = now()
    parked = as_noted(parked_rows(db.session()))
    db.session.add(
        Sample(number=number, taken_at=taken_at, figures=figures.model_dump(), parked=parked)
    )
    db.session.execute(delete(Sample).where(Sample.taken_at < taken_at - KEPT))
    emit(SampleTaken(number=number))
    if last is None or last.parked != parked:
        emit(ParkedRowsChanged())
    return number


def as_noted(rows: Iterable[Parked]) -> list[dict[str, Any]]:
    """*rows* in plain JSON types."""
    found: list[dict[str, Any]] = TypeAdapter(list[Parked]).dump_python(list(rows), mode="json")
    return found


def _digest(kind: tuple[object, ...]) -> str:
    return sha256(repr(kind).encode()).hexdigest()
