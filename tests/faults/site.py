"""A whole Coursewire whose screens and writers keep a ledger, for one fault after the other."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
import psycopg

from core.stamps import Stamp
from tests.faults.ledger import Ledger, State, Verdict
from tests.faults.screen import Screen
from tests.servers import Gunicorn, gunicorn, wait_until

CHAPTERS, OUTLINE, DETAIL = "chapters:list:1", "chapters:outline:1", "courses:detail:1"
AFRESH = httpx.Limits(max_keepalive_connections=0)
"""A connection for each request, which any worker may take."""

CONVERGED_S = 30.0
"""How long a test waits for all screens. The promise is 5 s; a busy machine gets more."""


@dataclass
class Site:
    """A running Coursewire and the signed-in owner of course 1, with a client of its own."""

    server: Gunicorn
    owner: httpx.Client
    titles: dict[int, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Its address."""
        return self.server.url

    def act(self, action: str, **arguments: Any) -> dict[str, Any]:
        """POST the action as its owner; fails unless it answers 200."""
        answer = self.owner.post(f"/a/{action}", json=arguments)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def stamp(self, path: str = "chapters/list/1") -> Stamp:
        """The stamp of what is shown now."""
        return Stamp.parse(self.owner.get(f"/q/{path}").headers["Live-Stamp"])

    def title_of(self, chapter_id: int) -> str:
        """What the chapter is called in the database."""
        chapters = self.owner.get("/q/chapters/list/1").json()
        return next(str(each["title"]) for each in chapters if each["id"] == chapter_id)


@contextmanager
def running(
    folder: Path, redis_url: str, database_url: str, *, app: str = "wsgi:app", **chosen: str
) -> Iterator[Site]:
    """A site with two workers, quick beats and quick sweeps, unless *chosen* says otherwise."""
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "WEB_CONCURRENCY": "2",
        "COURSEWIRE_HEARTBEAT_S": "1",
        "COURSEWIRE_OUTBOX_AGE_S": "0.5",
        "COURSEWIRE_SWEEP_S": "0.3",
        "COURSEWIRE_UPLOAD_DIR": str(folder / "uploads"),
        **chosen,
    }
    with (
        gunicorn(folder, app=app, **environment) as server,
        httpx.Client(base_url=server.url, timeout=20, limits=AFRESH) as owner,
    ):
        site = Site(server, owner)
        site.act("accounts/sign-in", email="owner@example.test", password="demo")
        yield site


@contextmanager
def postgresql_copy(postgresql_url: str) -> Iterator[str]:
    """The address of a database of one's own, dropped at the exit."""
    name = f"faults_{uuid4().hex}"
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE filled".encode())
    try:
        yield postgresql_url.replace("/postgres", f"/{name}")
    finally:
        with psycopg.connect(postgresql_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


class Writer:
    """Renames one chapter again and again (``v1``, ``v2``, …) until `close`, whatever happens."""

    def __init__(
        self,
        site: Site,
        ledger: Ledger,
        chapter_id: int,
        pause_s: float = 0.05,
        *,
        keep_alive: bool = False,
    ) -> None:
        self.committed = 0
        self._ledger = ledger
        self._chapter_id = chapter_id
        self._pause_s = pause_s
        self._keys = (CHAPTERS, OUTLINE, DETAIL, f"chapters:picker:{chapter_id}")
        self._stopping = threading.Event()
        self._title = site.title_of(chapter_id)
        start = int(self._title[1:]) if self._title[:1] == "v" else 0
        ledger.start(f"chapter {chapter_id}", start)
        self._numbers = itertools.count(start + 1)
        self._client = httpx.Client(
            base_url=site.url,
            cookies=site.owner.cookies,
            timeout=20,
            limits=httpx.Limits() if keep_alive else AFRESH,
        )
        self._thread = threading.Thread(target=self._write_for_ever, name="writer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop, with the write at hand ended; harmless when repeated."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(60)
        self._client.close()

    def write(self) -> dict[str, Any] | None:
        """One write; its answer, or ``None`` when nobody can say whether it is committed."""
        value = next(self._numbers)
        title = f"v{value}"
        commit = self._ledger.send(f"chapter {self._chapter_id}", value, self._keys)
        try:
            answer = self._post(title)
            if answer.status_code == 409:  # an earlier one of which we did not know
                self._title = answer.json()["theirs"]["title"]
                answer = self._post(title)
        except httpx.TransportError:
            self._ledger.end(commit, State.UNKNOWN)
            return None
        if answer.status_code != 200:
            # A database that goes away in the middle of COMMIT tells nobody what came of it.
            away = answer.status_code >= 500
            self._ledger.end(commit, State.UNKNOWN if away else State.REFUSED)
            return None
        self._title = title
        self.committed += 1
        body: dict[str, Any] = answer.json()
        stamp = Stamp.parse(body["stamp"]) if body["stamp"] else None
        self._ledger.end(commit, State.COMMITTED, stamp)
        return body

    def _post(self, title: str) -> httpx.Response:
        body = {"chapter_id": self._chapter_id, "title": title, "was": {"title": self._title}}
        return self._client.post("/a/chapters/rename", json=body)

    def _write_for_ever(self) -> None:
        while not self._stopping.wait(self._pause_s):
            self.write()


@contextmanager
def watched(
    site: Site, ledger: Ledger, count: int = 4, keys: tuple[str, ...] = (CHAPTERS, DETAIL)
) -> Iterator[list[Screen]]:
    """*count* screens, each connected once; at the exit nothing is lost, or the test fails.

    Two connections in a row are taken by the two workers, as a rule; four leave little to chance.
    """
    with ExitStack() as leaving:
        screens = []
        for number in range(count):
            screen = Screen(f"screen {number}", site.url, dict(site.owner.cookies), keys, ledger)
            leaving.callback(screen.close)
            screens.append(screen)
        wait_until(lambda: all(s.connected.is_set() for s in screens), "stream for each screen")
        wait_until(ledger.is_settled, "first answer")
        yield screens
        settle(ledger)


def settle(ledger: Ledger, bound_s: float = CONVERGED_S) -> Verdict:
    """Wait until every screen shows what is committed; then fail if anything went wrong."""
    wait_until(ledger.is_settled, "agreement of all screens with the database", CONVERGED_S)
    verdict = ledger.verdict(bound_s)
    assert not verdict.faults, "\n".join(verdict.faults)
    return verdict
