"""What the freshness guard costs: ``make bench-guard``, or ``python -m bench.guard``.

Three servers, one per mode, are up at once; in each round each is asked for actions for a while,
one after the other, in an order that changes. So what else the machine does meets all of them.
Each has answered many keys before, as many users, and goes on answering one after every fifth
action: a guard without anything to suspect would cost nothing.

``N`` says how many rounds, ``SECONDS`` how long each mode has in a round. The last line is JSON:
per mode the medians of actions per second and of the processor time of an action, and their ratios
to those with the guard off.
"""

import http.client
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.coursewire import COURSE_ID, KEY, People, Site, coursewire, make_people
from bench.fanout import say
from bench.processes import CLIENT_CORE, cpu_s, describe_machine, on_core, wait_until_idle

MODES = ("off", "heal", "strict")

_PEOPLE = 50
_CHAPTERS = 8
_VIDEOS = 40
_READ_EVERY = 5


@dataclass(frozen=True)
class Cost:
    """What one mode costs, as medians of the rounds; ratios to the guard being off."""

    mode: str
    actions_per_s: float
    cpu_us: float
    throughput_ratio: float
    cpu_ratio: float


@dataclass
class Load:
    """A server of one mode, a connection to it, and what was measured so far."""

    site: Site
    people: People
    actions_per_s: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", self.site.port)
        self._chapters: list[dict[str, Any]] = []
        self._number = 0

    def prepare(self) -> None:
        """Fill the course, and read every screen of it as everybody."""
        for number in range(_CHAPTERS):
            self._ask("/a/chapters/add", {"course_id": COURSE_ID, "title": f"Chapter {number}"})
        for number in range(_VIDEOS):
            url = f"https://video.test/{number}.mp4"
            self._ask("/a/media/add-url", {"title": f"Video {number}", "url": url})
        self._chapters = self._ask(f"/q/chapters/list/{COURSE_ID}")
        for number in range(_PEOPLE):
            for path in self._screens(number):
                self._ask(path, number=number)
        wait_until_idle(self.site.pid)

    def run(self, seconds: float) -> None:
        """Act, and read what that made stale, until the time is over."""
        began, used_s = time.perf_counter(), cpu_s(self.site.pid)
        count = 0
        while time.perf_counter() - began < seconds:
            self._act()
            count += 1
        took_s = time.perf_counter() - began
        wait_until_idle(self.site.pid)  # what the guard still owes is its cost too
        self.actions_per_s.append(count / took_s)
        self.cpu_us.append((cpu_s(self.site.pid) - used_s) / count * 1e6)

    def _act(self) -> None:
        self._number += 1
        chapter = self._chapters[self._number % len(self._chapters)]
        title = f"Chapter {self._number}"
        body = {"chapter_id": chapter["id"], "title": title, "was": {"title": chapter["title"]}}
        answer = self._ask("/a/chapters/rename", body)
        chapter["title"] = title
        if self._number % _READ_EVERY == 0:
            self._ask(f"/q/{KEY.replace(':', '/')}", floor=answer["stamp"])

    def _screens(self, number: int) -> Iterator[str]:
        yield from ("/q/courses/list", "/q/media/list", f"/q/courses/detail/{COURSE_ID}")
        yield from (f"/q/chapters/{name}/{COURSE_ID}" for name in ("list", "outline"))
        video = number % _VIDEOS + 1
        yield from (f"/q/media/{name}/{video}" for name in ("detail", "usage"))
        chapter = self._chapters[number % len(self._chapters)]
        yield f"/q/chapters/picker/{chapter['id']}"

    def _ask(
        self, target: str, body: object = None, *, number: int = 0, floor: str | None = None
    ) -> Any:
        headers = {"Cookie": self.people.cookie(number), "Accept": "application/json"}
        if floor is not None:
            headers["Live-Floor"] = floor
        if body is None:
            self._connection.request("GET", target, headers=headers)
        else:
            headers["Content-Type"] = "application/json"
            self._connection.request("POST", target, json.dumps(body), headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.status in (302, 303, 307, 308):
            return self._ask(response.headers["Location"], number=number)
        if response.status != 200:
            raise RuntimeError(f"{target} is answered {response.status}: {content[:200]!r}")
        return json.loads(content)


def main() -> None:
    """Measure, and say it."""
    rounds, seconds = int(os.environ.get("N", "7")), float(os.environ.get("SECONDS", "4"))
    with ExitStack() as stack:
        stack.enter_context(on_core(CLIENT_CORE))
        loads = {mode: _start(stack, mode) for mode in MODES}
        for number in range(rounds + 1):
            for mode in MODES[number % 3 :] + MODES[: number % 3]:
                loads[mode].run(seconds if number else 1.0)
        costs = [_cost(mode, loads) for mode in MODES]
    say(f"{rounds} rounds of {seconds:g} s; every fifth action is followed by a read.")
    for cost in costs:
        say(
            f"{cost.mode:7} {cost.actions_per_s:7.1f} actions/s ({cost.throughput_ratio:.3f})   "
            f"{cost.cpu_us:7.0f} µs of processor time each ({cost.cpu_ratio:.3f})"
        )
    told = {"rounds": rounds, "seconds": seconds, "machine": describe_machine()}
    say(json.dumps({**told, "costs": [asdict(cost) for cost in costs]}))


def _start(stack: ExitStack, mode: str) -> Load:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    people = make_people(folder, _PEOPLE)
    site = stack.enter_context(coursewire(folder, people, COURSEWIRE_FRESHNESS=mode))
    load = Load(site, people)
    load.prepare()
    return load


def _cost(mode: str, loads: dict[str, Load]) -> Cost:
    """The medians without the first round, which warms up; each ratio is of one round."""
    own, off = loads[mode], loads["off"]
    throughput = [a / b for a, b in zip(own.actions_per_s, off.actions_per_s, strict=True)]
    cpu = [a / b for a, b in zip(own.cpu_us, off.cpu_us, strict=True)]
    return Cost(
        mode,
        round(statistics.median(own.actions_per_s[1:]), 1),
        round(statistics.median(own.cpu_us[1:])),
        round(statistics.median(throughput[1:]), 3),
        round(statistics.median(cpu[1:]), 3),
    )


if __name__ == "__main__":
    main()
