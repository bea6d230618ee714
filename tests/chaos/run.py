"""One run, from an empty database to the verdict."""

import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from flask import Flask
from sqlalchemy import select

from core.database import reading
from core.outbox import ActionAnswer, OutboxEvent
from tests.chaos.browser import Seat
from tests.chaos.faults import Breaker, Fault, plan
from tests.chaos.history import Happening, Write
from tests.chaos.judge import Judge, Verdict, Watcher
from tests.chaos.people import People, open_database, settle, truth
from tests.chaos.sights import Sight, look
from tests.chaos.stage import Stage, stage
from tests.chaos.wire import Gate
from tests.chaos.writers import Writers
from tests.servers import ROOT, postgresql

_OPEN_S = 90.0
_PATIENCE_S = 60.0
_LOOK_S = 0.2
_CROWDS = 2


@dataclass(frozen=True)
class Run:
    """What to do: for how long, with how many, and by which seed."""

    seed: int
    duration_s: float = 300.0
    database: Literal["sqlite", "postgresql"] = "sqlite"
    browsers: int = 240
    courses: int = 20
    videos: int = 12
    writers: int = 6
    pause_s: float = 1.5


@dataclass
class Outcome:
    """What a run was, and what the judge found."""

    run: Run
    verdict: Verdict
    writes: Counter[str]
    faults: Counter[str]
    browsers: int
    late_s: float | None
    """Seconds from the end of the last fault (or write) until all showed the truth."""
    owed: int
    """Rows that were left in the outbox."""

    @property
    def line(self) -> dict[str, Any]:
        """All of it, as the one line of JSON."""
        verdict = self.verdict
        return {
            "seed": self.run.seed,
            "database": self.run.database,
            "duration_s": self.run.duration_s,
            "writes": sum(self.writes.values()),
            "writes_by_outcome": dict(self.writes),
            "clients": self.browsers,
            "faults": dict(sorted(self.faults.items())),
            "lost": verdict.lost,
            "went_back": verdict.went_back,
            "torn": verdict.torn,
            "doubled": verdict.doubled,
            "extra_refetches": verdict.extra_refetches,
            "extra_by": dict(verdict.extra.most_common()),
            "early_refetches": verdict.early_refetches,
            "time_to_fresh_ms": {
                "p50": verdict.percentile_ms(0.5),
                "p99": verdict.percentile_ms(0.99),
                "max": verdict.percentile_ms(1.0),
            },
            "freshness": verdict.freshness,
            "never_fresh": verdict.never_fresh,
            "outbox_left": self.owed,
            "converged_s": self.late_s,
        }


