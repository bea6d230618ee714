"""``flask serve`` as people start it: a real process with real children."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
import httpx
import psycopg
import pytest

from core.serve import read_plan
from tests.servers import end, free_port, wait_until

pytestmark = pytest.mark.serve

ROOT = Path(__file__).resolve().parent.parent
READ_BY_SERVE = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "PORT", "WEB_CONCURRENCY")
SIGN_IN = {"email": "owner@example.test", "password": "demo"}


class Serve:
    """One running ``flask serve``."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self._log = log

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_until_it_greets(self) -> None:
        wait_until(
            lambda: "Press Ctrl-C" in self.output or self.process.poll() is not None, "greeting"
        )
        assert self.process.poll() is None, self.output

    def descendants(self) -> dict[int, str]:
        """Its children and theirs, with their command lines."""
        return descendants(self.process.pid)

    def gunicorn_pid(self) -> int:
        return next(pid for pid, command in children(self.process.pid) if "gunicorn" in command)

    def valkey_pid(self) -> int | None:
        found = (pid for pid, command in children(self.process.pid) if "valkey" in command)
        return next(found, None)

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def serve(var: Path, extra: Mapping[str, str] | None = None) -> Iterator[Serve]:
    port = free_port()
    log = var.with_suffix(f".{port}.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "serve"],
            cwd=ROOT,
            env=environment(var, {"PORT": str(port), **(extra or {})}),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Serve(process, port, log)
    finally:
        end(process, patience_s=30)


def environment(var: Path, extra: Mapping[str, str]) -> dict[str, str]:
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("COURSEWIRE_") and name not in READ_BY_SERVE
    }
    return {**ours, "COURSEWIRE_VAR_DIR": str(var), **extra}


def processes() -> list[tuple[int, int, str]]:
    """Every process that is not a zombie: pid, parent's pid, command line."""
    lines = subprocess.check_output(["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="], text=True)
    rows = [line.split(maxsplit=3) for line in lines.splitlines()]
    return [(int(row[0]), int(row[1]), row[3]) for row in rows if not row[2].startswith("Z")]


def children(parent: int) -> list[tuple[int, str]]:
    return [(pid, command) for pid, ppid, command in processes() if ppid == parent]


def descendants(parent: int) -> dict[int, str]:
    found = dict(children(parent))
    for pid in list(found):
        found |= descendants(pid)
    return found


def none_runs(pids: Mapping[int, str]) -> bool:
    running = {(pid, command) for pid, _, command in processes()}
    return not running.intersection(pids.items())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_greets_with_the_sign_ins_and_a_stop_ends_everything(
    tmp_path: Path, number: signal.Signals
) -> None:
    with serve(tmp_path / "var") as server:
        server.wait_until_it_greets()
        greeting = server.output
        signed_in = httpx.post(f"{server.url}/a/accounts/sign-in", json=SIGN_IN)
        started = server.descendants()
        valkey = next(command for command in started.values() if "valkey" in command)

        server.process.send_signal(number)
        exit_code = server.process.wait(30)

        assert exit_code == 0, server.output
        assert server.output == greeting, "nothing but the greeting is said"
        assert f"Coursewire is ready at {server.url}" in greeting
        for name in ("owner", "editor", "viewer"):
            assert f"{name}@example.test" in greeting
        assert signed_in.status_code == 200
        assert len(started) == 4, "Valkey, gunicorn and two workers"
        assert none_runs(started)
        assert not Path(valkey.split("unixsocket:")[-1]).parent.exists()


def test_a_second_start_keeps_the_data(tmp_path: Path) -> None:
    var = tmp_path / "var"
    with serve(var) as server:
        server.wait_until_it_greets()
        with httpx.Client(base_url=server.url, follow_redirects=True) as client:
            client.post("/a/accounts/sign-in", json=SIGN_IN)
            client.post("/a/courses/add", json={"title": "Kept"})
            before = client.get("/q/courses/list").json()
            cookies = client.cookies

    with serve(var) as server:
        server.wait_until_it_greets()
        after = httpx.get(f"{server.url}/q/courses/list", cookies=cookies, follow_redirects=True)

    assert "Kept" in str(before)
    assert after.json() == before, "the same data, and the same session"
    assert stat.S_IMODE((var / "secret_key").stat().st_mode) == 0o600


def test_a_second_start_skips_what_the_first_one_did(tmp_path: Path) -> None:
    """It takes a second or two; the bound is for machines that are busy with something else."""
    var = tmp_path / "var"
    with serve(var) as server:
        server.wait_until_it_greets()

    begun = time.monotonic()
    with serve(var) as server:
        server.wait_until_it_greets()

        assert time.monotonic() - begun < 20


def test_with_a_redis_url_no_valkey_starts_and_no_demonstration_account_exists(
    tmp_path: Path, valkey: str
) -> None:
    with serve(tmp_path / "var", {"REDIS_URL": valkey}) as server:
        server.wait_until_it_greets()

        answer = httpx.post(f"{server.url}/a/accounts/sign-in", json=SIGN_IN)

        assert server.valkey_pid() is None
        assert server.ready()
        assert "example.test" not in server.output
        assert 400 <= answer.status_code < 500


