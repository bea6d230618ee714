"""Who else is here: two people on one course, in real Chromium."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Course, Site, live

Open = Callable[..., Page]

TAG = "(id) => getComputedStyle(document.getElementById(id), '::after').content"


def others(page: Page) -> list[str]:
    return [
        chip.get_attribute("aria-label") or ""
        for chip in page.locator(".person-chip").all()
        if chip.is_visible()
    ]


def test_who_comes_works_and_leaves_is_seen_by_the_others(open_as: Open, course: Course) -> None:
    mine = live(open_as("owner", f"/courses/{course.id}/edit"))
    expect(mine.locator(".person-chip:visible")).to_have_count(0)

    theirs = live(open_as("editor", f"/courses/{course.id}/edit"))
    chip = mine.locator(".person-chip:visible")
    expect(chip).to_have_attribute("aria-label", "Edgar Editor")
    assert chip.locator(".avatar").get_attribute("data-initials") == "EE"
    expect(theirs.locator(".person-chip:visible")).to_have_attribute("aria-label", "Olive Owner")

    theirs.locator(f"#chapter-{course.chapter_id} .pencil").focus()
    expect(chip).to_have_attribute("aria-label", "Edgar Editor, on Basics")
    assert "Edgar Editor" in mine.evaluate(TAG, f"chapter-{course.chapter_id}")
    assert "Edgar" not in theirs.evaluate(TAG, f"chapter-{course.chapter_id}")
    chip.click()
    expect(mine.get_by_role("link", name="Basics", exact=True)).to_be_visible()

    theirs.locator("#course-title").focus()
    expect(chip).to_have_attribute("aria-label", "Edgar Editor")

    theirs.close(run_before_unload=False)
    expect(chip).to_have_count(0, timeout=5_000)


def test_nothing_moves_when_somebody_comes(open_as: Open, course: Course) -> None:
    for width in (1440, 390):
        size = {"width": width, "height": 900}
        mine = live(open_as("owner", f"/courses/{course.id}/edit", viewport=size))
        place = mine.locator("h1").bounding_box()

        theirs = live(open_as("editor", f"/courses/{course.id}/edit"))
        expect(mine.locator(".person-chip:visible")).to_have_count(1)

        assert mine.locator("h1").bounding_box() == place
        theirs.context.close()
        mine.context.close()


def test_one_of_two_tabs_may_close(open_as: Open, course: Course) -> None:
    mine = live(open_as("owner", f"/courses/{course.id}/edit"))
    first = live(open_as("editor", f"/courses/{course.id}/edit"))
    second = first.context.new_page()
    second.goto(f"/courses/{course.id}/edit")
    live(second)
    chip = mine.locator(".person-chip:visible")
    expect(chip).to_have_count(1)

    second.close()
    with mine.expect_response(f"**/q/chapters/list/{course.id}"):
        first.get_by_label("Title of the new chapter").fill("Another")
        first.get_by_label("Title of the new chapter").press("Enter")

    expect(chip).to_have_count(1)


@pytest.mark.timeout(150)
def test_a_browser_that_is_killed_is_gone_within_45_seconds(
    open_as: Open, site: Site, course: Course
) -> None:
    mine = live(open_as("owner", f"/courses/{course.id}/edit"))
    body = {"course_id": course.id, "tab": "c" * 32}
    with site.client("editor") as killed:  # what it said last, and then nothing
        killed.post("/presence/here", json=body).raise_for_status()
    said_at = time.monotonic()
    expect(mine.locator(".person-chip:visible")).to_have_count(1)

    expect(mine.locator(".person-chip:visible")).to_have_count(0, timeout=60_000)

    assert 30 < time.monotonic() - said_at < 45
    assert others(mine) == []


def test_live_updates_that_are_paused_hold_who_is_there_too(open_as: Open, course: Course) -> None:
    mine = live(open_as("owner", f"/courses/{course.id}/edit"))
    mine.locator("live-indicator button").first.click()
    mine.get_by_role("button", name="Pause live updates").click()

    theirs = live(open_as("editor", f"/courses/{course.id}/edit"))
    expect(theirs.locator(".person-chip:visible")).to_have_count(1)
    expect(mine.locator(".person-chip:visible")).to_have_count(0)

    mine.locator("live-indicator button").first.click()
    mine.get_by_role("button", name="Resume live updates").click()
    expect(mine.locator(".person-chip:visible")).to_have_count(1)
