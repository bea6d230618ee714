"""Many browsers in one process: ``python -m tests.chaos.crowd``, told what to do line by line.

Every line of its input is a JSON object, and is answered by one: ``begin``; ``state``; ``match``
with what every key must show, answered by how many do not; ``end``, which writes down all that
happened and ends the process.
"""

import asyncio
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from tests.chaos.browser import Browser, Seat
from tests.chaos.history import Happening
from tests.chaos.wire import Gate

_OPENED_EACH_S = 0.01


class Crowd:
    """The browsers of this process, and what they noted."""

    def __init__(self) -> None:
        self._browsers: dict[str, Browser] = {}
        self._seats: dict[str, Seat] = {}
        self._noted: dict[str, list[Happening]] = {}
        self._bodies: dict[str, str] = {}
        self._gate: Gate | None = None

    async def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Do what one line says; returns the answer."""
        if order["do"] == "begin":
            return await self._begin(order)
        if order["do"] == "state":
            states = Counter(browser.state for browser in self._browsers.values())
            shows = sum(len(b.shown) == len(self._seats[n].keys) for n, b in self._browsers.items())
            return {"states": states, "whole": shows}
        if order["do"] == "match":
            return self._match(order["truth"])
        return self._end(Path(order["path"]))

    async def _begin(self, order: dict[str, Any]) -> dict[str, Any]:
        random = Random(order["seed"])
        self._gate = Gate([(a, b) for a, b in order["ports"]], random)
        for told in order["seats"]:
            seat = Seat(**told)
            noted = self._noted.setdefault(seat.name, [])
            browser = Browser(seat, self._gate, random, noted.append, self._keep)
            self._seats[seat.name], self._browsers[seat.name] = seat, browser
            browser.start()
            await asyncio.sleep(_OPENED_EACH_S)
        return {"browsers": len(self._browsers)}

    def _keep(self, digest: str, body: bytes) -> None:
        self._bodies.setdefault(digest, body.decode())

    def _match(self, truth: dict[str, dict[str, str]]) -> dict[str, Any]:
        wrong = [
            f"{name} {key}"
            for name, browser in self._browsers.items()
            for key, digest in truth[name].items()
            if browser.shown.get(key) != digest
        ]
        return {"wrong": len(wrong), "first": wrong[:3]}

    def _end(self, path: Path) -> dict[str, Any]:
        for browser in self._browsers.values():
            browser.close()
        if self._gate is not None:
            self._gate.close()
        with path.open("w") as file:
            json.dump(
                {
                    "bodies": self._bodies,
                    "noted": {
                        name: [list(asdict(h).values()) for h in noted]
                        for name, noted in self._noted.items()
                    },
                },
                file,
            )
        return {"ended": True}


async def main() -> None:
    """Obey until told to end, or until nobody is there who could tell."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    crowd = Crowd()
    while line := await lines.readline():
        answer = await crowd.obey(json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        if "ended" in answer:
            return


if __name__ == "__main__":
    asyncio.run(main())
