"""Access that ends while somebody is connected: from then on nothing more reaches that browser.

Real gunicorn with two workers and beats of fifteen seconds, as in production.
"""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from plugins.accounts.sessions import COOKIE
from tests.core.listening import listening
from tests.servers import ROOT, gunicorn, redis_server, sqlite_copy

CHAPTERS = "chapters:list:1"
BOUND_S = 2.0
"""How soon a healthy site stops telling, as promised in docs/security.md."""


@dataclass
class Site:
    """A site, and how to do what its operator does."""

    url: str
    environment: dict[str, str]
    database: Path
    clients: ExitStack

    def sign_in(self, role: str) -> httpx.Client:
        client = self.clients.enter_context(httpx.Client(base_url=self.url, timeout=20))
        act(client, "accounts/sign-in", email=f"{role}@example.test", password="demo")
        return client

    def run(self, *arguments: str) -> None:
        """``flask accounts …``, in a process of its own, as an operator runs it."""
        subprocess.run(
            [sys.executable, "-m", "flask", "accounts", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
        )

    def expire(self, client: httpx.Client, left_s: float) -> None:
        """Let the session of *client*, which has asked for nothing yet, end so soon."""
        token = sha256(client.cookies[COOKIE].encode()).hexdigest()
        ends_at = (datetime.now(UTC) + timedelta(seconds=left_s)).replace(tzinfo=None)
        with sqlite3.connect(self.database) as connection:
            connection.execute(
                "UPDATE account_session SET expires_at = ? WHERE token_hash = ?",
                (ends_at.isoformat(" "), token),
            )


def act(client: httpx.Client, action: str, **arguments: Any) -> Any:
    answer = client.post(f"/a/{action}", json=arguments)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def me(client: httpx.Client) -> int:
    number: int = client.get("/q/accounts/me", follow_redirects=True).json()["user_id"]
    return number


def session_of(client: httpx.Client) -> int:
    """What the account page shows this browser of its own session."""
    return int(client.get("/account").text.partition('key="accounts:sessions:')[2].split('"')[0])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, filled_sqlite: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with redis_server("valkey") as redis:
        environment = {
            "DATABASE_URL": sqlite_copy(filled_sqlite, folder),
            "REDIS_URL": redis.url,
            "WEB_CONCURRENCY": "2",
            "COURSEWIRE_UPLOAD_DIR": str(folder / "uploads"),
        }
        with gunicorn(folder, **environment) as server:
            database = Path(environment["DATABASE_URL"].removeprefix("sqlite:///"))
            environment["SECRET_KEY"] = "a key for tests"
            yield Site(server.url, environment, database, ExitStack())


@pytest.fixture
def site(server: Site) -> Iterator[Site]:
    """The site, with browsers of this test's own."""
    with ExitStack() as clients:
        yield replace(server, clients=clients)


def sign_out(site: Site, viewer: httpx.Client) -> None:
    act(viewer, "accounts/sign-out")


def end_from_another_device(site: Site, viewer: httpx.Client) -> None:
    act(site.sign_in("viewer"), "accounts/end-one", session_id=session_of(viewer))


def end_all_others(site: Site, viewer: httpx.Client) -> None:
    act(site.sign_in("viewer"), "accounts/end-others")


def change_password(site: Site, viewer: httpx.Client) -> None:
    elsewhere = site.sign_in("viewer")
    old, new = "demo", "correct battery horse"
    act(elsewhere, "accounts/change-password", password=old, new_password=new)


def disable(site: Site, viewer: httpx.Client) -> None:
    site.run("disable", "viewer@example.test")


def leave_the_course(site: Site, viewer: httpx.Client) -> None:
    act(site.sign_in("owner"), "courses/remove-member", course_id=1, user_id=me(viewer))


def expire(site: Site, viewer: httpx.Client) -> None:
    """It was set before the stream opened, which is when a stream learns of its end."""


WAYS: dict[Callable[[Site, httpx.Client], None], int] = {
    sign_out: 401,
    end_from_another_device: 401,
    end_all_others: 401,
    change_password: 401,
    disable: 401,
    leave_the_course: 404,
    expire: 401,
}
"""How access ends, and what a read is answered from then on."""


@pytest.fixture
def viewer(site: Site) -> Iterator[httpx.Client]:
    """A viewer of the course; whatever becomes of them, the next test finds them as they were."""
    who = "WHERE email = 'viewer@example.test'"
    with sqlite3.connect(site.database) as connection:
        kept = connection.execute(f"SELECT password_hash FROM account_user {who}").fetchone()  # noqa: S608  ours
    yield site.sign_in("viewer")
    with sqlite3.connect(site.database) as connection:
        connection.execute(f"UPDATE account_user SET disabled = 0, password_hash = ? {who}", kept)  # noqa: S608  ours
    owner = site.sign_in("owner")
    act(owner, "courses/set-member", course_id=1, email="viewer@example.test", role="viewer")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_nothing_more_reaches_a_browser_that_lost_access(
    site: Site, viewer: httpx.Client, way: Callable[[Site, httpx.Client], None]
) -> None:
    bystander = site.sign_in("editor")
    if way is expire:
        site.expire(viewer, 3.0)
    since = viewer.get("/q/chapters/list/1").headers["Live-Stamp"]
    with (
        listening(viewer, CHAPTERS, since=since) as lost,
        listening(bystander, CHAPTERS, since=since) as kept,
    ):
        lost.next("hello")
        kept.next("hello")
        with fresh(viewer) as same:
            way(site, same)
        done = session_ends_at(site, viewer) if way is expire else time.monotonic()

        said = lost.rest()

        assert time.monotonic() - done < BOUND_S
        assert [each.event for each in said] == ["stale", "bye"], said
        assert said[1].data["reason"] == "access"
        with fresh(viewer) as same:
            assert same.get("/q/chapters/list/1").status_code == WAYS[way]
            if WAYS[way] == 401:
                assert same.get(f"/live?key={CHAPTERS}").status_code == 401
        act(bystander, "chapters/add", course_id=1, title=f"After {way.__name__}")
        assert kept.next("stale").data["keys"] == [["chapters", "list", 1]]
        assert lost.everything[-1] is said[-1]


def fresh(client: httpx.Client) -> httpx.Client:
    """The same browser, on a connection beside the one that its stream takes."""
    return httpx.Client(base_url=client.base_url, cookies=client.cookies, timeout=20)


def session_ends_at(site: Site, client: httpx.Client) -> float:
    """When the session of *client* ends, by the monotonic clock."""
    token = sha256(client.cookies[COOKIE].encode()).hexdigest()
    with sqlite3.connect(site.database) as connection:
        (text,) = connection.execute(
            "SELECT expires_at FROM account_session WHERE token_hash = ?", (token,)
        ).fetchone()
    left = datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime.now(UTC)
    return time.monotonic() + left.total_seconds()


def test_another_role_is_met_at_once_and_the_stream_comes_back(
    site: Site, viewer: httpx.Client
) -> None:
    owner, editor = site.sign_in("owner"), site.sign_in("editor")
    with listening(editor, CHAPTERS) as stream:
        stream.next("hello")
        act(owner, "courses/set-member", course_id=1, email="editor@example.test", role="viewer")
        done = time.monotonic()

        assert [each.event for each in stream.rest()] == ["stale", "bye"]
        assert time.monotonic() - done < BOUND_S
    with fresh(editor) as same:
        refused = same.post("/a/chapters/add", json={"course_id": 1, "title": "No more"})
    assert refused.status_code == 403
    with listening(editor, CHAPTERS) as again:
        assert again.next("hello").data["denied"] == []
    act(owner, "courses/set-member", course_id=1, email="editor@example.test", role="editor")


def test_a_sign_out_leaves_the_other_browsers_of_the_user_signed_in(
    site: Site, viewer: httpx.Client
) -> None:
    other = site.sign_in("viewer")
    act(viewer, "accounts/sign-out")

    with listening(other, CHAPTERS) as stream:
        assert stream.next("hello").data["denied"] == []
        act(site.sign_in("editor"), "chapters/add", course_id=1, title="Still here")
        assert stream.next("stale").data["keys"] == [["chapters", "list", 1]]
