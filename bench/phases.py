"""What is done to a server full of browsers, and what is measured meanwhile.

A delivery is one frame written to one browser. Nothing merges in the closed loop, where the next
notice waits until every browser has the last one, nor at a pace that the server keeps; what merges
all the same, on a machine that is busy otherwise, is not counted as delivered.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.browsers import Browsers, Received
from bench.processes import cpu_s

Publish = Callable[[str], None]

_SILENCE_S = 5.0


@dataclass(frozen=True)
class Phase:
    """One phase, measured. ``client_share``: of its core, what the browsers themselves used."""

    events: int
    browsers: int
    wall_s: float
    cpu_s: float
    client_share: float
    got: Received

    @property
    def deliveries_per_cpu_s(self) -> float:
        """Frames received for each second of the server's processor time."""
        return self.got.received / self.cpu_s

    @property
    def deliveries_per_s(self) -> float:
        """Frames received for each second on the wall's clock."""
        return self.got.received / self.wall_s

    @property
    def told_per_cpu_s(self) -> float:
        """The same with the notices that were merged into a frame received."""
        return (self.got.received + self.got.skipped) / self.cpu_s


def mark(number: int) -> str:
    """The mark of an event: when it was published, and its number; see ``browsers.c``."""
    return f"t={time.monotonic_ns()}#{number}"


def closed_loop(
    browsers: Browsers, pid: int, publish: Publish, events: int, silence_s: float = _SILENCE_S
) -> Phase:
    """Publish the next event once every browser has the last one.

    *silence_s* without any event ends it.
    """

    def publish_all() -> None:
        for number in range(1, events + 1):
            publish(mark(number))
            if not browsers.wait_for_one():
                return

    return _measured(browsers, pid, publish_all, events, silence_s)


def paced(browsers: Browsers, pid: int, publish: Publish, events: int, per_s: float) -> Phase:
    """Publish *per_s* events a second, whatever the server does."""

    def publish_all() -> None:
        begun = time.monotonic()
        for number in range(1, events + 1):
            time.sleep(max(0.0, begun + (number - 1) / per_s - time.monotonic()))
            publish(mark(number))

    return _measured(browsers, pid, publish_all, events, _SILENCE_S + 1 / per_s)


def burst(browsers: Browsers, pid: int, publish: Publish, events: int) -> Phase:
    """Publish as fast as Redis takes them: the server merges what waits."""

    def publish_all() -> None:
        for number in range(1, events + 1):
            publish(mark(number))

    return _measured(browsers, pid, publish_all, events, _SILENCE_S)


def _measured(
    browsers: Browsers, pid: int, publish_all: Callable[[], None], events: int, silence_s: float
) -> Phase:
    browsers.expect(events, silence_s)
    begun, server, client = time.monotonic(), cpu_s(pid), browsers.cpu_s
    publish_all()
    got = browsers.result()
    wall_s = time.monotonic() - begun
    used_s, client_s = cpu_s(pid) - server, browsers.cpu_s - client
    return Phase(events, browsers.count, wall_s, used_s, client_s / wall_s, got)
