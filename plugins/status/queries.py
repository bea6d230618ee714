"""What can be read about the site.

Each is a function of the rows that `plugins.status.sampling` writes, and of nothing else.
"""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select

from core import db, staff_only
from core.languages import later
from plugins.status import plugin
from plugins.status.events import FindingsChanged, ParkedRowsChanged, SampleTaken
from plugins.status.figures import WITHIN, Figures, grown, growth, percentile
from plugins.status.models import FoundMistake, Sample
from plugins.status.plots import Measured, plots_of, thinned
from plugins.status.views import (
    FindingView,
    LagView,
    NinesView,
    NowView,
    ParkedView,
    PluginView,
    ShareView,
)

KEPT = timedelta(minutes=15)
_RATES_OVER = timedelta(seconds=25)
_MOST_FINDINGS = 20


@plugin.query("now", guard=staff_only, stale_on=[SampleTaken])
def status_now() -> NowView:
    """What all workers have counted, and how it went in the last minutes."""
    rows = db.session.scalars(select(Sample).order_by(Sample.number)).all()
    recent = [row for row in rows if rows[-1].taken_at - row.taken_at <= KEPT]
    samples = [
        Measured(row.taken_at, Figures.model_validate(row.figures))
        for row in thinned(recent, lambda row: row.taken_at)
    ]
    if not samples:
        number = 0
        now = oldest = before = Figures()
        apart_s = 0.0
    else:
        number = rows[-1].number
        newest, now, oldest = samples[-1], samples[-1].figures, samples[0].figures
        earlier = [s for s in samples if newest.taken_at - s.taken_at >= _RATES_OVER]
        then = earlier[-1] if earlier else samples[0]
        before, apart_s = then.figures, (newest.taken_at - then.taken_at).total_seconds()

    def per_s(of: Callable[[Figures], float]) -> float:
        return round(growth(of(before), of(now)) / apart_s, 2) if apart_s else 0.0

    refetches = growth(before.refetches, now.refetches)
    answers = {s: growth(before.answers.get(s, 0), n) for s, n in now.answers.items()}
    kept = sum(n for source, n in answers.items() if source != "database")
    return NowView(
        number=number,
        taken_at=samples[-1].taken_at if samples else None,
        workers=now.workers,
        browsers=int(now.browsers),
        slow_readers=int(now.slow),
        watched_keys=int(now.keys),
        rates_over_s=round(apart_s),
        notices_per_s=per_s(lambda f: f.notices),
        writes_per_s=per_s(lambda f: f.actions),
        refetches_per_s=per_s(lambda f: f.refetches),
        unchanged_share=_share(growth(before.unchanged, now.unchanged), refetches),
        cache_share=_share(kept, sum(answers.values())),
        database_reads_per_s=per_s(lambda f: f.answers.get("database", 0)),
        owed={kind: int(number) for kind, number in now.owed.items()},
        owed_age_s={kind: round(age_s, 1) for kind, age_s in now.owed_age_s.items()},
        parked=int(sum(now.parked.values())),
        mistakes_found=int(now.found),
        mistakes_healed=int(now.healed),
        lags=_lags(oldest, now),
        nines=_nines(oldest, now),
        plots=plots_of(samples),
        versions=now.versions,
        plugins=[PluginView(name=name, version=version) for name, version in now.plugins],
    )


@plugin.query("parked", guard=staff_only, stale_on=[ParkedRowsChanged])
def status_parked() -> list[ParkedView]:
    """Rows of the outbox that were put aside, newest first."""
    noted = db.session.scalar(select(Sample.parked).order_by(Sample.number.desc()).limit(1))
    return [ParkedView.model_validate(row) for row in noted or ()]


@plugin.query("findings", guard=staff_only, stale_on=[FindingsChanged])
def status_findings() -> list[FindingView]:
    """What the freshness guards have found and nobody has put away, newest first."""
    rows = db.session.scalars(
        select(FoundMistake)
        .where(FoundMistake.put_away_at.is_(None))
        .order_by(FoundMistake.id.desc())
        .limit(_MOST_FINDINGS)
    )
    return [_finding(row) for row in rows]


def _lags(before: Figures, now: Figures) -> list[LagView]:
    told = [
        (later("Heard"), later("a worker has the notice"), before.heard, now.heard),
        (
            later("Told"),
            later("the last browser of a worker has the frame"),
            before.written,
            now.written,
        ),
        (
            later("Painted"),
            later("it stands on a screen, as browsers report"),
            before.painted,
            now.painted,
        ),
        (later("Canary"), later("a watcher in the worker has read it"), before.canary, now.canary),
    ]
    found = []
    for name, meaning, then, counts in told:
        lately = grown(then, counts)
        p50, p90, p99 = (_ms(percentile(lately, share)) for share in (0.5, 0.9, 0.99))
        count = int(lately[-1]) if lately else 0
        found.append(
            LagView(name=name, meaning=meaning, count=count, p50_ms=p50, p90_ms=p90, p99_ms=p99)
        )
    return found


def _nines(before: Figures, now: Figures) -> list[NinesView]:
    counted = [
        (
            later("Writes"),
            later("every browser that watched showed it"),
            (before.writes, now.writes),
            (before.fresh_writes, now.fresh_writes),
        ),
        (
            later("Pairs"),
            later("of a write and a browser that watched it"),
            (before.pairs, now.pairs),
            (before.fresh_pairs, now.fresh_pairs),
        ),
        (
            later("Canaries"),
            later("seen by a watcher in the worker"),
            (before.canaries, now.canaries),
            (before.fresh_canaries, now.fresh_canaries),
        ),
    ]
    found = []
    for name, meaning, (then, of), (fresh_then, fresh) in counted:
        lately = {t: growth(fresh_then.get(t, 0), fresh.get(t, 0)) for t in WITHIN}
        found.append(
            NinesView(
                name=name,
                meaning=meaning,
                lately=_shares(growth(then, of), lately),
                ever=_shares(of, fresh),
            )
        )
    return found


def _shares(of: float, fresh: dict[str, float]) -> ShareView:
    return ShareView(of=int(of), within={t: _share(fresh.get(t, 0), of) for t in WITHIN})


def _share(some: float, of: float) -> float | None:
    return round(some / of, 6) if of else None


def _ms(lag_s: float | None) -> int | None:
    return None if lag_s is None else round(lag_s * 1000)


def _finding(row: FoundMistake) -> FindingView:
    lines = row.text.splitlines()
    write = next((line for line in lines if line.strip().startswith("Write:")), "")
    return FindingView(
        id=row.id,
        found_at=row.found_at,
        plugin=row.plugin,
        headline=lines[0] if lines else "",
        write=write.strip().removeprefix("Write:").strip(),
        text=row.text,
    )
