"""The live page in real Chromium: tabs, leaders, restarts, and what it says about itself."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect

from tests.e2e.conftest import Course, Site, live, serving
from tests.servers import free_port

OpenAs = Callable[..., Page]


def streams_of(page: Page) -> list[str]:
    """The addresses of the streams that *page* opened from now on."""
    opened: list[str] = []
    page.on("request", lambda r: opened.append(r.url) if "/live?" in r.url else None)
    return opened


def state(page: Page, word: str, timeout: float = 20_000) -> None:
    page.wait_for_selector(f"html[data-live-state={word}]", timeout=timeout)


def child_called(parent: int, word: str) -> int:
    """The pid of the child of *parent* whose command line holds *word*."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return next(int(pid) for pid in children if word in Path(f"/proc/{pid}/cmdline").read_text())


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """These tests wait for deadlines of the product's own, such as that of a silent Redis."""
    expect.set_options(timeout=25_000)
    yield
    expect.set_options(timeout=5_000)


def add_chapter(site: Site, course: Course, title: str) -> None:
    with site.client("owner") as owner:
        owner.post(
            "/a/chapters/add", json={"course_id": course.id, "title": title}
        ).raise_for_status()


def tab(context: BrowserContext, path: str) -> tuple[Page, list[str]]:
    page = context.new_page()
    opened = streams_of(page)
    page.goto(path)
    return live(page), opened


