"""The whole checklist without a mouse: from the sign-in to the sign-out, with keys alone."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Course, live

FARTHEST = 150
"""So many presses of Tab are enough to come to anything on a page."""


class Keys:
    """Somebody with a keyboard. Never a click, and the focus goes nowhere by itself."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def go_to(self, selector: str, key: str = "Tab") -> None:
        """Press *key* until what matches *selector* has the focus, which must be seen."""
        for _ in range(FARTHEST):
            if self._is_on(selector):
                self._is_seen()
                return
            self._page.keyboard.press(key)
        pytest.fail(f"{selector} was not reached with {key}")

    def back_to(self, selector: str) -> None:
        """The same, backwards."""
        self.go_to(selector, "Shift+Tab")

    def press(self, *keys: str) -> None:
        """Press *keys*, one after the other."""
        for key in keys:
            self._page.keyboard.press(key)

    def write(self, text: str) -> None:
        """Type *text*."""
        self._page.keyboard.type(text)

    def _is_on(self, selector: str) -> bool:
        found: bool = self._page.evaluate(
            "(selector) => document.activeElement.matches(selector)", selector
        )
        return found

    def _is_seen(self) -> None:
        """What has the focus is on the screen, and is told from what has not."""
        seen = self._page.evaluate(
            """() => {
              const on = document.activeElement;
              const { top, bottom, height } = on.getBoundingClientRect();
              const rings = [on, on.parentElement, on.closest("li") ?? on].flatMap((each) =>
                [null, "::before", "::after"].map((part) => getComputedStyle(each, part)));
              const ring = rings.some(({ outlineStyle, outlineWidth }) =>
                outlineStyle !== "none" && outlineWidth !== "0px");
              return [height > 0 && bottom > 0 && top < innerHeight, ring];
            }"""
        )
        assert seen == [True, True], self._page.evaluate("document.activeElement.outerHTML")


@pytest.mark.timeout(180)
def test_a_course_is_built_with_the_keyboard_alone(
    open_as: Callable[..., Page], course: Course
) -> None:
    page = open_as(None, "/sign-in")
    keys, first = Keys(page), f"#chapter-{course.chapter_id}"
    rows = page.locator(f"{first} .videos .row-title")

    keys.go_to("#email")
    keys.write("editor@example.test")
    keys.go_to("#password")
    keys.write("demo")
    keys.press("Enter")
    page.wait_for_url("**/courses")
    live(page)

    keys.go_to(f'a[href="/courses/{course.id}/edit"]')
    keys.press("Enter")
    page.wait_for_url(f"**/courses/{course.id}/edit")
    live(page)

    keys.go_to("#new-chapter")
    keys.write("Second")
    keys.press("Enter")
    second = page.locator("li.chapter").filter(has_text="Second")
    expect(second).to_have_count(1)

    keys.back_to(f"{first} a[href$='/add-videos']")
    keys.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("input[type=checkbox]").first).to_be_visible()
    titles = choose_two(keys, dialog)
    keys.go_to("dialog .picker-foot .primary")
    keys.press("Enter")
    expect(dialog).to_have_count(0)
    expect(rows).to_have_count(2)
    assert sorted(rows.all_inner_texts()) == sorted(titles)

    upper, lower = rows.all_inner_texts()
    keys.back_to(f"{first} .videos li:first-child .row-title")
    keys.press("Alt+ArrowDown")
    expect(rows).to_have_text([lower, upper])
    assert page.evaluate("document.activeElement.closest('li').innerText").startswith(upper) or (
        upper in page.evaluate("document.activeElement.closest('li').innerText")
    )

    keys.go_to(f"{first} .videos li:last-child .more")
    keys.press("Enter")
    keys.go_to("a.menu-item[href$='/move']")
    keys.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    keys.go_to("dialog button.choice")
    keys.press("Enter")
    expect(second.locator(".row-title")).to_have_text([upper])
    expect(rows).to_have_text([lower])

    keys.back_to(f"{first} .pencil")
    keys.press("Enter", "ControlOrMeta+a")
    keys.write("Renamed")
    keys.press("Enter")
    expect(page.locator(f"{first} h3")).to_have_text("Renamed")
    keys.press("ControlOrMeta+z")
    expect(page.locator(f"{first} h3")).to_have_text("Basics")

    keys.go_to(f"{first} .videos li:first-child .row-title")
    keys.press("Delete")
    expect(rows).to_have_count(0)

    keys.back_to(f"{first} .chapter-head .more")
    keys.press("Enter")
    keys.go_to(f"{first} .chapter-head .menu-danger")
    keys.press("Enter")
    expect(page.locator(first)).to_have_count(0)

    keys.back_to(".person-button")
    keys.press("Enter")
    keys.go_to("#user-menu form[action$='sign-out'] button")
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to Coursewire")


def choose_two(keys: Keys, dialog: Locator) -> list[str]:
    """Choose the first two videos of the picker that are not linked yet; their titles."""
    free = dialog.locator("li:has(input[type=checkbox]:not(:disabled))")
    titles = [free.nth(number).locator(".row-title").inner_text() for number in range(2)]
    for number in range(2):
        name = free.nth(number).get_attribute("id")
        keys.go_to(f"#{name} input")
        keys.press("Space")
    expect(dialog.locator(".picker-foot .primary")).to_have_text(re.compile("Add 2 videos"))
    return titles