@pytest.mark.postgres
def test_with_a_database_url_that_database_is_migrated_and_used(
    tmp_path: Path, postgresql_url: str
) -> None:
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE served")
    url = postgresql_url.replace("postgresql://", "postgres://").replace("/postgres", "/served")

    with serve(tmp_path / "var", {"DATABASE_URL": url}) as server:
        server.wait_until_it_greets()

        assert server.ready()
        assert server.valkey_pid() is not None
        assert "example.test" not in server.output
        assert not (tmp_path / "var" / "coursewire.sqlite3").exists()


def test_a_redis_that_is_away_is_told_and_does_not_stop_the_start(tmp_path: Path) -> None:
    away = {"REDIS_URL": f"redis://127.0.0.1:{free_port()}"}

    with serve(tmp_path / "var", away) as server:
        server.wait_until_it_greets()

        assert "is not ready" in server.output
        assert "redis" in server.output


def test_the_number_of_workers_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    with serve(tmp_path / "var", {"WEB_CONCURRENCY": "1"}) as server:
        server.wait_until_it_greets()

        assert len(children(server.gunicorn_pid())) == 1


def test_open_streams_and_idle_connections_do_not_delay_a_stop(tmp_path: Path) -> None:
    with serve(tmp_path / "var") as server, httpx.Client(base_url=server.url) as client:
        server.wait_until_it_greets()
        client.post("/a/accounts/sign-in", json=SIGN_IN)
        key = client.get("/q/courses/list", follow_redirects=True).headers["Live-Key"]
        idle = socket.create_connection(("127.0.0.1", client.base_url.port or 0))

        with client.stream("GET", "/live", params={"key": key}) as stream, idle:
            assert stream.status_code == 200, stream.read().decode()
            lines = stream.iter_lines()
            first = next(line for line in lines if line.startswith("event:"))
            server.process.send_signal(signal.SIGINT)
            last = [line for line in lines if line.startswith("event:")][-1]
            begun = time.monotonic()
            exit_code = server.process.wait(30)
            took_s = time.monotonic() - begun

        assert first == "event: hello"
        assert last == "event: bye"
        assert exit_code == 0, server.output
        assert took_s < 8, "graceful_timeout, 20 s, was not waited for"


def test_a_taken_port_is_refused_in_plain_words(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        result = subprocess.run(
            [sys.executable, "-m", "flask", "serve"],
            cwd=ROOT,
            env=environment(tmp_path / "var", {"PORT": str(port)}),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert result.returncode == 1
    assert result.stderr == (
        f"Error: Port {port} is in use. Choose another: PORT={port + 1} make run\n"
    )
    assert not (tmp_path / "var").exists()


def test_when_gunicorn_dies_the_rest_ends_too_and_says_why(tmp_path: Path) -> None:
    with serve(tmp_path / "var") as server:
        server.wait_until_it_greets()
        started = server.descendants()

        os.kill(server.gunicorn_pid(), signal.SIGKILL)
        exit_code = server.process.wait(30)

        assert exit_code == 1
        assert "The server (gunicorn) ended by itself, with code -9." in server.output
        wait_until(lambda: none_runs(started), "end of the workers")


def test_a_valkey_that_dies_comes_back_on_the_same_socket(tmp_path: Path) -> None:
    with serve(tmp_path / "var") as server:
        server.wait_until_it_greets()
        first = server.valkey_pid()
        assert first is not None

        os.kill(first, signal.SIGKILL)

        wait_until(lambda: server.valkey_pid() not in (None, first), "new Valkey")
        wait_until(server.ready, "readiness")
        assert "The embedded Valkey ended by itself. Starting it again." in server.output


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of it")
def test_children_do_not_outlive_a_parent_that_dies_hard(tmp_path: Path) -> None:
    with serve(tmp_path / "var") as server:
        server.wait_until_it_greets()
        started = server.descendants()

        server.process.kill()

        wait_until(lambda: none_runs(started), "end of the children")


@pytest.mark.parametrize(
    ("given", "demo"),
    [
        ({}, True),
        ({"COURSEWIRE_HOST": "::1"}, True),
        ({"COURSEWIRE_HOST": "0.0.0.0"}, False),  # noqa: S104 - the very thing to refuse
        ({"REDIS_URL": "redis://127.0.0.1"}, False),
        ({"COURSEWIRE_REDIS_URL": "redis://127.0.0.1"}, False),
        ({"DATABASE_URL": "postgres://127.0.0.1/x"}, False),
        ({"COURSEWIRE_HOST": "0.0.0.0", "COURSEWIRE_DEMO": "1"}, False),  # noqa: S104
    ],
)
def test_demonstration_accounts_need_loopback_and_the_embedded_defaults(
    given: dict[str, str], demo: bool
) -> None:
    assert read_plan(given).demo is demo


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"PORT": "eighty"}, "PORT is 'eighty'. Give a whole number from 1 to 65535."),
        ({"PORT": "0"}, "PORT is '0'. Give a whole number from 1 to 65535."),
        ({"WEB_CONCURRENCY": "-1"}, "WEB_CONCURRENCY is '-1'. Give a whole number from 1 to 64."),
    ],
)
def test_a_number_that_is_none_is_refused_in_plain_words(
    given: dict[str, str], message: str
) -> None:
    with pytest.raises(click.ClickException) as caught:
        read_plan(given)

    assert caught.value.message == message
