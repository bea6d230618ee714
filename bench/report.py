"""The results in words: the table, and what became of the targets."""

from collections.abc import Sequence

from bench.comparison import PACES_PER_S, Result
from bench.contenders import COURSEWIRE, FLASK_SSE, LIMIT, NCHAN
from bench.meanwhile import Meanwhile

_COLUMNS = (
    "server",
    "browsers",
    "thousand deliveries per CPU second, paced / closed loop",
    "of raw C",
    "last browser p50 / p99, ms",
    "KB per browser",
    "CPU to accept, µs",
    "lost",
)
_RATIOS = ((LIMIT, 0.8), (NCHAN, 1.5), (FLASK_SSE, 15.0))
_MOST_KB, _MOST_ACCEPT_US, _MOST_ORDINARY_MS, _MOST_BUSY_MS = 2.0, 600.0, 15.0, 500.0


def table(results: Sequence[Result]) -> str:
    """The results as a table in Markdown, each beside the practical limit."""
    limits = {result.browsers: result for result in results if result.server == LIMIT}
    rows = [f"| {' | '.join(_COLUMNS)} |", "|---" + "|--:" * (len(_COLUMNS) - 1) + "|"]
    for result in results:
        pace = "" if result.events_per_s == PACES_PER_S[0] else f" (at {result.events_per_s:g}/s)"
        at_pace = _thousands(result.deliveries_per_cpu_s)
        closed = _thousands(result.closed_deliveries_per_cpu_s)
        cells = (
            result.server,
            f"{result.browsers:,}",
            f"{at_pace} / {closed}{pace}",
            _of_limit(result, limits.get(result.browsers)),
            f"{result.last_p50_ms:,.0f} / {result.last_p99_ms:,.0f}{pace}",
            f"{result.kb_per_browser:.1f}",
            f"{result.accept_cpu_us:,.0f}",
            f"{result.lost:,}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def targets(results: Sequence[Result], aside: Meanwhile) -> str:
    """Each target of the fan-out, and whether this run met it, as a table in Markdown."""
    rows = ["| target | measured | wanted | |", "|---|--:|--:|---|"]
    by_size: dict[int, dict[str, Result]] = {}
    for result in results:
        by_size.setdefault(result.browsers, {})[result.server] = result
    for found in by_size.values():
        rows += _targets_at(found)
    busy = f"last browser beside busy views, {aside.browsers:,} browsers: p50"
    ordinary = f"ordinary requests during the fan-out to {aside.browsers:,}: p95"
    rows += [
        _most(ordinary, aside.ordinary_p95_ms, _MOST_ORDINARY_MS, " ms"),
        _most(busy, aside.busy_last_p50_ms, _MOST_BUSY_MS, " ms"),
    ]
    return "\n".join(rows)


def _targets_at(found: dict[str, Result]) -> list[str]:
    ours = found[COURSEWIRE]
    rows = []
    for other, least in _RATIOS:
        if other in found:
            paced = ours.deliveries_per_cpu_s / found[other].deliveries_per_cpu_s
            closed = ours.closed_deliveries_per_cpu_s / found[other].closed_deliveries_per_cpu_s
            what = f"{ours.browsers:,} browsers: deliveries per CPU second, × {other}"
            measured = f"{paced:.2f} (closed loop {closed:.2f}){_reach(found, other)}"
            rows.append(_row(what, measured, f">= {least:g}", paced >= least))
    if NCHAN in found:
        what = f"{ours.browsers:,} browsers: last browser p99, Nchan's at most"
        rows.append(_most(what, ours.last_p99_ms, found[NCHAN].last_p99_ms, " ms"))
    return [
        *rows,
        _most(f"{ours.browsers:,} browsers: memory each", ours.kb_per_browser, _MOST_KB, " KB"),
        _most(f"{ours.browsers:,} browsers: to accept", ours.accept_cpu_us, _MOST_ACCEPT_US, " µs"),
        _most(f"{ours.browsers:,} browsers: lost", ours.lost, 0, ""),
    ]


def _most(what: str, measured: float, most: float, unit: str) -> str:
    return _row(what, f"{measured:g}{unit}", f"<= {most:g}{unit}", measured <= most)


def _reach(found: dict[str, Result], other: str) -> str:
    """How far the limit itself is ahead of *other*: no server can be further."""
    limit = found.get(LIMIT)
    if limit is None or other == LIMIT:
        return ""
    return f"; {LIMIT} {limit.deliveries_per_cpu_s / found[other].deliveries_per_cpu_s:.2f}"


def _row(what: str, measured: str, wanted: str, met: bool) -> str:
    return f"| {what} | {measured} | {wanted} | {'met' if met else '**missed**'} |"


def _thousands(value: float) -> str:
    return f"{value / 1000:.0f}" if value >= 20_000 else f"{value / 1000:.1f}"


def _of_limit(result: Result, limit: Result | None) -> str:
    if limit is None:
        return "–"
    paced = result.deliveries_per_cpu_s / limit.deliveries_per_cpu_s
    closed = result.closed_deliveries_per_cpu_s / limit.closed_deliveries_per_cpu_s
    return f"{paced:.2f} / {closed:.2f}"
