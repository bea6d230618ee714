"""What a run takes place on: Valkey, two servers, and a proxy on every way between them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.faults.proxy import Proxy
from tests.servers import ROOT, RedisServer, free_port, redis_server, wait_until

_START_S = 60.0
_STOP_S = 30.0
HEARTBEAT_S = 1.0
"""Shorter than in production: a run is short, and a silent stream is found after 2.5 beats."""


@dataclass
class Machine:
    """One server: gunicorn with its workers, and the proxies on the ways to it and from it."""

    name: str
    workers: int
    folder: Path
    settings: Mapping[str, str]
    requests: Proxy
    streams: Proxy
    redis: Proxy
    port: int
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def log(self) -> Path:
        """What it said."""
        return self.folder / f"{self.name}.log"

    @property
    def worker_pids(self) -> list[int]:
        """Of the workers that run now, those that died and wait for their master excluded."""
        if self.process is None:
            return []
        pid = self.process.pid
        with suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return [int(child) for child in children if _is_alive(int(child))]
        return []

    def start(self) -> None:
        """Start it, as the Procfile does, but on loopback; returns at once."""
        inherited = {
            name: value for name, value in os.environ.items() if name not in _OF_PLATFORMS
            and not name.startswith("COURSEWIRE_")
        }  # fmt: skip
        environment = {
            "PORT": str(self.port),
            "WEB_CONCURRENCY": str(self.workers),
            "REDIS_URL": f"redis://127.0.0.1:{self.redis.port}/0",
            "COURSEWIRE_LOG_LEVEL": "info",
            "COURSEWIRE_ACTIONS_PER_USER": "1000000",
            "COURSEWIRE_ACTIONS_PER_ADDRESS": "1000000",
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "core/gunicorn_conf.py", "wsgi:app"],
                cwd=ROOT,
                env={**inherited, **self.settings, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ready(self) -> bool:
        """Whether it answers, and all that it needs."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def wait_until_ready(self) -> None:
        """Return once it is ready; fail, with its log, when it never is."""
        process = self.process
        assert process is not None
        wait_until(lambda: self.ready() or process.poll() is not None, self.name, _START_S)
        assert process.poll() is None, self.log.read_text()[-3000:]

    def wait_until_it_answers(self) -> None:
        """Return once it takes requests; Redis may be away then."""
        wait_until(lambda: self._answers() or self.process is None, self.name, _START_S)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz", timeout=2).is_success
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """End it and all its workers at once."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> float:
        """End it as a platform does: SIGTERM to every process. Returns how many seconds it took."""
        begun = time.monotonic()
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_STOP_S)
            self.kill()
        return time.monotonic() - begun


@dataclass(frozen=True)
class Stage:
    """All that can be broken."""

    machines: tuple[Machine, Machine]
    valkey: RedisServer
    dump: Path
    """Where Valkey keeps its data, when it is told to."""

    @property
    def ports(self) -> list[tuple[int, int]]:
        """Where the servers are reached: for requests, and for streams."""
        return [(machine.requests.port, machine.streams.port) for machine in self.machines]


@contextmanager
def stage(folder: Path, database_url: str) -> Iterator[Stage]:
    """Servers on the migrated database at *database_url*; all is ended at the exit."""
    with ExitStack() as stack:
        valkey = stack.enter_context(redis_server("valkey"))
        with valkey.client() as client:
            dump = Path(str(client.config_get("dir")["dir"])) / "dump.rdb"
        machines = []
        settings = {
            "SECRET_KEY": "chaos",
            "DATABASE_URL": database_url,
            "COURSEWIRE_UPLOAD_DIR": str(folder / "uploads"),
            "COURSEWIRE_HEARTBEAT_S": str(HEARTBEAT_S),
            "COURSEWIRE_CANARY_S": "0",
        }
        socket = Path(valkey.url.removeprefix("unix://"))
        for name, workers in (("A", 2), ("B", 1)):
            port = free_port()
            machine = Machine(
                name,
                workers,
                folder,
                settings,
                stack.enter_context(Proxy(port)),
                stack.enter_context(Proxy(port)),
                stack.enter_context(Proxy(socket)),
                port,
            )
            stack.callback(machine.kill)
            machine.start()
            machines.append(machine)
        for machine in machines:
            machine.wait_until_ready()
        yield Stage((machines[0], machines[1]), valkey, dump)


_OF_PLATFORMS = {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "PORT", "WEB_CONCURRENCY"}


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
