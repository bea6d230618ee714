"""What goes wrong, and when: a plan that a seed decides, and the breaking itself.

A fault is over when what it took away is there again; or, where nothing tells (a connection that
died without a word), once the deadline has passed by which it must be noticed.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import redis

from tests.chaos.stage import HEARTBEAT_S, Machine, Stage

_REDIS_SILENCE_S = 6.0
"""A hub notices a silent Redis after 5 s, and looks once in a second."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, ``after_s`` seconds after the one before it began."""

    kind: str
    after_s: float
    lasts_s: float
    choice: float
    """Of what there are several of, which: between 0 and 1."""


def plan(seed: int, duration_s: float) -> list[Fault]:
    """What goes wrong in a run: every kind, in an order of its own, then again."""
    random = Random(seed)
    found: list[Fault] = []
    at = 0.0
    waiting: list[str] = []
    while True:
        waiting = waiting or random.sample(sorted(KINDS), len(KINDS))
        fault = Fault(
            waiting.pop(), random.uniform(1.0, 3.5), random.uniform(0.3, 6.0), random.random()
        )
        at += fault.after_s
        if at + 1 > duration_s:
            return found
        found.append(fault)


class Breaker:
    """Breaks a stage; every method returns when the fault is over."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._redis = threading.Lock()
        self._machines = {machine.name: threading.Lock() for machine in stage.machines}

    def commit(self, fault: Fault) -> None:
        """Let *fault* happen."""
        KINDS[fault.kind](self, fault)

    def kill_worker(self, fault: Fault) -> None:
        """SIGKILL a worker; its master starts another."""
        machine = self._machine(fault)
        with self._machines[machine.name]:
            _send(_one_of(machine.worker_pids, fault), signal.SIGKILL)

    def end_worker(self, fault: Fault) -> None:
        """SIGTERM a worker; its master starts another."""
        machine = self._machine(fault)
        with self._machines[machine.name]:
            _send(_one_of(machine.worker_pids, fault), signal.SIGTERM)

    def roll(self, fault: Fault) -> None:
        """SIGHUP the master: new workers, then the old ones are ended."""
        machine = self._machine(fault)
        with self._machines[machine.name]:
            if machine.process is not None:
                machine.process.send_signal(signal.SIGHUP)
                time.sleep(fault.lasts_s)

    def freeze_worker(self, fault: Fault) -> None:
        """SIGSTOP a worker for a while."""
        machine = self._machine(fault)
        with self._machines[machine.name]:
            pid = _one_of(machine.worker_pids, fault)
            _send(pid, signal.SIGSTOP)
            time.sleep(fault.lasts_s)
            _send(pid, signal.SIGCONT)

    def kill_server(self, fault: Fault) -> None:
        """SIGKILL a master and all its workers; a while later it is started again."""
        machine = self._machine(fault)
        with self._machines[machine.name]:
            machine.kill()
            time.sleep(min(fault.lasts_s, 2.0))
            machine.start()
            machine.wait_until_it_answers()

    def restart_server(self, fault: Fault) -> None:
        """SIGTERM to all processes of a server, which is started again at once: a deploy."""
        machine = self._machine(fault)
        with self._machines[machine.name]:
            machine.stop()
            machine.start()
            machine.wait_until_it_answers()

    def redis_empty(self, fault: Fault) -> None:
        """SIGKILL Redis; it comes back without its data."""
        with self._redis:
            self._stage.valkey.kill()
            self._stage.dump.unlink(missing_ok=True)
            time.sleep(fault.lasts_s / 2)
            self._stage.valkey.start()

    def redis_kept(self, fault: Fault) -> None:
        """SIGKILL Redis; it comes back with the data of a while ago."""
        with self._redis:
            with self._stage.valkey.client() as client:
                client.save()
            time.sleep(fault.choice * 2)
            self._stage.valkey.kill()
            time.sleep(fault.lasts_s / 2)
            self._stage.valkey.start()

    def redis_frozen(self, fault: Fault) -> None:
        """SIGSTOP Redis: it takes connections and says nothing."""
        with self._redis:
            self._stage.valkey.freeze()
            time.sleep(fault.lasts_s * 1.3)
            self._stage.valkey.thaw()

    def redis_flushed(self, fault: Fault) -> None:
        """FLUSHALL."""
        with self._redis, suppress(redis.RedisError), self._stage.valkey.client() as client:
            client.flushall()

    def redis_cut(self, fault: Fault) -> None:
        """Reset every connection of one server to Redis."""
        self._machine(fault).redis.reset()

    def redis_unreachable(self, fault: Fault) -> None:
        """One server does not reach Redis for a while; the other does."""
        proxy = self._machine(fault).redis
        proxy.blackhole()
        time.sleep(fault.lasts_s * 1.3)
        proxy.heal()

    def redis_half_open(self, fault: Fault) -> None:
        """The connections of one server to Redis die without a word."""
        self._machine(fault).redis.half_open()
        time.sleep(_REDIS_SILENCE_S)

    def streams_cut(self, fault: Fault) -> None:
        """Reset every stream of one server."""
        self._machine(fault).streams.reset()

    def streams_half_open(self, fault: Fault) -> None:
        """The streams of one server die without a word."""
        self._machine(fault).streams.half_open()
        time.sleep(2.5 * HEARTBEAT_S)

    def requests_cut(self, fault: Fault) -> None:
        """Reset every connection that requests of one server come by, answers under way too."""
        self._machine(fault).requests.reset()

    def requests_held(self, fault: Fault) -> None:
        """For a while nothing goes through to one server, and nothing comes back."""
        machine = self._machine(fault)
        machine.requests.blackhole()
        machine.streams.blackhole()
        time.sleep(fault.lasts_s / 2)
        machine.requests.heal()
        machine.streams.heal()

    def _machine(self, fault: Fault) -> Machine:
        return self._stage.machines[int(fault.choice * 1000) % 2]


KINDS: dict[str, Callable[[Breaker, Fault], None]] = {
    "kill_worker": Breaker.kill_worker,
    "end_worker": Breaker.end_worker,
    "roll": Breaker.roll,
    "freeze_worker": Breaker.freeze_worker,
    "kill_server": Breaker.kill_server,
    "restart_server": Breaker.restart_server,
    "redis_empty": Breaker.redis_empty,
    "redis_kept": Breaker.redis_kept,
    "redis_frozen": Breaker.redis_frozen,
    "redis_flushed": Breaker.redis_flushed,
    "redis_cut": Breaker.redis_cut,
    "redis_unreachable": Breaker.redis_unreachable,
    "redis_half_open": Breaker.redis_half_open,
    "streams_cut": Breaker.streams_cut,
    "streams_half_open": Breaker.streams_half_open,
    "requests_cut": Breaker.requests_cut,
    "requests_held": Breaker.requests_held,
}


def _one_of(pids: Sequence[int], fault: Fault) -> int | None:
    return pids[int(fault.choice * len(pids))] if pids else None


def _send(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
