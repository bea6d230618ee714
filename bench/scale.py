"""What the fan-out costs with more browsers, more keys, more workers: ``python -m bench.scale``.

One server on one core, as in `bench.fanout`; costs are the server's processor time. ``SECONDS`` (3)
is how long a measurement lasts, about, and ``MOST`` (20000) how many browsers are tried, as far as
descriptors reach. Draws the plots of docs/performance.md, with ``PLOTS`` into another folder. The
last line is JSON.
"""

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.browsers import Browsers, browsers
from bench.comparison import percentile
from bench.contenders import LIMIT, Contender, by_name
from bench.coursewire import People, Site, coursewire, make_people
from bench.fanout import allow_open_files, most_browsers, say
from bench.phases import Phase, closed_loop
from bench.plot import Plot, lines
from bench.processes import (
    CLIENT_CORE,
    cpu_s,
    describe_machine,
    family,
    on_core,
    pss_kb,
    wait_until_idle,
)
from tests.servers import ROOT

_SIZES = (100, 300, 1_000, 3_000, 10_000, 20_000)
_KEYS = (10, 100, 1_000, 10_000, 100_000)
_WORKERS = (1, 2, 3, 4)
_USERS = 2_000
_BROWSERS_WITH_KEYS = 1_000
_BROWSERS_OF_WORKERS = 2_000
_MOST_KEYS_EACH = 100
_UNWATCHED = "chapters:list:999"
_NOTICES_AT_ONCE = 3_000
_LONE_NOTICES = 300
_LONE_EVERY_S = 0.01
_MOST_NOTICE_US = 20.0


@dataclass(frozen=True)
class Browsing:
    """With so many browsers: what a delivery, a browser and its coming cost."""

    browsers: int
    delivery_us: float
    limit_delivery_us: float | None
    kb_per_browser: float
    accept_cpu_us: float


@dataclass(frozen=True)
class Watching:
    """With so many keys watched: what a notice costs that names none of them, and what a key costs.

    ``kb_per_key`` is for each key of each browser.
    """

    keys: int
    unwatched_notice_us: float
    lone_notice_us: float
    kb_per_key: float


@dataclass(frozen=True)
class Working:
    """With so many workers on one core: what a delivery, and a notice nobody watches, cost each."""

    workers: int
    delivery_us: float
    unwatched_notice_us: float
    last_p50_ms: float


def main() -> None:
    """Measure, print, draw."""
    seconds = float(os.environ.get("SECONDS") or 3)
    most = min(int(os.environ.get("MOST") or _SIZES[-1]), most_browsers())
    allow_open_files()
    machine = describe_machine()
    say(str(machine))
    with on_core(CLIENT_CORE), tempfile.TemporaryDirectory(prefix="cw-bench-") as name:
        folder = Path(name)
        people = make_people(folder, min(_USERS, most))
        sizes = sorted({min(size, most) for size in _SIZES})
        browsing = [_browse(folder, people, size, seconds) for size in sizes]
        watching = [_watch(folder, people, keys, min(_BROWSERS_WITH_KEYS, most)) for keys in _KEYS]
        size = min(_BROWSERS_OF_WORKERS, most)
        working = [_work(folder, people, workers, size, seconds) for workers in _WORKERS]
    for each in (*browsing, *watching, *working):
        say(str(each))
    plots = Path(os.environ.get("PLOTS") or ROOT / "docs" / "images")
    for path in draw(browsing, watching, working, plots):
        say(f"drawn: {path}")
    told = {"machine": machine, "browsers": browsing, "keys": watching, "workers": working}
    say(json.dumps(told, default=asdict))


def _browse(folder: Path, people: People, count: int, seconds: float) -> Browsing:
    with (
        coursewire(folder, people) as site,
        browsers(folder, count, site.port, people.requests(count)) as load,
    ):
        site.remember(people, count)
        memory_kb, used_s = pss_kb(site.pid), cpu_s(site.pid)
        load.open()
        wait_until_idle(site.pid)
        accept_us = (cpu_s(site.pid) - used_s) / count * 1e6
        kb_per_browser = (pss_kb(site.pid) - memory_kb) / count
        phase = _loop(load, site, seconds)
    limit = by_name(LIMIT)
    limit_us = None if limit.missing() else _limit(limit, folder, people, count, seconds)
    return Browsing(
        count, _delivery_us(phase), limit_us, round(kb_per_browser, 2), round(accept_us)
    )


def _limit(limit: Contender, folder: Path, people: People, count: int, seconds: float) -> float:
    with (
        limit.start(folder, people, count) as server,
        browsers(folder, count, server.port, server.requests) as load,
    ):
        load.open()
        trial = closed_loop(load, server.pid, server.publish, 3)
        events = _events(trial, seconds)
        return _delivery_us(closed_loop(load, server.pid, server.publish, events))


