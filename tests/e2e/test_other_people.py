"""What others do meanwhile: shown softly, told once, and never in the way of who works here."""

from collections.abc import Callable

import httpx
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Course, Site, live
from tests.e2e.test_arranging import rows_of, titles
from tests.e2e.test_screens import act, add_chapter, link_videos

OpenAs = Callable[..., Page]


def rename(client: httpx.Client, chapter_id: int, was: str, title: str) -> None:
    body = {"chapter_id": chapter_id, "title": title, "was": {"title": was}}
    client.post("/a/chapters/rename", json=body).raise_for_status()


def test_a_change_is_highlighted_counted_and_told_in_one_sentence(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    colleague = live(open_as("owner", f"/chapters/{course.chapter_id}/add-videos"))

    for title in titles(course, 0, 1):
        colleague.get_by_role("checkbox", name=title).check()
    colleague.get_by_role("button", name="Add 2 videos").click()

    added = page.locator(".videos .row.live-changed")
    expect(added).to_have_count(2)
    expect(page.locator(".totals")).to_contain_text("2 videos")
    expect(page.locator("#announcer")).to_have_text("2 videos added to Basics")
    expect(added).to_have_count(0)


def test_what_is_read_stays_where_it_is_while_rows_come_above(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    chapters = [add_chapter(site, course, title) for title in ("Light", "Lens", "Colour", "Print")]
    videos = [video["media_file_id"] for video in course.videos[:6]]
    for chapter_id in chapters:
        act(site, "chapters/link-media", chapter_id=chapter_id, media_ids=videos)
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    row = page.locator(f"#chapter-{chapters[2]} .videos > li").nth(3)
    row.evaluate("(row) => row.scrollIntoView({ block: 'center', behavior: 'instant' })")
    row.hover()
    under = "(row) => [Math.round(row.getBoundingClientRect().top), row.matches(':hover')]"
    before = row.evaluate(under)

    link_videos(site, course, 6)
    expect(rows_of(page, course.chapter_id)).to_have_count(6)

    after = row.evaluate(under)
    assert abs(after[0] - before[0]) <= 1
    assert after[1]


def test_a_row_with_the_focus_that_is_removed_hands_it_to_its_neighbour_and_says_so(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    links = link_videos(site, course, 3)
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    page.locator(f"#link-{links[1]} > .row-choose").focus()

    act(site, "chapters/unlink", link_id=links[1])

    expect(page.locator(f"#link-{links[2]} > .row-choose")).to_be_focused()
    (title,) = titles(course, 1)
    expect(page.locator("#announcer")).to_contain_text(f"“{title}” was removed by somebody else.")


def test_a_half_typed_text_and_a_colleagues_are_both_shown(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    title = page.get_by_label("Title", exact=True)
    title.fill("Half ty")

    with site.client("owner") as owner:
        detail = owner.get(f"/q/courses/detail/{course.id}").json()
        was = {name: detail[name] for name in ("title", "description", "status")}
        body = {"course_id": course.id, **was, "title": "A colleague's", "was": was}
        owner.post("/a/courses/edit", json=body).raise_for_status()

    question = page.locator(".field-theirs")
    expect(question).to_contain_text("Changed meanwhile")
    expect(question).to_contain_text("Use theirs: “A colleague's”")
    expect(title).to_have_value("Half ty")
    page.get_by_role("button", name="Save course info").click()
    expect(page.locator(".conflict")).to_contain_text("A colleague's")
    expect(page.locator(".conflict")).to_contain_text("Half ty")
    question.get_by_role("button", name="Keep mine").click()
    page.get_by_role("button", name="Save course info").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Half ty")


def test_a_paused_page_stands_still_says_so_and_catches_up(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    here = rows_of(page, course.chapter_id)
    word = page.locator("live-indicator .live-word")
    page.locator(".live-button").click()
    page.get_by_role("button", name="Pause live updates").click()
    expect(word).to_have_text("Paused")

    link_videos(site, course, 2)
    expect(word).to_have_text("Paused · 1 change waiting")
    with site.client("owner") as owner:
        rename(owner, course.chapter_id, "Basics", "Beginnings")
    expect(word).to_have_text("Paused · 2 changes waiting")
    expect(here).to_have_count(0)
    page.locator(".live-button").click()
    page.get_by_role("button", name="Resume live updates").click()

    expect(word).to_have_text("Live")
    expect(here).to_have_count(2)
    expect(page.locator(".chapter h3")).to_have_text("Beginnings")