def test_ten_tabs_share_one_stream_and_all_are_live(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    first = live(open_as("owner", f"/courses/{course.id}/edit"))
    opened: list[list[str]] = []
    tabs = [first]
    for _ in range(9):
        page, streams = tab(first.context, f"/courses/{course.id}/edit")
        tabs.append(page)
        opened.append(streams)

    add_chapter(site, course, "Seen by all")

    protocol = "performance.getEntriesByType('navigation')[0].nextHopProtocol"
    for page in tabs:
        expect(page.get_by_role("heading", name="Seen by all")).to_be_visible()
        assert page.evaluate("fetch('/healthz').then((r) => r.status)") == 200
        assert page.evaluate(protocol) == "http/1.1"  # six connections for one origin
    assert opened == [[]] * 9
    assert [p.evaluate("coursewire.tabs.leads") for p in tabs] == [True] + [False] * 9


def test_when_the_leading_tab_closes_another_goes_on(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    first = live(open_as("owner", f"/courses/{course.id}/edit"))
    second, _ = tab(first.context, f"/courses/{course.id}")
    third, _ = tab(first.context, f"/courses/{course.id}/edit")

    first.close()
    add_chapter(site, course, "After the leader")

    for page in (second, third):
        expect(page.get_by_role("heading", name="After the leader")).to_be_visible()
    assert sorted(
        [second.evaluate("coursewire.tabs.leads"), third.evaluate("coursewire.tabs.leads")]
    ) == [
        False,
        True,
    ]


def test_a_leader_that_crashes_is_followed_too(open_as: OpenAs, site: Site, course: Course) -> None:
    first = live(open_as("owner", f"/courses/{course.id}/edit"))
    second, _ = tab(first.context, f"/courses/{course.id}/edit")
    with suppress(Error):
        first.goto("chrome://crash", timeout=3000)

    add_chapter(site, course, "After the crash")

    expect(second.get_by_role("heading", name="After the crash")).to_be_visible()


def test_a_page_says_when_the_server_is_away_and_catches_up_when_it_is_back(
    tmp_path_factory: pytest.TempPathFactory,
    browser: Browser,
) -> None:
    folder, port = tmp_path_factory.mktemp("restart"), free_port()
    context = None
    with serving(folder, port) as running:
        context = browser.new_context(base_url=running.url)
        context.request.post(
            "/a/accounts/sign-in", data={"email": "owner@example.test", "password": "demo"}
        )
        page = context.new_page()
        page.goto("/courses/1/edit")
        live(page)
    state(page, "reconnecting")
    expect(page.locator("live-indicator .live-word")).to_have_text("Reconnecting")
    state(page, "stale")
    expect(page.locator("live-indicator .live-word")).to_have_text(
        re.compile(r"^May be out of date since \d\d:\d\d$")
    )
    with serving(folder, port) as running:
        with running.client("owner") as owner:
            owner.post("/a/chapters/add", json={"course_id": 1, "title": "While away"})
        expect(page.get_by_role("heading", name="While away")).to_be_visible(timeout=40_000)
        state(page, "live", 40_000)
    context.close()


def test_while_redis_is_away_the_page_asks(
    tmp_path_factory: pytest.TempPathFactory,
    browser: Browser,
) -> None:
    folder = tmp_path_factory.mktemp("redis")
    with serving(folder) as running:
        context = browser.new_context(base_url=running.url)
        context.request.post(
            "/a/accounts/sign-in", data={"email": "owner@example.test", "password": "demo"}
        )
        page = context.new_page()
        page.goto("/courses/1/edit")
        live(page)
        valkey = child_called(running.process.pid, "valkey")
        os.kill(valkey, signal.SIGSTOP)
        try:
            state(page, "degraded", 30_000)
            with running.client("owner") as owner:
                owner.post("/a/chapters/add", json={"course_id": 1, "title": "Without Redis"})
            expect(page.get_by_role("heading", name="Without Redis")).to_be_visible(timeout=20_000)
            # one's own change is there at once
            page.get_by_label("Title of the new chapter").fill("Mine without Redis")
            page.get_by_role("button", name="Add chapter").click()
            expect(page.get_by_role("heading", name="Mine without Redis")).to_be_visible(
                timeout=4_000
            )
        finally:
            os.kill(valkey, signal.SIGCONT)
        state(page, "live", 30_000)
        with running.client("owner") as owner:
            owner.post("/a/chapters/add", json={"course_id": 1, "title": "With Redis"})
        expect(page.get_by_role("heading", name="With Redis")).to_be_visible(timeout=4_000)
        context.close()


def test_a_session_that_ends_elsewhere_is_said_and_typed_text_stays(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    page = live(open_as("owner", f"/courses/{course.id}/edit"))
    page.get_by_label("Title of the new chapter").fill("Half typed")
    page.context.request.post("/a/accounts/sign-out", data={})

    expect(page.get_by_role("alert").filter(has_text="You are signed out")).to_be_visible(
        timeout=30_000
    )
    expect(page.get_by_label("Title of the new chapter")).to_have_value("Half typed")
    page.context.request.post(
        "/a/accounts/sign-in", data={"email": "owner@example.test", "password": "demo"}
    )
    page.evaluate("window.dispatchEvent(new Event('online'))")
    state(page, "live")
    expect(page.get_by_role("alert").filter(has_text="You are signed out")).to_have_count(0)


def test_access_lost_and_given_back_shows_at_once(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    page = live(open_as("viewer", f"/courses/{course.id}"))
    with site.client("owner") as owner:
        members = owner.get(f"/q/courses/members/{course.id}").json()
        viewer = next(m for m in members if m["email"] == "viewer@example.test")
        owner.post(
            "/a/courses/remove-member",
            json={"course_id": course.id, "user_id": viewer["user_id"]},
        ).raise_for_status()

        expect(
            page.get_by_text("This was removed, or you may no longer see it.").first
        ).to_be_visible()
        expect(page.get_by_role("heading", name="Basics")).to_have_count(0)
        owner.post(
            "/a/courses/set-member",
            json={"course_id": course.id, "email": "viewer@example.test", "role": "viewer"},
        ).raise_for_status()

    expect(page.get_by_role("heading", name="Basics")).to_be_visible()


def test_back_shows_what_changed_meanwhile(open_as: OpenAs, site: Site, course: Course) -> None:
    page = live(open_as("owner", f"/courses/{course.id}/edit"))
    page.goto("/media")
    live(page)
    add_chapter(site, course, "While elsewhere")

    page.go_back()

    expect(page.get_by_role("heading", name="While elsewhere")).to_be_visible()
    live(page)


def test_a_search_that_is_a_number_is_a_text(open_as: OpenAs) -> None:
    page = live(open_as("owner", "/media"))
    with page.expect_response(re.compile(r"/q/media/list\?search=2024")):
        page.get_by_label("Search videos by title").fill("2024")
    expect(page.get_by_text("No video has this title")).to_be_visible()
    page.get_by_label("Search videos by title").fill("")
    expect(page.locator(".media-card").first).to_be_visible()
    live(page)


def test_ones_own_change_is_not_announced_as_somebody_elses(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    page = live(open_as("owner", f"/courses/{course.id}/edit"))
    page.evaluate(
        """() => {
            window.updates = [];
            document.addEventListener('live:updated', (e) => window.updates.push(
                [e.detail.key, e.detail.own, document.querySelectorAll('.live-changed').length]));
        }"""
    )
    page.get_by_label("Title of the new chapter").fill("Mine")
    page.get_by_role("button", name="Add chapter").click()
    expect(page.get_by_role("heading", name="Mine")).to_be_visible()
    assert page.locator(".live-changed").count() == 0, page.evaluate("window.updates")

    add_chapter(site, course, "Theirs")

    expect(page.locator(".live-changed").filter(has_text="Theirs")).to_be_visible()
    expect(page.locator("#announcer")).to_contain_text("1 chapter added")


def test_the_indicator_tells_more_when_asked(open_as: OpenAs, course: Course) -> None:
    page = live(open_as("owner", f"/courses/{course.id}/edit"))
    page.get_by_role("button", name="Live", exact=True).click()
    with page.expect_response(f"**/q/chapters/list/{course.id}"):
        page.get_by_role("button", name="Refresh now").click()
    expect(page.locator("live-indicator")).to_have_attribute("data-state", "live")


def test_a_page_without_regions_is_live_without_a_stream(open_as: OpenAs, course: Course) -> None:
    page = open_as("owner", "/courses/999999")
    live(page)


def test_redis_is_killed_and_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory, browser: Browser
) -> None:
    with serving(tmp_path_factory.mktemp("killed")) as running:
        context = browser.new_context(base_url=running.url)
        context.request.post(
            "/a/accounts/sign-in", data={"email": "owner@example.test", "password": "demo"}
        )
        page = context.new_page()
        page.goto("/courses/1/edit")
        live(page)

        os.kill(child_called(running.process.pid, "valkey"), signal.SIGKILL)
        with running.client("editor") as editor:
            answer = editor.post("/a/chapters/add", json={"course_id": 1, "title": "Not lost"})

        assert answer.status_code == 200
        expect(page.get_by_role("heading", name="Not lost")).to_be_visible()
        live(page)
        context.close()
