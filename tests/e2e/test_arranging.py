"""Choosing, moving and taking back, by hand and by keyboard, while others work too."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Course, Site, live
from tests.e2e.test_screens import act, add_chapter, link_videos, said

OpenAs = Callable[..., Page]


def titles(course: Course, *numbers: int) -> list[str]:
    return [str(course.videos[number]["title"]) for number in numbers]


def rows_of(page: Page, chapter_id: int) -> Locator:
    return page.locator(f"#chapter-{chapter_id} .videos .row-title")


def drag(page: Page, handle: Locator, target: Locator, at: float) -> None:
    """Take *handle* to the point of *target* that is *at* of its height from its top."""
    handle.scroll_into_view_if_needed()
    start, end = handle.bounding_box(), target.bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] * at, steps=8)


def test_a_video_is_dragged_to_another_chapter_and_the_move_is_taken_back(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    links = link_videos(site, course, 3)
    other = add_chapter(site, course, "Light")
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    here, there = rows_of(page, course.chapter_id), rows_of(page, other)

    drag(page, page.locator(f"#link-{links[2]} > .handle"), page.locator(f"#link-{links[0]}"), 0.2)
    expect(page.locator(".drop-mark")).to_be_visible()
    page.mouse.up()
    expect(here).to_have_text(titles(course, 2, 0, 1))
    said(page, "1 video moved to “Basics”.")
    drag(page, page.locator(f"#link-{links[0]} > .handle"), page.locator(f"#chapter-{other}"), 0.5)
    page.mouse.up()
    expect(there).to_have_text(titles(course, 0))
    said(page, "1 video moved to “Light”.")
    expect(page.locator("[data-dragging]")).to_have_count(0)

    page.keyboard.press("Control+z")
    expect(there).to_have_count(0)
    expect(here).to_have_text(titles(course, 2, 0, 1))
    page.keyboard.press("Control+z")
    expect(here).to_have_text(titles(course, 0, 1, 2))
    page.keyboard.press("Control+Shift+z")
    expect(here).to_have_text(titles(course, 2, 0, 1))
    page.reload()
    expect(here).to_have_text(titles(course, 2, 0, 1))


def test_what_others_do_waits_while_something_is_dragged(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    links = link_videos(site, course, 3)
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    here = rows_of(page, course.chapter_id)
    drag(page, page.locator(f"#link-{links[0]} > .handle"), page.locator(f"#link-{links[2]}"), 0.9)

    with page.expect_response(re.compile(r"/q/chapters/list/")):
        act(site, "chapters/unlink", link_id=links[1])
    expect(here).to_have_text(titles(course, 0, 1, 2))
    page.mouse.up()

    expect(here).to_have_text(titles(course, 2, 0))
    expect(page.locator("[data-dragging]")).to_have_count(0)


def test_escape_gives_a_drag_up(open_as: OpenAs, site: Site, course: Course) -> None:
    links = link_videos(site, course, 2)
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    drag(page, page.locator(f"#link-{links[1]} > .handle"), page.locator(f"#link-{links[0]}"), 0.1)

    page.keyboard.press("Escape")
    page.mouse.up()

    expect(page.locator(".drop-mark")).to_have_count(0)
    expect(page.locator("[data-dragging]")).to_have_count(0)
    expect(rows_of(page, course.chapter_id)).to_have_text(titles(course, 0, 1))


def test_a_refused_move_goes_back_and_says_why(open_as: OpenAs, site: Site, course: Course) -> None:
    links = link_videos(site, course, 2)
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    page.route(
        "**/a/chapters/move-several",
        lambda route: route.fulfill(
            status=409,
            content_type="application/problem+json",
            body='{"status": 409, "detail": "It is not there any more. Nothing was moved."}',
        ),
    )

    drag(page, page.locator(f"#link-{links[1]} > .handle"), page.locator(f"#link-{links[0]}"), 0.1)
    page.mouse.up()

    said(page, "Nothing was moved.")
    expect(rows_of(page, course.chapter_id)).to_have_text(titles(course, 0, 1))
    expect(page.locator("[data-dragging]")).to_have_count(0)


def test_everything_is_arranged_by_keyboard(open_as: OpenAs, site: Site, course: Course) -> None:
    links = link_videos(site, course, 4)
    other = add_chapter(site, course, "Light")
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    here, there = rows_of(page, course.chapter_id), rows_of(page, other)
    boxes = [page.locator(f"#link-{link} > .row-choose") for link in links]

    boxes[0].focus()
    page.keyboard.press("ArrowDown")
    expect(boxes[1]).to_be_focused()
    for _ in range(2):
        page.keyboard.press("Alt+ArrowDown")
    expect(here).to_have_text(titles(course, 0, 2, 3, 1))
    expect(boxes[1]).to_be_focused()
    page.keyboard.press("Alt+ArrowDown")
    expect(there).to_have_text(titles(course, 1))
    expect(boxes[1]).to_be_focused()
    boxes[0].focus()
    page.keyboard.press("Shift+ArrowDown")
    expect(page.get_by_text("2 videos chosen", exact=True).first).to_be_visible()
    page.keyboard.press("Delete")
    expect(here).to_have_text(titles(course, 3))
    said(page, "2 videos unlinked.")
    page.keyboard.press("Control+z")
    expect(here).to_have_text(titles(course, 0, 2, 3))

    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet).to_contain_text("Move the video or chapter")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    page.get_by_role("button", name="Actions for chapter “Light”").focus()
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator(".chapter h3")).to_have_text(["Light", "Basics"])
    said(page, "“Light” was moved.")


def test_chosen_videos_move_together_by_the_dialog(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    links = link_videos(site, course, 4)
    other = add_chapter(site, course, "Light")
    page = live(open_as("editor", f"/courses/{course.id}/edit"))

    page.locator(f"#link-{links[0]} > .row-choose").click()
    page.locator(f"#link-{links[2]} > .row-choose").click(modifiers=["Shift"])
    bar = page.get_by_role("form", name="Chosen videos")
    expect(bar).to_contain_text("3 videos chosen")
    bar.get_by_role("button", name="Move to…").click()
    page.get_by_role("dialog", name="Move 3 videos").get_by_role("button", name="Light").click()

    expect(rows_of(page, other)).to_have_text(titles(course, 0, 1, 2))
    expect(bar).to_be_hidden()
    page.locator(f"#link-{links[3]} > .row-choose").check()
    bar.get_by_role("button", name="Unlink").click()
    expect(rows_of(page, course.chapter_id)).to_have_count(0)
    page.get_by_role("button", name="Undo").last.click()
    expect(rows_of(page, course.chapter_id)).to_have_text(titles(course, 3))


def test_a_chapter_is_moved_by_its_dialog(open_as: OpenAs, site: Site, course: Course) -> None:
    add_chapter(site, course, "Light")
    page = live(open_as("editor", f"/courses/{course.id}/edit"))

    page.get_by_role("button", name="Actions for chapter “Light”").click()
    page.get_by_role("link", name="Move chapter to…").last.click()
    page.get_by_role("dialog").get_by_role("button", name="Move to the beginning").click()

    expect(page.locator(".chapter h3")).to_have_text(["Light", "Basics"])
