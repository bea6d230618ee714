"""`/status` in a real browser: it moves by itself when somebody acts, and fits a phone."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import Site, live, serving


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """A site at which the owner is staff."""
    with serving(tmp_path) as running:
        (database,) = tmp_path.rglob("*.sqlite3")
        with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
            connection.execute("UPDATE account_user SET staff = 1 WHERE email LIKE 'owner@%'")
        yield running


@pytest.fixture
def page(own_site: Site, browser: Browser) -> Iterator[Page]:
    """Signed in as staff."""
    context = browser.new_context(base_url=own_site.url)
    context.request.post(
        "/a/accounts/sign-in", data={"email": "owner@example.test", "password": "demo"}
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def test_the_page_moves_by_itself_when_somebody_acts(own_site: Site, page: Page) -> None:
    page.goto("/courses")
    page.click("[popovertarget=user-menu]")
    page.click("text=Status of the site")
    live(page)
    page.evaluate("window.unloaded = false; addEventListener('pagehide', () => unloaded = true)")

    page.wait_for_selector(".plot-sheet", timeout=30_000)
    page.locator(".plot summary").first.click()
    with own_site.client("editor") as editor:
        for number in range(20):
            body = {"course_id": 1, "title": f"Chapter {number}"}
            editor.post("/a/chapters/add", json=body).raise_for_status()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.figure')].some((each) =>"
        " each.querySelector('dt').textContent === 'Notices' &&"
        " parseFloat(each.querySelector('dd').textContent) > 0.3)",
        timeout=30_000,
    )

    assert page.evaluate("window.unloaded") is False
    assert page.locator(".plot details").first.get_attribute("open") is not None
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
