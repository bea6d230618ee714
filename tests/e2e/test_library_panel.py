"""The library beside the chapters: dragged from, chosen from, and reached without dragging."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Course, Site, live
from tests.e2e.test_arranging import drag, rows_of, titles
from tests.e2e.test_screens import act, add_chapter, link_videos, said

OpenAs = Callable[..., Page]
WIDE = {"width": 1440, "height": 900}


def panel_of(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Library")


def shelved(page: Page, course: Course, number: int) -> Locator:
    """A row of the panel."""
    return page.locator(f"#shelf-{course.videos[number]['media_file_id']}")


def opened(open_as: OpenAs, course: Course) -> Page:
    page = live(open_as("editor", f"/courses/{course.id}/edit", viewport=WIDE))
    expect(shelved(page, course, 0)).to_be_visible()
    return page


def test_a_video_is_dragged_from_the_library_in_front_of_another(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    links = link_videos(site, course, 2)
    page = opened(open_as, course)
    here = rows_of(page, course.chapter_id)

    drag(page, shelved(page, course, 3).locator(".handle"), page.locator(f"#link-{links[1]}"), 0.2)
    expect(page.locator(".drop-mark")).to_be_visible()
    page.mouse.up()

    expect(here).to_have_text(titles(course, 0, 3, 1))
    said(page, "1 video added to “Basics”.")
    expect(shelved(page, course, 3)).to_contain_text("In this course")
    expect(page.locator("[data-dragging]")).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(here).to_have_text(titles(course, 0, 1))


def test_all_that_are_chosen_are_dragged_also_those_that_a_search_has_hidden(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    other = add_chapter(site, course, "Light")
    page = opened(open_as, course)
    panel = panel_of(page)
    first, second, third = (shelved(page, course, number) for number in (0, 1, 2))

    first.get_by_role("checkbox").click()
    third.get_by_role("checkbox").click(modifiers=["Shift"])
    expect(panel.get_by_role("button", name="Add 3 videos to…")).to_be_visible()
    panel.get_by_role("searchbox").fill(titles(course, 1)[0])
    expect(first).to_have_count(0)
    drag(page, second.locator(".poster"), page.locator(f"#chapter-{other}"), 0.6)
    expect(page.locator(".drag-ghost")).to_have_text("3 videos")
    page.mouse.up()

    expect(rows_of(page, other)).to_have_count(3)
    said(page, "3 videos added to “Light”.")
    expect(panel.get_by_role("button", name="Add 3 videos to…")).to_be_hidden()


def test_nothing_that_drags_needs_dragging(open_as: OpenAs, site: Site, course: Course) -> None:
    other = add_chapter(site, course, "Light")
    page = opened(open_as, course)
    panel = panel_of(page)

    shelved(page, course, 2).get_by_role("link", name="to a chapter").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Add to Light").press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)  # beside it, nothing takes a key
    expect(rows_of(page, other)).to_have_text(titles(course, 2))
    expect(shelved(page, course, 2)).to_contain_text("In this course")
    for number in (0, 1):
        shelved(page, course, number).get_by_role("checkbox").press("Space")
    panel.get_by_role("button", name="Add 2 videos to…").press("Enter")
    dialog = page.get_by_role("dialog", name="Add 2 videos")
    dialog.get_by_role("button", name="Add to Basics").press("Enter")

    expect(rows_of(page, course.chapter_id)).to_have_count(2)
    expect(panel.get_by_role("checkbox", checked=True)).to_have_count(0)


def test_the_panel_is_narrowed_and_follows_what_others_do(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    page = opened(open_as, course)
    panel = panel_of(page)

    panel.get_by_label("Show").select_option("Not in this course")
    act(
        site,
        "chapters/link-media",
        chapter_id=course.chapter_id,
        media_ids=[course.videos[0]["media_file_id"]],
    )

    expect(shelved(page, course, 0)).to_have_count(0)
    expect(shelved(page, course, 1)).to_be_visible()


def test_what_others_do_waits_while_a_video_is_on_its_way_from_the_library(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    links = link_videos(site, course, 3)
    page = opened(open_as, course)
    here = rows_of(page, course.chapter_id)
    drag(page, shelved(page, course, 4).locator(".handle"), page.locator(f"#link-{links[2]}"), 0.9)

    with page.expect_response(re.compile(r"/q/chapters/list/")):
        act(site, "chapters/unlink", link_id=links[1])
    expect(here).to_have_text(titles(course, 0, 1, 2))
    page.mouse.up()

    expect(here).to_have_text(titles(course, 0, 2, 4))


def test_a_narrow_window_asks_for_no_library(open_as: OpenAs, course: Course) -> None:
    page = open_as("editor", "/", viewport={"width": 1024, "height": 800})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(f"/courses/{course.id}/edit")
    live(page)
    expect(panel_of(page)).to_be_hidden()

    assert not [url for url in asked if "/q/chapters/library" in url]
