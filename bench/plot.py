"""Plots as SVG, without a library: bars that compare, and lines over a logarithmic axis."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 64, 44
_COLOURS = ("#2563eb", "#d97706", "#059669", "#b91c1c")
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#334155}.title{font-size:15px;font-weight:600;"
    "fill:#0f172a}.small{font-size:11px}.grid{stroke:#e2e8f0}.axis{stroke:#94a3b8}"
)

Point = tuple[float, float]


@dataclass(frozen=True)
class Plot:
    """What stands around the marks; ``unit`` is that of the vertical axis."""

    title: str
    unit: str
    note: str = ""


def bars(plot: Plot, groups: Mapping[str, Mapping[str, float]]) -> str:
    """Horizontal bars: for each group, one bar for each series, in the order given."""
    series = list(dict.fromkeys(name for values in groups.values() for name in values))
    most = max((value for values in groups.values() for value in values.values()), default=1) or 1
    left, step = 150, 18
    rows, y = [], float(_TOP)
    for group, values in groups.items():
        middle = y + step * len(values) / 2 + 4
        rows.append(_text(left - 10, middle, group, anchor="end"))
        for name, value in values.items():
            width = value / most * (_WIDTH - left - _RIGHT - 70)
            colour = _COLOURS[series.index(name)]
            rows.append(
                f'<rect x="{left}" y="{y:.1f}" width="{width:.1f}" height="{step - 3}" rx="2" '
                f'fill="{colour}"/>'
            )
            rows.append(_text(left + width + 6, y + step - 6, _number(value), "small"))
            y += step
        y += 12
    return _svg(plot, series, rows, y + 12)


def lines(
    plot: Plot, axis: str, series: Mapping[str, Sequence[Point]], limit: float | None = None
) -> str:
    """Lines over a logarithmic horizontal *axis*; *limit* is drawn as a dashed line."""
    xs = sorted({x for points in series.values() for x, _ in points})
    most = max(y for points in series.values() for _, y in points)
    top = _round_up(max(most, limit or 0) * 1.05)
    across = _across(xs[0], xs[-1])

    def up(y: float) -> float:
        return _HEIGHT - _BOTTOM - y / top * (_HEIGHT - _TOP - _BOTTOM)

    rows = []
    for number in range(5):
        value = top * number / 4
        rows.append(_line(_LEFT, up(value), _WIDTH - _RIGHT, up(value), "grid"))
        rows.append(_text(_LEFT - 8, up(value) + 4, _number(value), "small", "end"))
    rows += [_text(across(x), _HEIGHT - _BOTTOM + 18, _number(x), "small", "middle") for x in xs]
    rows.append(_text(_WIDTH - _RIGHT, _HEIGHT - 8, axis, "small", "end"))
    if limit is not None:
        line = _line(_LEFT, up(limit), _WIDTH - _RIGHT, up(limit), "axis")
        rows.append(line.replace("/>", ' stroke-dasharray="5 4"/>'))
    for number, points in enumerate(series.values()):
        rows.extend(_curve([(across(x), up(y)) for x, y in points], _COLOURS[number]))
    return _svg(plot, list(series), rows, _HEIGHT)


def _curve(points: Sequence[Point], colour: str) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    line = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    return [
        line,
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points),
    ]


def _svg(plot: Plot, series: Sequence[str], rows: Sequence[str], height: float) -> str:
    legend, x = [], _WIDTH - _RIGHT
    for name, colour in reversed(list(zip(series, _COLOURS, strict=False))):
        x -= 8 * len(name) + 26
        legend.append(f'<rect x="{x}" y="37" width="11" height="11" rx="2" fill="{colour}"/>')
        legend.append(_text(x + 16, 47, name, "small"))
    if plot.note:
        rows = [*rows, _text(16, height + 8, plot.note, "small")]
        height += 20
    head = [_text(16, 24, plot.title, "title"), _text(16, 47, plot.unit, "small")]
    body = "\n".join((*head, *legend, *rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" '
        f'role="img" aria-label="{escape(plot.title)}">\n<style>{_STYLE}</style>\n'
        f'<rect width="{_WIDTH}" height="{height:.0f}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _across(first: float, last: float) -> Callable[[float], float]:
    low, high = math.log(first), math.log(last) if last > first else math.log(first) + 1

    def across(x: float) -> float:
        return _LEFT + 16 + (math.log(x) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT - 32)

    return across


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _number(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:,.0f}k"
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2g}"


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 5, 8 or 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        step * power for step in (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10) if step * power >= value
    )
