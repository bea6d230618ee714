"""What else a worker does while it fans out: ordinary requests, busy views, merging, accepting."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.browsers import Browsers, browsers
from bench.comparison import percentile
from bench.coursewire import People, Site, coursewire
from bench.phases import Phase, burst, paced
from bench.processes import cpu_s
from tests.servers import ROOT

_ORDINARY = "/q/media/list"
_NAMED = "/q/chapters/list/1"
"""What each notice makes stale: a lease, a query and several answers of Redis for each."""

_ORDINARY_EVERY_S = 0.05
_HAMMERS = 3
_HAMMERED_EVENTS_PER_S = 1.0
_BURST_EVENTS = 200


@dataclass(frozen=True)
class Meanwhile:
    """Medians of the rounds, all with the same browsers."""

    browsers: int
    ordinary_alone_p95_ms: float
    ordinary_p95_ms: float
    refetch_p95_ms: float
    busy_last_p50_ms: float
    busy_last_p99_ms: float
    burst_told_per_cpu_s: int
    burst_frames_per_browser: float
    first_accept_cpu_us: int
    lost: int


@dataclass(frozen=True)
class _Round:
    alone_ms: list[float]
    ordinary_ms: list[float]
    refetch_ms: list[float]
    during: tuple[Phase, Phase]
    busy: Phase
    bursts: Phase


def measure(folder: Path, people: People, count: int, rounds: int, seconds: float) -> Meanwhile:
    """One worker with *count* browsers. The busy view is bench/apps/busy.py's."""
    with coursewire(folder, people, "bench.apps.busy:app") as site:
        used_s = cpu_s(site.pid)
        site.remember(people, count)
        first_us = (cpu_s(site.pid) - used_s) / count * 1e6
        with browsers(folder, count, site.port, people.requests(count)) as load:
            load.open()
            done = [_round(site, people, load, seconds) for _ in range(rounds)]
    return _medians(count, done, first_us)


def table(aside: Meanwhile) -> str:
    """What was measured, as a table in Markdown."""
    hammered = f"beside {_HAMMERS} clients of a 20 ms CPU-bound view"
    first = "first request of a user (session and guards from the database): CPU"
    lines = {
        "ordinary requests, no fan-out: p95": f"{aside.ordinary_alone_p95_ms:g} ms",
        "ordinary requests during 10 notices/s: p95": f"{aside.ordinary_p95_ms:g} ms",
        "reading what these notices name, meanwhile: p95": f"{aside.refetch_p95_ms:g} ms",
        f"last browser {hammered}: p50": f"{aside.busy_last_p50_ms:g} ms",
        f"last browser {hammered}: p99": f"{aside.busy_last_p99_ms:g} ms",
        f"bursts of {_BURST_EVENTS}, merged: told per CPU s": f"{aside.burst_told_per_cpu_s:,}",
        "… frames that each browser got for a burst": f"{aside.burst_frames_per_browser:g}",
        first: f"{aside.first_accept_cpu_us} µs",
        "lost": f"{aside.lost:,}",
    }
    head = [f"| one worker with {aside.browsers:,} browsers | |", "|---|--:|"]
    return "\n".join([*head, *(f"| {what} | {value} |" for what, value in lines.items())])


def _round(site: Site, people: People, load: Browsers, seconds: float) -> _Round:
    events = max(3, int(10 * seconds))
    with _asking(site, people, _ORDINARY, 1, _ORDINARY_EVERY_S, seconds) as asked:
        pass
    alone = asked()
    with _asking(site, people, _ORDINARY, 1, _ORDINARY_EVERY_S, seconds) as asked:
        during = paced(load, site.pid, site.publish, events, 10)
    ordinary = asked()
    with _asking(site, people, _NAMED, 1, _ORDINARY_EVERY_S, seconds) as asked:
        also = paced(load, site.pid, site.publish, events, 10)
    refetch = asked()
    events = max(3, int(_HAMMERED_EVENTS_PER_S * seconds))
    with _asking(site, people, "/busy", _HAMMERS, 0, seconds + 1) as asked:
        time.sleep(0.5)  # until all of them have begun
        busy = paced(load, site.pid, site.publish, events, _HAMMERED_EVENTS_PER_S)
    asked()
    bursts = burst(load, site.pid, site.publish, _BURST_EVENTS)
    return _Round(alone, ordinary, refetch, (during, also), busy, bursts)


@contextmanager
def _asking(
    site: Site, people: People, target: str, clients: int, every_s: float, seconds: float
) -> "Iterator[_Answers]":
    """Meanwhile, and for *seconds*, clients ask for *target*: see bench/asking.py."""
    words = [site.port, target, people.cookie(0), clients, every_s, seconds]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.asking", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield _Answers(process)
    except BaseException:
        process.kill()
        process.communicate()
        raise


@dataclass(frozen=True)
class _Answers:
    """How long the answers took, in milliseconds, once the clients have ended."""

    process: "subprocess.Popen[str]"

    def __call__(self) -> list[float]:
        told, _ = self.process.communicate(timeout=120)
        if self.process.returncode:
            raise RuntimeError("the clients of ordinary requests failed")
        took_ms: list[float] = json.loads(told)
        return took_ms


def _medians(count: int, done: list[_Round], first_us: float) -> Meanwhile:
    def middle(values: Iterator[float]) -> float:
        return round(statistics.median(values), 1)

    return Meanwhile(
        browsers=count,
        ordinary_alone_p95_ms=middle(percentile(one.alone_ms, 0.95) for one in done),
        ordinary_p95_ms=middle(percentile(one.ordinary_ms, 0.95) for one in done),
        refetch_p95_ms=middle(percentile(one.refetch_ms, 0.95) for one in done),
        busy_last_p50_ms=middle(percentile(one.busy.got.last_ms, 0.5) for one in done),
        busy_last_p99_ms=middle(percentile(one.busy.got.last_ms, 0.99) for one in done),
        burst_told_per_cpu_s=int(middle(one.bursts.told_per_cpu_s for one in done)),
        burst_frames_per_browser=middle(one.bursts.got.received / count for one in done),
        first_accept_cpu_us=int(first_us),
        lost=sum(
            phase.got.missing for one in done for phase in (*one.during, one.busy, one.bursts)
        ),
    )