class Crowds:
    """The processes with the browsers."""

    def __init__(self, processes: Sequence[asyncio.subprocess.Process]) -> None:
        self._processes = processes

    async def tell(self, orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Give each its order; returns what they answer."""
        pairs = zip(self._processes, orders, strict=True)
        return list(await asyncio.gather(*(_tell(process, order) for process, order in pairs)))

    async def tell_all(self, order: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Give all the same order."""
        return await self.tell([order] * len(self._processes))


def perform(run: Run, say: Callable[[str], None] = lambda _text: None) -> Outcome:
    """Carry out *run*; *say* is told what happens."""
    with tempfile.TemporaryDirectory(prefix="cw-chaos-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as somebody else
        with _database(run, folder) as url, open_database(url, folder) as app:
            people = settle(app, run.courses, run.videos, run.browsers)
            with stage(folder, url) as built:
                return asyncio.run(_Play(run, app, people, built, folder, say).perform())


@contextmanager
def _database(run: Run, folder: Path) -> Any:
    if run.database == "sqlite":
        yield f"sqlite:///{folder / 'chaos.sqlite3'}"
    else:
        with postgresql(folder / "postgresql") as url:
            yield url


class _Play:
    def __init__(
        self,
        run: Run,
        app: Flask,
        people: People,
        built: Stage,
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self._run = run
        self._app = app
        self._people = people
        self._stage = built
        self._folder = folder
        self._say = say
        self._random = Random(run.seed)
        self._over_at = 0.0
        self._faults: Counter[str] = Counter()

    async def perform(self) -> Outcome:
        gate = Gate(self._stage.ports, Random(self._run.seed))
        writers = Writers(self._people, gate, Random(self._run.seed))
        await writers.look()
        before = self._registers(self._truth())
        async with AsyncExitStack() as stack:
            crowds = Crowds([await _crowd(stack) for _ in range(_CROWDS)])
            await self._open(crowds)
            self._say(f"{len(self._people.seats)} browsers are open; chaos begins")
            ended = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(writers.write_until(ended, self._run.writers, self._run.pause_s))
                await self._break()
                ended.set()
            self._over_at = max([self._over_at, *(w.answered for w in writers.writes)])
            gate.close()
            self._say("chaos has ended; waiting until every browser shows the truth")
            bodies = await self._converge(crowds)
            noted = await self._collect(crowds)
        return await asyncio.to_thread(self._judge, writers, before, bodies, noted)

    async def _open(self, crowds: Crowds) -> None:
        shares = [self._people.seats[number::_CROWDS] for number in range(_CROWDS)]
        await crowds.tell(
            [
                {
                    "do": "begin",
                    "seed": self._random.random(),
                    "ports": self._stage.ports,
                    "seats": [asdict(seat) for seat in share],
                }
                for share in shares
            ]
        )
        wanted = len(self._people.seats)

        async def all_live() -> str | None:
            answers = await crowds.tell_all({"do": "state"})
            live = sum(answer["states"].get("live", 0) for answer in answers)
            whole = sum(answer["whole"] for answer in answers)
            return None if live == whole == wanted else f"{live} live, {whole} whole of {wanted}"

        left = await _wait(all_live, _OPEN_S)
        if left is not None:
            raise TimeoutError(f"after {_OPEN_S:g} s not every browser was open: {left}")

    async def _break(self) -> None:
        """Let everything happen that is planned, and return when all of it is over."""
        begun = time.monotonic()
        breaker = Breaker(self._stage)

        async def commit(fault: Fault) -> None:
            await asyncio.to_thread(breaker.commit, fault)
            self._over_at = max(self._over_at, time.monotonic())

        async with asyncio.TaskGroup() as group:
            for fault in plan(self._run.seed, self._run.duration_s):
                await asyncio.sleep(fault.after_s)
                self._say(f"{time.monotonic() - begun:6.1f} s  {fault.kind}")
                self._faults[fault.kind] += 1
                group.create_task(commit(fault))
        await asyncio.sleep(max(0.0, begun + self._run.duration_s - time.monotonic()))

    async def _converge(self, crowds: Crowds) -> dict[str, dict[str, tuple[str, bytes]]]:
        """Wait until every browser shows the truth, or for long; returns the truth."""
        while True:
            bodies = await asyncio.to_thread(self._truth)
            digests = {
                name: {key: digest for key, (digest, _) in shown.items()}
                for name, shown in bodies.items()
            }

            async def matched(wanted: Mapping[str, Any] = digests) -> str | None:
                answers = await crowds.tell(
                    [
                        {"do": "match", "truth": {s.name: wanted[s.name] for s in share}}
                        for share in (self._people.seats[n::_CROWDS] for n in range(_CROWDS))
                    ]
                )
                wrong = sum(answer["wrong"] for answer in answers)
                first = [each for answer in answers for each in answer["first"]]
                return f"{wrong} still differ: {', '.join(first)}" if wrong else None

            left = await _wait(matched, _PATIENCE_S)
            if left is not None:
                self._say(left)
            # A write that nobody waits for any more may have been carried out meanwhile.
            if await asyncio.to_thread(self._truth) == bodies:
                return bodies

    def _registers(
        self, bodies: Mapping[str, Mapping[str, tuple[str, bytes]]]
    ) -> dict[str, str | None]:
        """What each register shows, of all that stands in the database."""
        found: dict[str, str | None] = {}
        for seat in self._people.seats:
            for key, (_, body) in bodies[seat.name].items():
                found.update(look(key, seat.keys[key], body).values)
        return found

    def _truth(self) -> dict[str, dict[str, tuple[str, bytes]]]:
        return {seat.name: truth(self._app, seat) for seat in self._people.seats}

    async def _collect(self, crowds: Crowds) -> list[dict[str, Any]]:
        paths = [self._folder / f"noted-{number}.json" for number in range(_CROWDS)]
        await crowds.tell([{"do": "end", "path": str(path)} for path in paths])
        return [json.loads(path.read_text()) for path in paths]

    def _judge(
        self,
        writers: Writers,
        before: Mapping[str, str | None],
        bodies: Mapping[str, Mapping[str, tuple[str, bytes]]],
        noted: Sequence[Mapping[str, Any]],
    ) -> Outcome:
        owed = self._learn_traces(writers.writes)
        watchers = []
        sights: dict[tuple[str, str, str], Sight] = {}
        seats: dict[str, Seat] = {seat.name: seat for seat in self._people.seats}
        for share in noted:
            for name, rows in share["noted"].items():
                seat = seats[name]
                happenings = [Happening(*row) for row in rows]
                for happening in happenings:
                    if happening.kind == "shown":
                        seen = (happening.key, seat.keys[happening.key], happening.more)
                        if seen not in sights:
                            body = share["bodies"][happening.more].encode()
                            sights[seen] = look(seen[0], seen[1], body)
                steady = not name.startswith("swinger")
                watchers.append(Watcher(name, seat.keys, happenings, steady))
        judge = Judge(writers.writes, before, sights)
        for watcher in watchers:
            judge.watch(watcher, {key: digest for key, (digest, _) in bodies[watcher.name].items()})
        judge.truth(
            look(key, seats[name].keys[key], body)
            for name, shown in bodies.items()
            for key, (_, body) in shown.items()
            if body
        )
        verdict = judge.verdict
        late_s = round(max(0.0, verdict.settled_at - self._over_at), 2)
        return Outcome(
            self._run,
            verdict,
            Counter(write.outcome for write in writers.writes),
            self._faults,
            len(watchers),
            None if verdict.lost else late_s,
            owed,
        )

    def _learn_traces(self, writes: Sequence[Write]) -> int:
        """Under which trace each write was published; returns how many rows are still owed."""
        with self._app.app_context(), reading() as session:
            rows = session.execute(select(ActionAnswer.idempotency_key, ActionAnswer.answer))
            traces = {key: str((answer or {}).get("trace", "")) for key, answer in rows}
            owed = len(session.scalars(select(OutboxEvent.id)).all())
        for write in writes:
            write.trace = traces.get(write.key, "")
        return owed


async def _crowd(stack: AsyncExitStack) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.chaos.crowd",
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )

    async def end() -> None:
        if process.returncode is None:
            process.kill()
        await process.wait()

    stack.push_async_callback(end)
    return process


async def _tell(process: asyncio.subprocess.Process, order: Mapping[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(order).encode() + b"\n")
    await process.stdin.drain()
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("a process with browsers has ended")
    answer: dict[str, Any] = json.loads(line)
    return answer


async def _wait(look_again: Callable[[], Awaitable[str | None]], patience_s: float) -> str | None:
    """Ask again and again what is left to be done; returns what was left at the end."""
    until = time.monotonic() + patience_s
    left = await look_again()
    while left is not None and time.monotonic() < until:
        await asyncio.sleep(_LOOK_S)
        left = await look_again()
    return left
