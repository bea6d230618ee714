"""What a browser shows of a session that was ended elsewhere goes, in each of its tabs."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Course, Site, live

OpenAs = Callable[..., Page]
AWAY = "You are signed out, so this is no longer shown."
PATIENCE_MS = 15_000
"""For a busy machine; how soon it is, tests/attacks/test_revocation.py measures."""


def sessions_of(page: Page) -> str:
    """The id of this browser's own session, as its account page knows it."""
    text = page.context.request.get("/account").text()
    found = re.search(r'key="accounts:sessions:(\d+)"', text)
    assert found is not None
    return found[1]


def test_ended_from_another_device_each_tab_shows_nothing_more(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    lost = live(open_as("editor", f"/courses/{course.id}/edit"))
    second = lost.context.new_page()
    second.goto("/media")
    live(second)
    bystander = live(open_as("owner", f"/courses/{course.id}/edit"))
    elsewhere = live(open_as("editor", "/account"))
    row = elsewhere.locator(f"#session-{sessions_of(lost)}")
    expect(row).to_contain_text("Chrome on Linux")
    expect(lost.get_by_role("heading", name="Basics")).to_be_visible()
    videos = second.locator(".media-card")
    expect(videos.first).to_be_visible()
    lost.evaluate("fetch('/q/courses/list')")  # what the page has read itself

    row.get_by_role("button").click()
    expect(row).to_have_count(0)

    for tab in (lost, second):
        expect(tab.get_by_text(AWAY).first).to_be_visible(timeout=PATIENCE_MS)
    expect(lost.locator("main")).not_to_contain_text("Basics", timeout=PATIENCE_MS)
    expect(videos).to_have_count(0)
    expect(elsewhere.get_by_text("This browser")).to_be_visible()
    with site.client("owner") as owner:
        owner.post("/a/chapters/add", json={"course_id": course.id, "title": "After that"})
    expect(bystander.get_by_role("heading", name="After that")).to_be_visible()
    assert "After that" not in lost.locator("main").inner_html()
    expect(bystander.get_by_text(AWAY)).to_have_count(0)


def test_one_who_is_removed_from_a_course_loses_it_from_the_page_and_keeps_the_rest(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    lost = live(open_as("viewer", f"/courses/{course.id}"))
    second = lost.context.new_page()
    second.goto("/courses")
    live(second)
    bystander = live(open_as("editor", f"/courses/{course.id}"))
    row = second.locator(f'main a[href^="/courses/{course.id}"]').first
    expect(row).to_be_visible()
    members = live(open_as("owner", f"/courses/{course.id}/members"))
    member = members.locator(".members li").filter(has_text="viewer@example.test")

    member.get_by_role("button", name=re.compile("Remove")).click()
    members.locator("dialog[open]").get_by_role("button", name=re.compile("Remove")).click()
    expect(member).to_have_count(0)

    gone = lost.get_by_text("This was removed, or you may no longer see it.").first
    expect(gone).to_be_visible(timeout=PATIENCE_MS)
    expect(lost.locator("main")).not_to_contain_text("Basics", timeout=PATIENCE_MS)
    expect(row).to_have_count(0, timeout=PATIENCE_MS)
    live(second)
    expect(bystander.get_by_role("heading", name="Basics")).to_be_visible()


def test_name_and_password_are_changed_on_ones_own_page(open_as: OpenAs) -> None:
    page = live(open_as("viewer", "/account"))

    page.get_by_label("Your password now").fill("wrong")
    page.get_by_label("New password").fill("correct battery horse")
    page.get_by_role("button", name="Change password").click()

    expect(page.get_by_text("This is not your password.").first).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_label("What others see").fill("Vera Viewer")
    page.get_by_role("button", name="Save name").click()
    expect(page.get_by_text("Saved.").first).to_be_visible()
