"""Real Chromium against the real ``flask serve``: gunicorn, gevent, Valkey, SQLite."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.servers import chromium_path, end, free_port, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
DEMO_TITLES = {
    clip["title"]
    for clip in json.loads((ROOT / "plugins/media/demo/manifest.json").read_text("utf-8"))
}
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


@dataclass
class Site:
    """A running Coursewire: its address, and its process."""

    url: str
    process: subprocess.Popen[bytes]

    @contextmanager
    def client(self, role: str) -> Iterator[httpx.Client]:
        """A program signed in as one of the demonstration users."""
        with httpx.Client(base_url=self.url, timeout=10) as client:
            answer = client.post(
                "/a/accounts/sign-in", json={"email": f"{role}@example.test", "password": "demo"}
            )
            assert answer.status_code == 200, answer.text
            yield client


@dataclass(frozen=True)
class Course:
    """A course of one test's own, with one chapter, and the demonstration videos of the library."""

    id: int
    chapter_id: int
    videos: list[dict[str, object]]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """``flask serve`` with two workers and the demonstration data."""
    with serving(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="session")
def quick_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose streams beat every second, so that their silence is noticed soon."""
    folder = tmp_path_factory.mktemp("quick")
    with serving(folder, COURSEWIRE_HEARTBEAT_S="1") as running:
        yield running


class serving:  # noqa: N801  reads as a verb where it is used
    """``flask serve`` in a folder of its own, ended by its pid."""

    def __init__(self, folder: Path, port: int | None = None, **environment: str) -> None:
        self._folder = folder
        self._port = port or free_port()
        self._environment = environment

    def __enter__(self) -> Site:
        url = f"http://127.0.0.1:{self._port}"
        environment = {
            **{k: v for k, v in os.environ.items() if k not in ("REDIS_URL", "DATABASE_URL")},
            "PORT": str(self._port),
            "COURSEWIRE_VAR_DIR": str(self._folder),
            "WEB_CONCURRENCY": "2",
            "COURSEWIRE_CANARY_S": "0",
            **self._environment,
        }
        self._log = (self._folder / "serve.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flask", "serve"],
            cwd=ROOT,
            env=environment,
            stdout=self._log,
            stderr=self._log,
        )
        wait_until(lambda: self._process.poll() is not None or _is_ready(url), "ready server")
        assert self._process.poll() is None, (self._folder / "serve.log").read_text()
        return Site(url, self._process)

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        end(self._process, patience_s=30)
        self._log.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_as(site: Site, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page in a new browser context, signed in as a demonstration user.

    A page that meets a script error fails the test.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(role: str | None, path: str, **options: object) -> Page:
        context = browser.new_context(base_url=site.url, **options)  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        contexts.append(context)
        if role is not None:
            context.request.post(
                "/a/accounts/sign-in",
                data={"email": f"{role}@example.test", "password": "demo"},
            )
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def course(site: Site) -> Course:
    """A course with one chapter, "Basics", which the demonstration users may edit and view."""
    with site.client("owner") as owner:
        course_id = _act(owner, "courses/add", title="A course of this test")["id"]
        for role in ("editor", "viewer"):
            _act(
                owner,
                "courses/set-member",
                course_id=course_id,
                email=f"{role}@example.test",
                role=role,
            )
        chapter = _act(owner, "chapters/add", course_id=course_id, title="Basics")
        library = owner.get("/q/media/list").json()["rows"]
    return Course(
        course_id, chapter["id"], [video for video in library if video["title"] in DEMO_TITLES]
    )


def live(page: Page) -> Page:
    """*page*, once its stream is open."""
    page.wait_for_selector("html[data-live-state=live]")
    return page


def _act(client: httpx.Client, action: str, **arguments: object) -> dict[str, Any]:
    answer = client.post(f"/a/{action}", json=arguments)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["result"]
    return result


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
