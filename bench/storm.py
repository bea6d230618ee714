"""One write, and everybody reads again at once: ``make bench-storm``, or ``python -m bench.storm``.

Two workers on the server's core; on the other one Valkey and the browsers, each another signed-in
user with an open stream (bench/refetching.py). One of them renames a chapter, all get the notice
and read the list of chapters again. Counted in the real workers (bench/apps/counted.py): the runs
of the query, and every statement between the write and the last fresh answer; in Redis, commands.

Each situation is measured with the cache and without, on a server started for it:

- warm: both workers know every user, and the browsers keep their connections, as after a page load;
- cold: a user is known where their stream is, and the browsers come over new connections.

``N`` (``1000,5000``) says how many browsers. The last line is JSON; times are in milliseconds since
the action was sent, processor times in seconds.
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.coursewire import COURSE_ID, KEY, People, Site, coursewire, make_people
from bench.fanout import allow_open_files, most_browsers, say
from bench.processes import CLIENT_CORE, cpu_s, describe_machine, on_core, wait_until_idle
from core.bus import Bus
from tests.servers import ROOT, end

_SIZES = (1_000, 5_000)
_WORKERS = 2
_RUN = "run"
"""How bench/apps/counted.py writes down a run of the query."""

_PATH = f"/q/chapters/list/{COURSE_ID}"
_CONNECTIONS_EACH = 2
_SESSION_TABLES = frozenset({"account_user", "account_session"})
_GUARD_TABLES = frozenset({"course", "course_member"})


@dataclass(frozen=True)
class Storm:
    """One storm, measured.

    ``sessions`` and ``guards`` are the statements that ask who somebody is and what they may do;
    ``statements`` are all, by verb and table. ``redis`` counts commands, those inside scripts too.
    """

    browsers: int
    situation: str
    cached: bool
    runs: int
    sessions: int
    guards: int
    statements: dict[str, int]
    redis: dict[str, int]
    server_cpu_s: float
    fresh: int
    fresh_ms: dict[str, float]
    told_ms: dict[str, float]
    answered_ms: float
    statuses: dict[str, int]
    by_worker: list[int]
    client_share: float
    dropped_connections: int


def main() -> None:
    """Measure, print a table and the ratios, and end with one line of JSON."""
    most = most_browsers() // _CONNECTIONS_EACH
    wanted = os.environ.get("N")
    sizes = [min(int(size), most) for size in wanted.split(",")] if wanted else list(_SIZES)
    allow_open_files()
    machine = describe_machine()
    say(str(machine))
    with on_core(CLIENT_CORE), tempfile.TemporaryDirectory(prefix="cw-bench-") as name:
        people = make_people(Path(name), max(sizes))
        storms = []
        for size in sizes:
            for situation in ("warm", "cold"):
                for cached in (True, False):
                    storms.append(storm(Path(name), people, size, situation, cached=cached))
                    say(str(storms[-1]))
    say(f"\n{table(storms)}")
    told = {"machine": machine, "storms": storms, "ratios": ratios(storms)}
    say(json.dumps(told, default=asdict))


def storm(folder: Path, people: People, count: int, situation: str, *, cached: bool) -> Storm:
    """One storm over *count* browsers of a server started for it."""
    counts = folder / "counts"
    counts.write_bytes(b"")
    options = {} if cached else {"COURSEWIRE_CACHE_BYTES": "0"}
    with (
        coursewire(
            folder,
            people,
            "bench.apps.counted:app",
            WEB_CONCURRENCY=str(_WORKERS),
            BENCH_COUNTS=str(counts),
            **options,
        ) as site,
        _browsers(folder, people, site, count, situation) as load,
    ):
        _answer(load)
        chapter = _first_chapter(site, people)
        body = {
            "chapter_id": chapter["id"],
            "title": f"Written at {os.urandom(4).hex()}",
            "was": {"title": chapter["title"]},
        }
        wait_until_idle(site.pid)
        site.bus.client.config_resetstat()
        before, used_s, dropped = counts.stat().st_size, cpu_s(site.pid), _dropped()
        told = json.loads(_answer(load, {"action": "/a/chapters/rename", "body": body}))
        used_s, dropped = cpu_s(site.pid) - used_s, _dropped() - dropped
        statements = Counter(counts.read_bytes()[before:].decode().splitlines())
        redis = _commands(site.bus)
    return Storm(
        browsers=count,
        situation=situation,
        cached=cached,
        runs=statements.pop(_RUN, 0),
        sessions=_of(statements, _SESSION_TABLES),
        guards=_of(statements, _GUARD_TABLES),
        statements=dict(statements.most_common()),
        redis=redis,
        server_cpu_s=round(used_s, 2),
        dropped_connections=dropped,
        **{name: told[name] for name in Storm.__dataclass_fields__ if name in told},
    )


def table(storms: Sequence[Storm]) -> str:
    """The storms as a table in Markdown."""
    columns = (
        "browsers",
        "situation",
        "cache",
        "runs",
        "session / guard / all statements",
        "Redis scripts",
        "fresh p50 / p99 / last, ms",
        "server CPU, s",
        "fresh",
    )
    rows = [f"| {' | '.join(columns)} |", "|--:|---|---|" + "--:|" * (len(columns) - 3)]
    for each in storms:
        sums = f"{each.sessions:,} / {each.guards:,} / {sum(each.statements.values()):,}"
        times = " / ".join(f"{each.fresh_ms[name]:,.0f}" for name in ("p50", "p99", "last"))
        cells = (
            f"{each.browsers:,}",
            each.situation,
            "on" if each.cached else "off",
            f"{each.runs:,}",
            sums,
            f"{each.redis.get('evalsha', 0):,}",
            times,
            f"{each.server_cpu_s:g}",
            f"{each.fresh:,}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def ratios(storms: Sequence[Storm]) -> list[dict[str, Any]]:
    """Without the cache to with it, of each size and situation: the last one's time, and CPU."""
    with_cache = {(s.browsers, s.situation): s for s in storms if s.cached}
    return [
        {
            "browsers": off.browsers,
            "situation": off.situation,
            "last": round(off.fresh_ms["last"] / on.fresh_ms["last"], 2),
            "cpu": round(off.server_cpu_s / on.server_cpu_s, 2),
        }
        for off in storms
        if not off.cached
        for on in [with_cache[off.browsers, off.situation]]
    ]


