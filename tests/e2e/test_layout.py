"""Nothing moves by itself: not while a page loads, and not while others change what it shows."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Course, Site, live
from tests.e2e.test_screens import act, add_chapter, link_videos

OpenAs = Callable[..., Page]

MOST_SHIFT = 0.01
OBSERVE = """
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) {
      const where = sources.map(({ node }) => node && (node.id || node.className || node.nodeName));
      window.shifts.push([value, where]);
    }
  }).observe({ type: "layout-shift", buffered: true });
"""
SIZES = [(1440, 900), (390, 844)]


def observed(page: Page, path: str) -> Page:
    """*page* at *path*, observed since its first paint."""
    page.add_init_script(OBSERVE)
    page.goto(path)
    return page


def assert_still(page: Page) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
    shifts = page.evaluate("shifts")
    assert sum(value for value, _ in shifts) < MOST_SHIFT, shifts


@pytest.mark.parametrize("size", SIZES, ids=["wide", "phone"])
@pytest.mark.parametrize(
    "path",
    ["/courses", "/courses/1", "/courses/1/edit", "/courses/1/members", "/media", "/media/1",
     "/account", "/status", "/chapters/1/add-videos"],
)  # fmt: skip
def test_nothing_moves_while_a_page_loads(
    open_as: OpenAs, path: str, size: tuple[int, int]
) -> None:
    page = open_as("admin", "/healthz", viewport={"width": size[0], "height": size[1]})

    live(observed(page, path))
    page.wait_for_function("[...document.images].every((each) => each.complete || each.loading)")

    assert_still(page)


@pytest.mark.parametrize("size", SIZES, ids=["wide", "phone"])
def test_nothing_moves_while_others_change_what_is_shown(
    open_as: OpenAs, site: Site, course: Course, size: tuple[int, int]
) -> None:
    """Titles, totals, states, and who is there; what is inserted makes its room, below."""
    link_videos(site, course, 2)
    other = add_chapter(site, course, "Other")
    page = open_as("editor", "/healthz", viewport={"width": size[0], "height": size[1]})
    live(observed(page, f"/courses/{course.id}/edit"))
    open_as("owner", f"/courses/{course.id}/edit")
    expect(page.locator(".person-chip:visible")).to_have_count(1)

    was = {"title": "Basics"}
    act(site, "chapters/rename", chapter_id=course.chapter_id, title="Begin", was=was)
    expect(page.locator(f"#chapter-{course.chapter_id} h3")).to_have_text("Begin")
    video = course.videos[0]
    act(site, "media/rename", media_id=video["media_file_id"], title="Other words",
        was={"title": video["title"]})  # fmt: skip
    expect(page.locator(f"#chapter-{course.chapter_id} .row-title").first).to_have_text(
        "Other words"
    )
    act(site, "media/rename", media_id=video["media_file_id"], title=video["title"],
        was={"title": "Other words"})  # fmt: skip
    body = {"title": "A course of this test", "description": "", "status": "draft"}
    act(site, "courses/edit", course_id=course.id, was=body, **body | {"status": "published"})
    expect(page.locator(".course-head .pill")).to_have_text("Published")
    act(site, "chapters/add", course_id=course.id, title="At the end")
    expect(page.locator("li.chapter")).to_have_count(3)
    act(site, "chapters/rename", chapter_id=other, title="Another", was={"title": "Other"})
    expect(page.locator(f"#chapter-{other} h3")).to_have_text("Another")

    assert_still(page)


def test_what_is_inserted_above_leaves_what_is_read_where_it_is(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    chapters = [add_chapter(site, course, f"Chapter {number}") for number in range(12)]
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    read = page.locator(f"#chapter-{chapters[8]}")
    read.scroll_into_view_if_needed()
    page.evaluate("(id) => document.getElementById(id).scrollIntoView()", f"chapter-{chapters[8]}")
    place = read.bounding_box()

    link_videos(site, course, 3)

    expect(page.locator(f"#chapter-{course.chapter_id} .row-title")).to_have_count(3)
    assert place is not None
    now = read.bounding_box()
    assert now is not None
    assert abs(now["y"] - place["y"]) <= 1


@pytest.mark.parametrize(
    "path", ["/courses", "/courses/1", "/courses/1/edit", "/media", "/media/1"]
)
def test_the_first_paint_is_complete_without_javascript(
    site: Site, browser: Browser, path: str
) -> None:
    """What is read is there without scripts, and where it stays once they have come."""
    seen = {}
    for scripts in ("none", "on their way", "here"):
        context = browser.new_context(
            base_url=site.url,
            java_script_enabled=scripts != "none",
            viewport={"width": 1440, "height": 900},
        )
        sign_in = {"email": "owner@example.test", "password": "demo"}
        context.request.post("/a/accounts/sign-in", data=sign_in)
        page = context.new_page()
        if scripts == "on their way":
            page.route("**/*.js", lambda route: route.abort())
        page.goto(path)
        if scripts == "here":
            live(page)
        headings = page.locator("main :is(h1, h2, h3)")
        boxes = [heading.bounding_box() for heading in headings.all()]
        seen[scripts] = headings.all_inner_texts(), boxes
        context.close()

    texts, _ = seen["none"]
    assert len(texts) > 1
    assert texts == seen["here"][0]
    assert seen["on their way"] == seen["here"]


def test_a_long_title_is_cut_where_its_own_words_end(open_as: OpenAs) -> None:
    page = live(open_as("owner", "/media?view=list"))
    page.evaluate("document.documentElement.dir = 'rtl'")

    title = page.locator(".row-title > bdi, .media-card h2 bdi").first
    style = title.evaluate(
        "(each) => (({ direction, textAlign, overflow }) => [direction, textAlign, overflow])"
        "(getComputedStyle(each))"
    )

    assert style == ["ltr", "right", "hidden"]
