"""Plots: the kept samples as lines, one point for every ten seconds."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from core.languages import later
from plugins.status import plugin
from plugins.status.figures import Figures, grown, growth, percentile
from plugins.status.views import PlotView, SeriesView

T = TypeVar("T")

SLOT_S = 10
_WIDTH, _HEIGHT, _EDGE = 600, 140, 4
_SHOWN_S = 900
_GAP_S = 90
"""Between two samples that are so far apart nothing is known."""


@dataclass(frozen=True)
class Measured:
    """The figures of one sample."""

    taken_at: datetime
    figures: Figures


Level = Callable[[Figures], float]
Between = Callable[[Figures, Figures, float], float | None]
"""Of two samples that are so many seconds apart."""


def plots_of(samples: Sequence[Measured]) -> list[PlotView]:
    """The plots of *samples*, which are in order."""
    lines = _Lines(samples)
    return [
        _plot(
            "browsers",
            later("Browsers connected"),
            "",
            [lines.level(later("Browsers"), _browsers)],
        ),
        _plot(
            "writes",
            later("Writes and notices"),
            later("per second"),
            [
                lines.between(later("Notices"), _per_s(lambda f: f.notices)),
                lines.between(later("Actions"), _per_s(lambda f: f.actions)),
            ],
        ),
        _plot(
            "reads",
            later("Reads"),
            later("per second"),
            [
                lines.between(later("Answers to browsers"), _per_s(lambda f: f.refetches)),
                lines.between(later("Asked of the database"), _per_s(_database_reads)),
            ],
        ),
        _plot(
            "lag",
            later("From the commit, slowest of a hundred"),
            "ms",
            [
                lines.between(later("Told"), _p99_ms(lambda f: f.written)),
                lines.between(later("Painted"), _p99_ms(lambda f: f.painted)),
                lines.between(later("Canary"), _p99_ms(lambda f: f.canary)),
            ],
        ),
        _plot(
            "outbox",
            later("Oldest row of the outbox"),
            "s",
            [
                lines.level(later("Event"), lambda f: f.owed_age_s.get("event", 0.0)),
                lines.level(later("Reaction"), lambda f: f.owed_age_s.get("reaction", 0.0)),
            ],
        ),
    ]


def thinned(samples: Sequence[T], taken_at: Callable[[T], datetime]) -> list[T]:
    """The first of *samples*, and the last in each slot: being looked at makes it no heavier."""
    by_slot = {int(taken_at(each).timestamp()) // SLOT_S: each for each in samples}
    found = list(by_slot.values())
    return found if not found or found[0] is samples[0] else [samples[0], *found]


@plugin.app_template_filter("plot_path")
def path_of(points: Sequence[tuple[int, float | None]], top: float) -> str:
    """The commands of an SVG path through *points*, with a gap where nothing is known."""
    per_s, per_unit = (_WIDTH - 2 * _EDGE) / _SHOWN_S, (_HEIGHT - 2 * _EDGE) / top
    found: list[str] = []
    last_s: int | None = None
    for age_s, value in points:
        if value is None:
            last_s = None
            continue
        x, y = _WIDTH - _EDGE - age_s * per_s, _HEIGHT - _EDGE - value * per_unit
        command = "L" if last_s is not None and last_s - age_s <= _GAP_S else "M"
        found.append(f"{command}{x:.1f} {y:.1f}")
        last_s = age_s
    return "".join(found)


class _Lines:
    """Draws lines through the same samples."""

    def __init__(self, samples: Sequence[Measured]) -> None:
        self._samples = samples

    def level(self, name: str, of: Level) -> SeriesView:
        """What stood at each sample."""
        return SeriesView(
            name=name,
            points=[(self._age_s(each), round(of(each.figures), 2)) for each in self._samples],
        )

    def between(self, name: str, of: Between) -> SeriesView:
        """What happened between each sample and the one before."""
        points: list[tuple[int, float | None]] = []
        for before, after in pairwise(self._samples):
            apart_s = (after.taken_at - before.taken_at).total_seconds()
            value = of(before.figures, after.figures, apart_s)
            points.append((self._age_s(after), None if value is None else round(value, 2)))
        return SeriesView(name=name, points=points)

    def _age_s(self, sample: Measured) -> int:
        return round((self._samples[-1].taken_at - sample.taken_at).total_seconds())


def _plot(name: str, title: str, unit: str, series: list[SeriesView]) -> PlotView:
    values = [value for line in series for _, value in line.points if value is not None]
    return PlotView(name=name, title=title, unit=unit, top=_top(values), series=series)


def _top(values: Sequence[float]) -> float:
    """The least of 1, 2, 5, 10, 20, … that is above all *values*."""
    most = max(values, default=0.0)
    if most <= 1:
        return 1.0
    size = 10.0 ** math.floor(math.log10(most))
    return next(size * step for step in (1.0, 2.0, 5.0, 10.0) if size * step >= most)


def _browsers(figures: Figures) -> float:
    return figures.browsers


def _database_reads(figures: Figures) -> float:
    return figures.answers.get("database", 0.0)


def _per_s(of: Level) -> Between:
    return lambda before, after, apart_s: growth(of(before), of(after)) / max(apart_s, 1.0)


def _p99_ms(of: Callable[[Figures], list[float]]) -> Between:
    def between(before: Figures, after: Figures, _apart_s: float) -> float | None:
        lag_s = percentile(grown(of(before), of(after)), 0.99)
        return None if lag_s is None else lag_s * 1000

    return between
