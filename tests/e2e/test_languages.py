"""Two languages on one course, and a language whose lines go the other way."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Course, Site, live, serving

OpenAs = Callable[..., Page]


def rename_chapter(site: Site, course: Course, title: str, was: str) -> None:
    with site.client("owner") as owner:
        body = {"chapter_id": course.chapter_id, "title": title, "was": {"title": was}}
        assert owner.post("/a/chapters/rename", json=body).status_code == 200


def test_one_change_shows_on_two_screens_each_in_its_language(
    open_as: OpenAs, course: Course, site: Site
) -> None:
    path = f"/courses/{course.id}/edit"
    english, german = (
        live(open_as(role, path, locale=locale))
        for role, locale in (("editor", "en-GB"), ("owner", "de-AT"))
    )
    words = {english: "Add videos", german: "Videos hinzufügen"}

    for title, was in (("Light", "Basics"), ("Lens", "Light")):
        rename_chapter(site, course, title, was)
        for page, word in words.items():
            chapter = page.locator(".chapter", has_text=title)
            expect(chapter.get_by_role("link", name=word)).to_be_visible()
    expect(english.locator("html")).to_have_attribute("lang", "en")
    expect(german.locator("html")).to_have_attribute("lang", "de")


def test_what_scripts_say_is_in_the_language_of_the_page(open_as: OpenAs, course: Course) -> None:
    page = live(open_as("editor", f"/courses/{course.id}/edit", locale="de"))

    expect(page.locator("live-indicator")).to_contain_text("Live")
    page.locator(".live-button").click()
    expect(page.get_by_text("Änderungen erscheinen hier sofort.")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_label("Titel des neuen Kapitels").fill("Zweites")
    page.get_by_role("button", name="Kapitel hinzufügen").click()

    expect(page.locator("#toasts")).to_contain_text("„Zweites“ wurde hinzugefügt.")
    page.context.set_offline(offline=True)
    page.get_by_label("Titel des neuen Kapitels").fill("Drittes")
    page.get_by_role("button", name="Kapitel hinzufügen").click()
    expect(page.get_by_text("Sie sind offline. Es wurde nichts gespeichert")).to_be_visible()


def test_a_page_stays_in_its_language_when_another_is_chosen_elsewhere(
    open_as: OpenAs, course: Course, site: Site
) -> None:
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    other = page.context.new_page()
    other.goto("/account")
    other.get_by_label("What you read here, and our mails").select_option("de")
    other.get_by_role("button", name="Save language").click()
    expect(other.get_by_role("heading", name="Ihr Konto")).to_be_visible()
    expect(other.locator("#toasts")).to_contain_text("Die Sprache ist jetzt Deutsch.")

    rename_chapter(site, course, "Light", "Basics")

    chapter = page.locator(".chapter", has_text="Light")
    expect(chapter.get_by_role("link", name="Add videos")).to_be_visible()
    page.reload()
    expect(chapter.get_by_role("link", name="Videos hinzufügen")).to_be_visible()
    other.get_by_label("Was Sie hier lesen").select_option("en")
    other.get_by_role("button", name="Sprache speichern").click()
    expect(other.get_by_role("heading", name="Your account")).to_be_visible()


@pytest.fixture(scope="module")
def arabic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site in a language that goes from right to left; nobody has translated it."""
    with serving(
        tmp_path_factory.mktemp("arabic"),
        COURSEWIRE_LANGUAGES="ar",
        COURSEWIRE_DEFAULT_LANGUAGE="ar",
    ) as running:
        yield running


PAGES = ["/courses", "/courses/1/edit", "/courses/1", "/courses/1/members", "/media", "/media/1"]
PAGES += ["/account", "/sign-in"]

START = """() => {
    const middle = innerWidth / 2;
    const where = (selector) => {
        const box = document.querySelector(selector)?.getBoundingClientRect();
        return box ? (box.left + box.right) / 2 > middle : null;
    };
    return {
        dir: document.documentElement.dir,
        brand: where(".brand"),
        tools: where(".site-tools"),
        beyond: document.documentElement.scrollWidth - innerWidth,
    };
}"""


@pytest.mark.parametrize("width", [1440, 390])
def test_lines_that_go_the_other_way_mirror_every_screen(
    arabic: Site, browser: Browser, width: int
) -> None:
    context = browser.new_context(base_url=arabic.url, viewport={"width": width, "height": 900})
    try:
        page = context.new_page()
        page.goto("/sign-in")
        assert page.evaluate(START) | {"tools": None} == {
            "dir": "rtl", "brand": True, "tools": None, "beyond": 0,
        }  # fmt: skip
        sign_in = {"email": "owner@example.test", "password": "demo"}
        context.request.post("/a/accounts/sign-in", data=sign_in)
        for path in PAGES[:-1]:
            page.goto(path)
            live(page)
            found = page.evaluate(START)
            assert found == {"dir": "rtl", "brand": True, "tools": False, "beyond": 0}, path
    finally:
        context.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_german_words_fit_on_every_screen(open_as: OpenAs, width: int) -> None:
    page = open_as("owner", "/courses", locale="de", viewport={"width": width, "height": 900})

    for path in PAGES[:-1]:
        page.goto(path)
        live(page)
        assert page.evaluate(START)["beyond"] == 0, path


def test_arrows_and_drags_work_where_lines_go_the_other_way(arabic: Site, browser: Browser) -> None:
    context = browser.new_context(base_url=arabic.url, viewport={"width": 1440, "height": 900})
    try:
        sign_in = {"email": "owner@example.test", "password": "demo"}
        context.request.post("/a/accounts/sign-in", data=sign_in)
        page = context.new_page()
        page.goto("/courses/1/edit")
        live(page)
        titles = page.locator(".chapter").first.locator(".row-title")
        first, second = titles.all_inner_texts()[:2]
        handle = page.locator(".chapter").first.locator(".row .handle").first.bounding_box()
        below = page.locator(".chapter").first.locator(".row").nth(1).bounding_box()
        assert handle is not None
        assert below is not None

        page.mouse.move(handle["x"] + 4, handle["y"] + 10)
        page.mouse.down()
        page.mouse.move(handle["x"] - 20, below["y"] + below["height"] - 6, steps=8)
        mark = page.locator(".drop-mark").bounding_box()
        assert mark is not None
        assert abs(mark["x"] - below["x"]) < 30  # as wide as the row it is for
        assert abs(mark["width"] - below["width"]) < 60
        page.mouse.up()

        expect(titles.first).to_have_text(second)
        page.keyboard.press("Control+z")
        expect(titles.first).to_have_text(first)
    finally:
        context.close()
