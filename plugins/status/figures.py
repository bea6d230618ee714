"""Figures: the few numbers of a sample, taken from what all workers have counted."""

from collections.abc import Iterable
from itertools import pairwise

from pydantic import BaseModel, ConfigDict

from core.telemetry.metrics import LAG_S
from core.telemetry.totals import Totals

BOUNDS_S = (*LAG_S, float("inf"))
WITHIN = ("1", "2", "10", "60")
KINDS = ("event", "reaction")
SOURCES = ("memory", "redis", "database")


class Figures(BaseModel):
    """One sample. What only grows is as it stood; a sample of another release may lack some.

    ``heard``, ``written``, ``painted`` and ``canary`` count lags by `BOUNDS_S`, each bound with all
    that are below it.
    """

    model_config = ConfigDict(extra="ignore")

    workers: int = 0
    browsers: float = 0
    slow: float = 0
    keys: float = 0
    notices: float = 0
    actions: float = 0
    refetches: float = 0
    unchanged: float = 0
    answers: dict[str, float] = {}
    owed: dict[str, float] = {}
    owed_age_s: dict[str, float] = {}
    parked: dict[str, float] = {}
    heard: list[float] = []
    written: list[float] = []
    painted: list[float] = []
    canary: list[float] = []
    writes: float = 0
    fresh_writes: dict[str, float] = {}
    pairs: float = 0
    fresh_pairs: dict[str, float] = {}
    canaries: float = 0
    fresh_canaries: dict[str, float] = {}
    found: float = 0
    healed: float = 0
    plugins: list[tuple[str, str]] = []
    versions: list[str] = []


def figures_of(totals: Totals) -> Figures:
    """The figures in *totals*."""

    def one(name: str, **labels: str) -> float:
        return totals.value(f"coursewire_{name}", **labels)

    def by(name: str, label: str, values: Iterable[str]) -> dict[str, float]:
        return {value: one(name, **{label: value}) for value in values}

    def lags(name: str) -> list[float]:
        bounds = [*map(str, LAG_S), "+Inf"]
        return [one(f"{name}_seconds_bucket", le=bound) for bound in bounds]

    return Figures(
        workers=totals.workers,
        browsers=one("streams_open"),
        slow=one("streams_slow"),
        keys=one("watched_keys"),
        notices=one("publications_total", result="ok"),
        actions=one("action_seconds_count"),
        refetches=one("refetches_total"),
        unchanged=one("refetches_total", status="304"),
        answers=by("cache_answers_total", "source", SOURCES),
        owed=by("outbox_owed", "kind", KINDS),
        owed_age_s=by("outbox_age_seconds", "kind", KINDS),
        parked=by("outbox_parked", "kind", KINDS),
        heard=lags("notice_heard"),
        written=lags("notice_written"),
        painted=lags("painted"),
        canary=lags("canary"),
        writes=one("sighted_writes_total"),
        fresh_writes=by("fresh_writes_total", "within", WITHIN),
        pairs=one("sighted_pairs_total"),
        fresh_pairs=by("fresh_pairs_total", "within", WITHIN),
        canaries=one("canaries_total"),
        fresh_canaries=by("fresh_canaries_total", "within", WITHIN),
        found=one("freshness_findings_total"),
        healed=one("freshness_healed_total"),
        plugins=_labels(totals, "coursewire_plugin_info", "plugin", "version"),
        versions=[
            version for version, _ in _labels(totals, "coursewire_build_info", "version", "build")
        ],
    )


def growth(before: float, after: float) -> float:
    """How much was counted between; Redis counts anew when it has lost its data."""
    return after - before if after >= before else after


def grown(before: list[float], after: list[float]) -> list[float]:
    """The lags counted between."""
    if len(before) != len(after) or any(b > a for b, a in zip(before, after, strict=True)):
        return after
    return [a - b for b, a in zip(before, after, strict=True)]


def percentile(counts: list[float], share: float) -> float | None:
    """The lag in seconds below which *share* of those in *counts* lie; ``None`` of none.

    Within a bucket they are taken to lie evenly, as Prometheus's ``histogram_quantile`` has it;
    what lies above the last bound counts as that.
    """
    if not counts or not counts[-1]:
        return None
    wanted = share * counts[-1]
    edges = [(0.0, 0.0), *zip(BOUNDS_S, counts, strict=True)]
    for (low_s, below), (high_s, within) in pairwise(edges):
        if within >= wanted and within > below:
            if high_s == float("inf"):
                return low_s
            return low_s + (high_s - low_s) * (wanted - below) / (within - below)
    return None


def _labels(totals: Totals, sample: str, *names: str) -> list[tuple[str, str]]:
    found = {
        tuple(dict(labels)[name] for name in names)
        for (name, labels) in totals.samples
        if name == sample
    }
    return [(first, second) for first, second in sorted(found)]
