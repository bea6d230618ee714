"""The real servers that tests start, on free ports of the loopback interface, and end by pid."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

DEADLINE_S = 30.0


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
    user = {"user": account.pw_uid, "group": account.pw_gid} if account is not None else {}
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "coursewire", "-A", "trust", "-N", "-E", "UTF8"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        **user,
    )
    port = free_port()
    options = {"fsync": "off", "max_connections": "100", "unix_socket_directories": "''"}
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    settings = [part.replace("''", "") for part in settings]
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), *settings],
        stdout=subprocess.DEVNULL,
        stderr=log,
        cwd=folder,
        **user,
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
