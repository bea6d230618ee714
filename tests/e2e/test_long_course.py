"""A long course: its chapters keep to their column, its menus are made where they open."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Course, Site, live
from tests.e2e.test_screens import link_videos, open_menu

OpenAs = Callable[..., Page]

CHAPTERS = 30
LEARNED = """(path) => performance.getEntriesByType("resource")
    .filter(({ name }) => name.includes(path)).map((entry) => entry.decodedBodySize)[0]"""


@pytest.fixture
def long_course(site: Site, course: Course) -> Course:
    """The course with 30 chapters, and three videos in the first."""
    with site.client("owner") as owner:
        for number in range(1, CHAPTERS):
            owner.post(
                "/a/chapters/add", json={"course_id": course.id, "title": f"Part {number}"}
            ).raise_for_status()
    link_videos(site, course, 3)
    return course


def test_the_chapters_of_a_long_course_keep_to_their_column(
    open_as: OpenAs, long_course: Course
) -> None:
    wide = {"width": 1440, "height": 900}
    page = live(open_as("editor", f"/courses/{long_course.id}/edit", viewport=wide))
    expect(page.locator(".shelf-row").first).to_be_visible()

    widest = page.evaluate(
        """() => {
             const right = document.querySelector(".workbench-main").getBoundingClientRect().right;
             const cards = [...document.querySelectorAll(".chapter")];
             return Math.max(...cards.map((card) => card.getBoundingClientRect().right)) - right;
           }"""
    )

    assert widest <= 0


def test_a_menu_offers_what_can_be_done_where_its_row_stands(
    open_as: OpenAs, long_course: Course
) -> None:
    page = live(open_as("editor", f"/courses/{long_course.id}/edit"))
    first, second, third = (str(video["title"]) for video in long_course.videos[:3])
    button = page.get_by_role("button", name=f"Actions for “{first}”", exact=True)

    def offered(title: str) -> list[str]:
        menu = open_menu(page, f"Actions for “{title}”")
        return menu.locator(".menu-item").all_inner_texts()

    steps = ["Move video up", "Move video down"]
    others = ["Move to…", "Unlink from chapter"]
    assert offered(second) == [*steps, *others]
    assert offered(third) == [steps[0], *others]
    assert offered(first) == [steps[1], *others]
    expect(button).to_have_attribute("aria-expanded", "true")
    button.click()
    expect(page.locator(".row-menu:popover-open")).to_have_count(0)
    button.press("Space")
    expect(page.locator(".row-menu:popover-open")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".row-menu:popover-open")).to_have_count(0)
    expect(button).to_be_focused()
    assert page.locator(".row-menu").count() == 1


def test_a_menu_that_is_open_stays_while_its_row_moves(
    open_as: OpenAs, site: Site, long_course: Course
) -> None:
    page = live(open_as("editor", f"/courses/{long_course.id}/edit"))
    chapter = f"#chapter-{long_course.chapter_id}"
    first, second, third = (str(video["title"]) for video in long_course.videos[:3])
    menu = open_menu(page, f"Actions for “{third}”")

    with site.client("owner") as owner:
        (shown,) = (
            each
            for each in owner.get(f"/q/chapters/list/{long_course.id}").json()
            if each["id"] == long_course.chapter_id
        )
        links = [video["link_id"] for video in shown["videos"]]
        owner.post(
            "/a/chapters/reorder-media",
            json={"chapter_id": long_course.chapter_id, "link_ids": [links[2], links[0], links[1]]},
        ).raise_for_status()

    expect(page.locator(f"{chapter} .row-title")).to_have_text([third, first, second])
    expect(menu).to_be_visible()
    menu.get_by_role("button", name="Unlink").click()
    expect(page.locator(f"{chapter} .row-title")).to_have_text([first, second])


def test_without_scripts_a_page_offers_what_the_menu_does(
    open_as: OpenAs, long_course: Course
) -> None:
    path = f"/courses/{long_course.id}/edit"
    page = open_as("editor", path, java_script_enabled=False)
    first, second, third = (str(video["title"]) for video in long_course.videos[:3])
    rows = page.locator(f"#chapter-{long_course.chapter_id} .row-title")

    page.get_by_role("button", name=f"Actions for “{third}”").click()
    expect(page.get_by_role("heading", name=third)).to_be_visible()
    expect(page.get_by_role("button", name="Move video down")).to_have_count(0)
    page.get_by_role("button", name="Move video up").click()

    expect(page).to_have_url(re.compile(rf"{path}#chapter-{long_course.chapter_id}$"))
    expect(rows).to_have_text([first, third, second])
    page.get_by_role("button", name="Actions for chapter “Basics”").click()
    page.get_by_role("button", name="Move chapter down").click()
    expect(page.locator(".chapter h3").first).to_have_text("Part 1")


def test_of_a_long_course_only_what_is_new_is_sent(
    open_as: OpenAs, site: Site, long_course: Course
) -> None:
    page = live(open_as("editor", f"/courses/{long_course.id}/edit"))
    title = page.locator(f"#chapter-{long_course.chapter_id} h3")
    answers: list[tuple[bool, int]] = []
    is_read = re.compile(rf"/q/chapters/list/{long_course.id}")

    # What the page shows already is asked for once.
    learned = page.wait_for_function(LEARNED, arg=f"/q/chapters/list/{long_course.id}")
    whole_bytes = learned.json_value()
    was = "Basics"
    for number in range(20):  # as many workers have to meet what they have not sent yet
        with page.expect_response(is_read) as read, site.client("owner") as owner:
            body = {"chapter_id": long_course.chapter_id, "title": f"Take {number}"}
            owner.post(
                "/a/chapters/rename", json={**body, "was": {"title": was}}
            ).raise_for_status()
        was = str(body["title"])
        expect(title).to_have_text(was)
        answers.append(("live-delta" in read.value.headers, len(read.value.body())))
        if answers[-1][0]:
            break

    delta = answers[-1]
    assert delta[0]
    assert delta[1] < whole_bytes / 10
    expect(page.locator(".chapter")).to_have_count(CHAPTERS)
    expect(page.locator(".videos .row")).to_have_count(3)