@contextmanager
def _browsers(
    folder: Path, people: People, site: Site, count: int, situation: str
) -> Iterator["subprocess.Popen[str]"]:
    """The process of the browsers, which begins to prepare."""
    told = {
        "cookies": [people.cookie(number) for number in range(count)],
        "path": _PATH,
        "key": KEY,
        "workers": _WORKERS,
        "warm": situation == "warm",
    }
    file = folder / "people.json"
    file.write_text(json.dumps(told))
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.refetching", str(site.port), str(file)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            end(process)


def _answer(process: "subprocess.Popen[str]", word: object = None) -> str:
    """The next line of *process*, told *word* first; raises `RuntimeError` when it has ended."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the browsers have no pipes")
    if word is not None:
        process.stdin.write(json.dumps(word) + "\n")
        process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("the browsers ended")
    return line


def _first_chapter(site: Site, people: People) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    headers = {"Cookie": people.cookie(0), "Accept": "application/json"}
    connection.request("GET", _PATH, headers=headers)
    first: dict[str, Any] = json.loads(connection.getresponse().read())[0]
    connection.close()
    return first


def _commands(bus: Bus) -> dict[str, int]:
    """How often each command ran since the counters were set back."""
    told: dict[str, dict[str, int]] = bus.client.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in told.items()}
    return dict(sorted(calls.items(), key=lambda item: -item[1]))


def _of(statements: Counter[str], tables: frozenset[str]) -> int:
    return sum(
        number
        for what, number in statements.items()
        if what.startswith("SELECT ") and what.split()[1] in tables
    )


def _dropped() -> int:
    """Connections that met a full accept queue so far, on this whole machine; Linux only."""
    names, values = (
        line.split()
        for line in Path("/proc/net/netstat").read_text().splitlines()
        if line.startswith("TcpExt:")
    )
    return int(values[names.index("ListenOverflows")])


if __name__ == "__main__":
    main()
