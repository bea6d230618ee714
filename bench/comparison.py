"""Servers side by side: rounds that go through all of them in turn, and the medians of the rounds.

So a slow minute of the machine meets every server, and ratios within one run mean something.
"""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.browsers import browsers
from bench.contenders import CONTENDERS, Contender, Server
from bench.coursewire import People
from bench.phases import Phase, closed_loop, paced
from bench.processes import cpu_s, pss_kb, wait_until_idle
from tests.servers import wait_until

PACES_PER_S = (10.0, 2.0, 0.5)
_COMFORTABLE = 0.6
"""The share of what the closed loop reached that a pace may ask for; else a slower one is taken."""

_MOST_CLOSED_EVENTS = 400
_TRIAL_EVENTS = 3


@dataclass(frozen=True)
class Plan:
    """How much is measured: how many browsers, how often, and how long each phase lasts, about."""

    sizes: tuple[int, ...]
    rounds: int
    seconds: float


@dataclass(frozen=True)
class Sample:
    """One round of one server."""

    accept_cpu_us: float
    kb_per_browser: float
    per_s: float
    paced: Phase
    closed: Phase
    lost: int


@dataclass(frozen=True)
class Result:
    """The medians of one server's rounds with one number of browsers: a line of the table.

    ``client_share`` is the highest share of their core that the browsers used in a closed loop.
    """

    server: str
    browsers: int
    events_per_s: float
    deliveries_per_cpu_s: int
    closed_deliveries_per_cpu_s: int
    last_p50_ms: float
    last_p99_ms: float
    kb_per_browser: float
    accept_cpu_us: float
    lost: int
    client_share: float


def compare(
    plan: Plan,
    folder: Path,
    people: People,
    say: Callable[[str], None],
    contenders: Iterable[Contender] = CONTENDERS,
) -> list[Result]:
    """Every contender that is here, at every size; the largest sizes without the slowest."""
    here = []
    for contender in contenders:
        reason = contender.missing()
        if reason is None:
            here.append(contender)
        else:
            say(f"{contender.name} is left out: {reason}")
    results = []
    for size in plan.sizes:
        results += _compare_at(
            size, plan, folder, people, say, [c for c in here if c.most_browsers >= size]
        )
    return results


def measure(server: Server, folder: Path, size: int, seconds: float) -> Sample:
    """One server that has just started, with *size* browsers: memory, closed loop, pace."""
    with browsers(folder, size, server.port, server.requests) as load:
        server.before(size)
        memory_kb, used_s = pss_kb(server.pid), cpu_s(server.pid)
        load.open(eager=server.eager)
        subscribers = server.subscribers
        if subscribers is not None:
            wait_until(lambda: subscribers() >= size, "subscription of every browser", 120)
        wait_until_idle(server.pid)
        accept_us = (cpu_s(server.pid) - used_s) / size * 1e6
        kb_per_browser = (pss_kb(server.pid) - memory_kb) / size
        trial = closed_loop(load, server.pid, server.publish, _TRIAL_EVENTS)
        events = int(seconds * _TRIAL_EVENTS / trial.wall_s)
        events = max(_TRIAL_EVENTS, min(_MOST_CLOSED_EVENTS, events))
        closed = closed_loop(load, server.pid, server.publish, events)
        per_s = _pace(closed, size)
        events = max(_TRIAL_EVENTS, int(per_s * seconds))
        at_pace = paced(load, server.pid, server.publish, events, per_s)
    got = (at_pace.got, closed.got)
    lost = sum(one.missing + (0 if server.merges else one.skipped) for one in got)
    return Sample(accept_us, kb_per_browser, per_s, at_pace, closed, lost)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that *share* of *values* stay below; not a number without any."""
    if not values:
        return float("nan")
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _compare_at(
    size: int,
    plan: Plan,
    folder: Path,
    people: People,
    say: Callable[[str], None],
    contenders: Sequence[Contender],
) -> list[Result]:
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for number in range(plan.rounds):
        for contender in contenders:
            with contender.start(folder, people, size) as server:
                sample = measure(server, folder, size, plan.seconds)
            samples[contender.name].append(sample)
            say(
                f"{size:>6,} browsers, round {number + 1}: {contender.name:<15}"
                f"{sample.paced.deliveries_per_cpu_s / 1000:8.1f} /"
                f"{sample.closed.deliveries_per_cpu_s / 1000:6.1f} thousand per CPU second"
            )
    return [_median(name, size, rounds) for name, rounds in samples.items()]


def _pace(closed: Phase, size: int) -> float:
    """The fastest pace that does not ask for more than the server comfortably does."""
    for per_s in PACES_PER_S:
        if per_s * size <= _COMFORTABLE * closed.deliveries_per_s:
            return per_s
    return PACES_PER_S[-1]


def _median(server: str, size: int, rounds: Sequence[Sample]) -> Result:
    def middle(value: Callable[[Sample], float], digits: int = 1) -> float:
        return round(statistics.median(value(sample) for sample in rounds), digits)

    return Result(
        server=server,
        browsers=size,
        events_per_s=middle(lambda sample: sample.per_s),
        deliveries_per_cpu_s=int(middle(lambda sample: sample.paced.deliveries_per_cpu_s)),
        closed_deliveries_per_cpu_s=int(middle(lambda sample: sample.closed.deliveries_per_cpu_s)),
        last_p50_ms=middle(lambda sample: percentile(sample.paced.got.last_ms, 0.50)),
        last_p99_ms=middle(lambda sample: percentile(sample.paced.got.last_ms, 0.99)),
        kb_per_browser=middle(lambda sample: sample.kb_per_browser, 2),
        accept_cpu_us=middle(lambda sample: sample.accept_cpu_us, 0),
        lost=sum(sample.lost for sample in rounds),
        client_share=max(round(sample.closed.client_share, 2) for sample in rounds),
    )
