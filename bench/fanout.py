"""The fan-out, side by side with others, in one run: ``make bench``, or ``python -m bench.fanout``.

Each server runs alone on one core; the browsers (a process of their own), the publisher and Valkey
run on another. docs/performance.md tells the method.

Environment: ``N`` (how many browsers: ``1000,5000,10000``, as far as descriptors reach), ``ROUNDS``
(3), ``SECONDS`` (5: how long each phase lasts, about), ``PLOT`` (where the plot goes: into docs
only when all is measured). The last line is JSON.
"""

import json
import os
import resource
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import meanwhile
from bench.comparison import Plan, Result, compare
from bench.coursewire import make_people
from bench.plot import Plot, bars
from bench.processes import CLIENT_CORE, describe_machine, on_core, open_files_limit
from bench.report import table, targets
from tests.servers import ROOT

_SIZES = (1_000, 5_000, 10_000)
_MOST_MEANWHILE = 5_000
_SPARE_DESCRIPTORS = 200
_IN_DOCS = ROOT / "docs" / "images" / "fanout.svg"
_ELSEWHERE = ROOT / "var" / "bench" / "fanout.svg"


def main() -> None:
    """Measure; print the table, the targets and one line of JSON; draw the plot."""
    plan = plan_of(os.environ)
    machine = describe_machine()
    allow_open_files()
    say(f"{machine}\n{plan}")
    with on_core(CLIENT_CORE), tempfile.TemporaryDirectory(prefix="cw-bench-") as folder:
        people = make_people(Path(folder), max(plan.sizes))
        results = compare(plan, Path(folder), people, say)
        count = min(_MOST_MEANWHILE, max(plan.sizes))
        aside = meanwhile.measure(Path(folder), people, count, plan.rounds, plan.seconds)
    for text in (table(results), meanwhile.table(aside), targets(results, aside)):
        say(f"\n{text}")
    in_docs = set(plan.sizes) >= set(_SIZES[:2])
    say(f"\ndrawn: {draw(results, Path(os.environ.get('PLOT') or _plot_path(in_docs)))}")
    told = {
        "machine": machine,
        "rounds": plan.rounds,
        "results": [vars(result) for result in results],
        "meanwhile": vars(aside),
    }
    say(json.dumps(told))


def plan_of(environment: Mapping[str, str]) -> Plan:
    """What is to be measured; raises `SystemExit` for more browsers than descriptors allow."""
    most = most_browsers()
    wanted = environment.get("N")
    sizes = tuple(map(int, wanted.split(","))) if wanted else _SIZES
    if wanted and max(sizes) > most:
        raise SystemExit(f"{max(sizes)} browsers need more open files than the {most} allowed here")
    return Plan(
        tuple(size for size in sizes if size <= most),
        int(environment.get("ROUNDS") or 3),
        float(environment.get("SECONDS") or 5),
    )


def most_browsers() -> int:
    """How many streams one process may hold here, beside what else it opens."""
    return open_files_limit() - _SPARE_DESCRIPTORS


def allow_open_files() -> None:
    """Raise the limit of open files, which servers inherit, as far as it goes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def draw(results: Sequence[Result], path: Path) -> Path:
    """Draw what a second of the server's processor delivers; returns *path*."""
    groups: dict[str, dict[str, float]] = {}
    for result in results:
        series = f"{result.browsers:,} browsers"
        groups.setdefault(result.server, {})[series] = result.deliveries_per_cpu_s / 1000
    note = "10 events a second; fewer for servers that cannot keep that pace (see the table)"
    title = "Deliveries for one second of the server's processor"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(bars(Plot(title, "thousands", note), groups))
    return path


def say(text: str) -> None:
    """Print *text* now."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _plot_path(in_docs: bool) -> Path:
    return _IN_DOCS if in_docs else _ELSEWHERE


if __name__ == "__main__":
    main()