def _watch(folder: Path, people: People, keys: int, count: int) -> Watching:
    each = min(_MOST_KEYS_EACH, keys)
    texts = ["media:list", *(f"media:list:{_page(number)}" for number in range(2, keys + 1))]

    def keys_of(number: int) -> Sequence[str]:
        first = number * each % keys
        return (texts + texts[:each])[first : first + each]

    with (
        coursewire(folder, people) as site,
        browsers(folder, count, site.port, people.requests(count, keys_of)) as load,
    ):
        site.remember(people, count)
        memory_kb = pss_kb(site.pid)
        load.open()
        wait_until_idle(site.pid)
        kb_per_key = (pss_kb(site.pid) - memory_kb) / (count * each)
        return Watching(
            min(keys, count * each),
            _notice_us(site),
            _lone_notice_us(site),
            round(kb_per_key, 3),
        )


def _work(folder: Path, people: People, workers: int, count: int, seconds: float) -> Working:
    with (
        coursewire(folder, people, WEB_CONCURRENCY=str(workers)) as site,
        browsers(folder, count, site.port, people.requests(count)) as load,
    ):
        load.open()
        wait_until_idle(site.pid)
        phase = _loop(load, site, seconds)
        unwatched_us = _notice_us(site)
        last_ms = percentile(phase.got.last_ms, 0.5)
    return Working(workers, _delivery_us(phase), unwatched_us, round(last_ms, 1))


def _loop(load: Browsers, site: Site, seconds: float) -> Phase:
    trial = closed_loop(load, site.pid, site.publish, 3)
    return closed_loop(load, site.pid, site.publish, _events(trial, seconds))


def _events(trial: Phase, seconds: float) -> int:
    return max(5, min(2_000, int(seconds * trial.events / trial.wall_s)))


def _delivery_us(phase: Phase) -> float:
    return round(1e6 / phase.deliveries_per_cpu_s, 2)


def _notice_us(site: Site) -> float:
    """Each worker's time for a notice that nobody watches, when many have come at once.

    The workers stand still while the notices are published: what they cost is then no more than
    reading them and finding that nobody watches.
    """
    workers = family(site.pid)[1:]
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    for number in range(_NOTICES_AT_ONCE):
        site.publish("", f"{_UNWATCHED}{number}")
    used_s = cpu_s(site.pid)
    for worker in workers:
        os.kill(worker, signal.SIGCONT)
    wait_until_idle(site.pid)
    return round((cpu_s(site.pid) - used_s) / _NOTICES_AT_ONCE / len(workers) * 1e6, 1)


def _lone_notice_us(site: Site) -> float:
    """The same when they come one by one, so that each wakes the worker; without its idle time."""
    idle_s = _used_s(site, lambda _: None)
    used_s = _used_s(site, lambda number: site.publish("", f"{_UNWATCHED}{number}"))
    return round((used_s - idle_s) / _LONE_NOTICES * 1e6, 1)


def _used_s(site: Site, do: Callable[[int], None]) -> float:
    used_s = cpu_s(site.pid)
    for number in range(_LONE_NOTICES):
        do(number)
        time.sleep(_LONE_EVERY_S)
    return cpu_s(site.pid) - used_s


def _page(number: int) -> str:
    """A key's last segment, with the option ``page``, as `core.keys` writes it."""
    return f"%7B%22page%22%3A{number}%7D"


def draw(
    browsing: Sequence[Browsing],
    watching: Sequence[Watching],
    working: Sequence[Working],
    folder: Path,
) -> list[Path]:
    """Draw the three plots into *folder*; returns their paths."""
    delivery = {"Coursewire": [(each.browsers, each.delivery_us) for each in browsing]}
    limit = [(e.browsers, e.limit_delivery_us) for e in browsing if e.limit_delivery_us is not None]
    if limit:
        delivery["raw C"] = limit
    plots = {
        "scale-browsers": lines(
            Plot(
                "What a delivery costs, by the number of browsers", "µs of the server's processor"
            ),
            "browsers",
            delivery,
        ),
        "scale-keys": lines(
            Plot(
                "What a notice nobody watches costs a worker",
                "µs, by the number of keys that are watched",
            ),
            "keys",
            {
                "many at once": [(e.keys, e.unwatched_notice_us) for e in watching],
                "one by one": [(e.keys, e.lone_notice_us) for e in watching],
            },
            _MOST_NOTICE_US,
        ),
        "scale-workers": lines(
            Plot("By the number of workers, all on one core", "µs of the server's processor"),
            "workers",
            {
                "a delivery": [(e.workers, e.delivery_us) for e in working],
                "a notice nobody watches, each": [
                    (e.workers, e.unwatched_notice_us) for e in working
                ],
            },
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, svg in plots.items():
        path = folder / f"{name}.svg"
        path.write_text(svg)
        paths.append(path)
    return paths


if __name__ == "__main__":
    main()
