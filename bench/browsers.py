"""The load: many browsers in a process of their own; `browsers.c` tells the language.

Compiled where there is a C compiler, else the Python program, which is slower.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.processes import CLIENT_CORE, cpu_s, on_core
from tests.servers import end

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Received:
    """What came of a phase, added up over the browsers.

    ``skipped`` are events before a browser's newest one, which a server may have merged with it;
    ``missing`` are those after it. ``last_ms`` has, for each event that reached all, when it had.
    """

    received: int
    repeated: int
    skipped: int
    missing: int
    last_ms: tuple[float, ...]


class Browsers:
    """*count* browsers. Open them, then any number of phases."""

    def __init__(self, count: int, pid: int, commands: IO[str], answers: IO[str]) -> None:
        self.count = count
        self._pid = pid
        self._input = commands
        self._output = answers
        self._last_ms: list[float] = []
        self._ended: Received | None = None

    def open(self, at_once: int = 50, *, eager: bool = False) -> float:
        """Open every stream; returns the seconds. Raises `RuntimeError` when one cannot."""
        told = self._ask(f"open {at_once} {int(eager)}", "opened")
        if told["open"] != self.count:
            raise RuntimeError(f"{told['open']} of {self.count} browsers got a stream")
        return float(told["seconds"])

    def expect(self, events: int, silence_s: float) -> None:
        """Begin a phase: *events* are to come, and *silence_s* without any ends it."""
        self._last_ms, self._ended = [], None
        self._ask(f"expect {events} {silence_s}", "ready")

    def wait_for_one(self) -> bool:
        """Wait until one more event has reached every browser; false when the phase has ended."""
        word, rest = self._line()
        if word == "done":
            self._ended = Received(**json.loads(rest), last_ms=tuple(self._last_ms))
            return False
        self._last_ms.append(int(rest.split()[1]) / 1000)
        return True

    def result(self) -> Received:
        """Wait for the end of the phase; what came of it."""
        while self._ended is None:
            self.wait_for_one()
        return self._ended

    def close(self) -> None:
        """Close every stream, so that the next `open` begins anew."""
        self._ask("close", "closed")

    @property
    def cpu_s(self) -> float:
        """The processor time that the browsers themselves have used."""
        return cpu_s(self._pid)

    def _ask(self, command: str, answer: str) -> dict[str, float]:
        self._input.write(command + "\n")
        self._input.flush()
        word, rest = self._line()
        if word != answer:
            raise RuntimeError(f"the browsers answer {word!r} to {command!r}")
        told: dict[str, float] = json.loads(rest) if rest else {}
        return told

    def _line(self) -> tuple[str, str]:
        word, _, rest = self._output.readline().strip().partition(" ")
        return word, rest


@contextmanager
def browsers(
    folder: Path, count: int, port: int, requests: Sequence[str], *, compiled: bool = True
) -> Iterator[Browsers]:
    """*count* browsers of 127.0.0.1:*port*; *requests* are lines as `browsers.c` wants them."""
    listed = folder / f"requests-{port}"
    listed.write_text("".join(f"{line}\n" for line in requests))
    program = compile_c("browsers", folder) if compiled else None
    words = [str(program)] if program else [sys.executable, str(HERE / "plain_browsers.py")]
    with on_core(CLIENT_CORE):
        process = subprocess.Popen(
            [*words, str(count), str(port), str(listed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the browsers have no pipes")
    with process.stdin as commands, process.stdout as answers:
        try:
            yield Browsers(count, process.pid, commands, answers)
        finally:
            end(process)


def compile_c(name: str, folder: Path) -> Path | None:
    """The program made of ``bench/<name>.c``; ``None`` where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    program = folder / name
    if not program.exists():
        source = str(HERE / f"{name}.c")
        flags = ["-O2", "-Wall", "-Wextra"]
        subprocess.run([compiler, *flags, "-o", str(program), source], check=True)
    return program
