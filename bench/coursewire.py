"""Coursewire as it is run: gunicorn's gevent worker, Valkey, a database with many users.

Every browser is another user, signed in, who edits the course: it watches the course, its chapters,
the library, and its own list of courses.
"""

import http.client
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import delete, insert

import core
from bench.processes import SERVER_CORE, family, on_core, wait_until_idle
from core.bus import Bus, Notice
from core.database import writing
from core.demo import fill_if_empty
from core.migrations import upgrade_all
from core.outbox import OutboxEvent, OutboxReaction
from core.settings import Settings
from plugins.accounts.models import AccountSession, User
from plugins.accounts.sessions import COOKIE
from plugins.courses.models import CourseMember
from tests.servers import ROOT, end, free_port, redis_server, wait_until

COURSE_ID = 1
KEY = f"chapters:list:{COURSE_ID}"
"""The key that everybody watches, and that notices name."""

_FIRST_USER = 1000
_PATIENCE_S = 3.0


@dataclass(frozen=True)
class People:
    """A database with many users, and the token of a session of each."""

    database_url: str
    tokens: tuple[str, ...]

    def requests(self, count: int, keys: Callable[[int], Sequence[str]] | None = None) -> list[str]:
        """What *count* browsers ask for: their streams, each with the cookie of its user.

        *keys* says what each watches. More browsers than users share them.
        """
        return [
            f"{_target((keys or self.keys)(number))}\tCookie: {self.cookie(number)}"
            for number in range(count)
        ]

    def cookie(self, number: int) -> str:
        """The cookie of the user of one browser."""
        return f"{COOKIE}={self.tokens[number % len(self.tokens)]}"

    def keys(self, number: int) -> Sequence[str]:
        """What one browser watches while its user edits the course."""
        own = f"courses:list:{_FIRST_USER + number % len(self.tokens)}"
        return (KEY, f"courses:detail:{COURSE_ID}", "media:list", own)


@dataclass(frozen=True)
class Site:
    """A running Coursewire."""

    port: int
    pid: int
    bus: Bus

    def publish(self, mark: str, key: str = KEY) -> None:
        """Announce that *key* changed, the way the relay does."""
        self.bus.publish(Notice((key,), "media-linked", mark))

    def remember(self, people: People, count: int) -> None:
        """Let the worker meet the users, as it does when they load a page: HEAD opens no stream."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        for number in range(min(count, len(people.tokens))):
            target, cookie = _target(people.keys(number)), people.cookie(number)
            connection.request("HEAD", target, headers={"Cookie": cookie})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"HEAD {target} is answered {answer.status}")
        connection.close()


def make_people(folder: Path, count: int) -> People:
    """A migrated database in *folder* with the demonstration course and *count* editors of it."""
    url = f"sqlite:///{folder}/coursewire.sqlite3"
    app = core.create_app(Settings(secret_key="bench", database_url=url, upload_dir=folder))  # noqa: S106
    upgrade_all(app)
    fill_if_empty(app)
    tokens = tuple(secrets.token_urlsafe(32) for _ in range(count))
    with app.app_context(), writing() as session:
        ids = range(_FIRST_USER, _FIRST_USER + count)
        users = [
            {"id": n, "email": f"user{n}@example.test", "name": f"User {n}", "password_hash": "!"}
            for n in ids
        ]
        members = [{"course_id": COURSE_ID, "user_id": n, "role": "editor"} for n in ids]
        sessions = [
            {
                "token_hash": sha256(token.encode()).hexdigest(),
                "user_id": n,
                "expires_at": core.now() + timedelta(days=1),
                "agent": "bench",
            }
            for n, token in zip(ids, tokens, strict=True)
        ]
        for model, rows in ((User, users), (CourseMember, members), (AccountSession, sessions)):
            session.execute(insert(model), rows)
        # What the demonstration data owes would be published, and merge with what is measured.
        session.execute(delete(OutboxEvent))
        session.execute(delete(OutboxReaction))
    return People(url, tokens)


@contextmanager
def coursewire(
    folder: Path, people: People, app: str = "wsgi:app", **environment: str
) -> Iterator[Site]:
    """Coursewire on the server's core, with one worker unless *environment* says otherwise."""
    with redis_server("valkey") as valkey:
        settings = {
            "COURSEWIRE_SECRET_KEY": "bench",
            "COURSEWIRE_DATABASE_URL": people.database_url,
            "COURSEWIRE_REDIS_URL": valkey.url,
            "COURSEWIRE_UPLOAD_DIR": str(folder / "uploads"),
            "COURSEWIRE_STREAMS_PER_WORKER": "1000000",
            "COURSEWIRE_STREAMS_PER_ADDRESS": "1000000",
            "COURSEWIRE_STREAMS_PER_USER": "1000000",
            "COURSEWIRE_ACTIONS_PER_USER": "1000000",
            "COURSEWIRE_ACTIONS_PER_ADDRESS": "1000000",
            "COURSEWIRE_LOG_LEVEL": "warning",
            "COURSEWIRE_CANARY_S": "0",
            "WEB_CONCURRENCY": "1",
            **environment,
        }
        bus = Bus(Settings(secret_key="bench", redis_url=valkey.url, redis_timeout_s=5))  # noqa: S106
        command = [sys.executable, "-m", "gunicorn", "-c", "core/gunicorn_conf.py", app]
        port = free_port()
        workers = int(settings["WEB_CONCURRENCY"])
        with serving(command, ROOT, port, _is_well, **settings) as process:
            try:
                # One ready worker answers for all; until it hears Redis, another ends its streams.
                wait_until(lambda: _hubs(bus) == workers, "hub in every worker")
                wait_until_idle(process.pid)
                yield Site(port, process.pid, bus)
            finally:
                bus.close()


@contextmanager
def serving(
    command: Sequence[str],
    cwd: Path,
    port: int,
    ready: Callable[[int], bool] | None = None,
    **environment: str,
) -> Iterator["subprocess.Popen[bytes]"]:
    """A server on the server's core, told its port by ``PORT``; yields once *ready*, or answering.

    Raises `RuntimeError` with the end of its log when it does not come up.
    """
    clean = {name: text for name, text in os.environ.items() if not name.startswith("COURSEWIRE_")}
    with tempfile.TemporaryFile() as log:
        with on_core(SERVER_CORE):
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**clean, "PORT": str(port), **environment},
                stdout=log,
                stderr=log,
            )
        is_ready = ready or _answers
        try:
            wait_until(lambda: process.poll() is not None or is_ready(port), command[0])
            if process.poll() is not None:
                log.seek(0)
                raise RuntimeError(f"{' '.join(command)} ended: {log.read()[-2000:].decode()}")
            yield process
        finally:
            _end_family(process)


def _end_family(process: "subprocess.Popen[bytes]") -> None:
    """End *process*, and the workers of it that do not end by themselves."""
    pids = family(process.pid) if process.poll() is None else []
    end(process, _PATIENCE_S)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _hubs(bus: Bus) -> int:
    """How many workers hear of notices."""
    return dict(bus.client.pubsub_numsub(bus.channel)).get(bus.channel, 0)


def _target(keys: Iterable[str]) -> str:
    return "/live?" + "&".join(f"key={quote(key, safe=':')}" for key in keys)


def _is_well(port: int) -> bool:
    return _status(port, "/readyz") == 200


def _answers(port: int) -> bool:
    return _status(port, "/") is not None


def _status(port: int, target: str) -> int | None:
    """The status with which 127.0.0.1:*port* answers a GET of *target*, if it does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", target)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
