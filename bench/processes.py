"""What a server's processes cost, and on which core they run. Linux only."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CORES = sorted(os.sched_getaffinity(0))

SERVER_CORE = _CORES[0]
"""The server under test alone runs here."""

CLIENT_CORE = _CORES[-1]
"""Everything else: the browsers, the publisher, Valkey. On a machine of one core, the same."""

_IDLE_LOOK_S = 0.25
_IDLE_SHARE = 0.05


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Meanwhile this thread, and for ever what it starts, runs on *core* only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def family(pid: int) -> list[int]:
    """*pid* and its descendants."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            found.extend(int(child) for child in children.read_text().split())
    return found


def cpu_s(pid: int) -> float:
    """The processor time that *pid* and its living descendants have used, to the nanosecond.

    A process's clock is a clock of its own: clock_getcpuclockid(3), which Python has not.
    """
    return sum(time.clock_gettime((~one << 3) | 2) for one in family(pid))


def wait_until_idle(pid: int, deadline_s: float = 120.0) -> None:
    """Return once *pid* and its descendants hardly compute any more, or after the deadline."""
    until, before = time.monotonic() + deadline_s, cpu_s(pid)
    while time.monotonic() < until:
        time.sleep(_IDLE_LOOK_S)
        now = cpu_s(pid)
        if now - before < _IDLE_SHARE * _IDLE_LOOK_S:
            return
        before = now


def pss_kb(pid: int) -> int:
    """The memory of *pid* and its descendants: what is shared is divided among those who share."""
    return sum(_pss_kb(one) for one in family(pid))


def open_files_limit() -> int:
    """How many descriptors a process here may raise its own limit to."""
    text = Path("/proc/self/limits").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("Max open files"))
    hard = line.split()[4]
    return 1_000_000 if hard == "unlimited" else int(hard)


def describe_machine() -> dict[str, str | int | float]:
    """What a reader of the figures must know about this machine."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": len(_CORES),
        "kernel": os.uname().release,
        "load_before": round(os.getloadavg()[0], 2),
        "open_files_limit": open_files_limit(),
    }


def _pss_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0
