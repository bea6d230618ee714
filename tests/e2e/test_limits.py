"""Too many actions: the page says what to do, and asks for nothing more until that is over."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Course, Site, live, serving
from tests.e2e.test_screens import add_chapter

LIMIT = 8


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site on which one user does eight things a minute."""
    folder = tmp_path_factory.mktemp("limited")
    limit = str(LIMIT)
    with serving(folder, COURSEWIRE_ACTIONS_PER_USER=limit, WEB_CONCURRENCY="1") as running:
        yield running


def test_who_does_too_much_is_told_to_wait_and_the_page_waits(
    open_as: Callable[..., Page], site: Site, course: Course
) -> None:
    add_chapter(site, course, "Light")
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/a/" in request.url else None)
    titles = page.locator(".chapter h3")
    problem = page.get_by_role("alert").filter(has_text="wait a minute")

    for number in range(LIMIT):
        page.get_by_role("button", name="Actions for chapter “Light”").focus()
        page.keyboard.press("Alt+ArrowDown" if number % 2 else "Alt+ArrowUp")
        expect(titles).to_have_text(["Basics", "Light"] if number % 2 else ["Light", "Basics"])
    page.keyboard.press("Alt+ArrowUp")
    expect(problem).to_have_count(1)
    assert len(sent) == LIMIT + 1

    page.keyboard.press("Control+z")
    page.keyboard.press("Alt+ArrowUp")
    expect(problem).to_have_count(3)
    expect(titles).to_have_text(["Basics", "Light"])
    assert len(sent) == LIMIT + 1

    page.clock.set_system_time(page.evaluate("Date.now()") / 1000 + 61)
    with page.expect_request("**/a/chapters/move"):
        page.keyboard.press("Control+z")
