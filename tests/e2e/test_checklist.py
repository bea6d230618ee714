"""The users' own checklist, in two real browsers: what one does, the other sees at once."""

import re
from collections.abc import Callable

import httpx
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Course, Site, live
from tests.servers import wait_until

OpenAs = Callable[..., Page]


def videos_in(page: Page, chapter_id: int) -> list[str]:
    """The titles of the videos that *page* shows in a chapter."""
    return page.locator(f"#chapter-{chapter_id} .videos .row-title").all_inner_texts()


def choose_videos(page: Page, chapter_id: int, titles: list[str]) -> None:
    """Open the picker of a chapter, tick *titles*, and add them."""
    page.locator(f"#chapter-{chapter_id}").get_by_role("link", name="Add videos").click()
    dialog = page.get_by_role("dialog")
    for title in titles:
        dialog.get_by_role("checkbox", name=re.compile(re.escape(title))).check()
    dialog.get_by_role("button", name=re.compile(r"^Add \d+ videos?$")).click()


def test_a_video_linked_in_one_browser_appears_in_another_without_a_reload(
    open_as: OpenAs, course: Course
) -> None:
    author = live(open_as("editor", f"/courses/{course.id}/edit"))
    colleague = live(open_as("owner", f"/courses/{course.id}/edit"))
    colleague.evaluate("window.notReloaded = true")
    title = str(course.videos[0]["title"])

    choose_videos(author, course.chapter_id, [title])

    expect(colleague.locator(f"#chapter-{course.chapter_id} .videos .row-title")).to_have_text(
        [title]
    )
    expect(author.locator(f"#chapter-{course.chapter_id} .videos .row-title")).to_have_text([title])
    assert colleague.evaluate("window.notReloaded") is True


def test_several_videos_are_linked_at_once(open_as: OpenAs, course: Course) -> None:
    author = live(open_as("editor", f"/courses/{course.id}/edit"))
    viewer = live(open_as("viewer", f"/courses/{course.id}"))
    titles = [str(video["title"]) for video in course.videos[:3]]

    choose_videos(author, course.chapter_id, titles)

    expect(author.get_by_text("3 videos added to “Basics”.").first).to_be_visible()
    for title in titles:
        expect(viewer.get_by_text(title, exact=True).first).to_be_visible()
    expect(viewer.locator("video")).to_have_count(3)


def test_course_info_and_the_chapter_list_both_update_after_a_link(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    colleague = live(open_as("owner", f"/courses/{course.id}/edit"))
    with (
        colleague.expect_response(f"**/q/courses/detail/{course.id}") as detail,
        colleague.expect_response(f"**/q/chapters/list/{course.id}") as chapters,
    ):
        answer = _link(site, course, course.videos[:1]).json()

    assert {"courses", "chapters"} <= {key[0] for key in answer["stale"]}
    assert detail.value.ok
    assert chapters.value.ok
    expect(colleague.locator("live-region[key^='courses:detail']")).to_contain_text(
        re.compile(r"1\s*video", re.IGNORECASE)
    )


def test_course_info_edited_by_one_is_shown_to_the_other(open_as: OpenAs, course: Course) -> None:
    author = live(open_as("editor", f"/courses/{course.id}/edit"))
    colleague = live(open_as("owner", f"/courses/{course.id}/edit"))

    author.get_by_label("Title", exact=True).fill("Light, properly")
    author.get_by_role("button", name="Save course info").click()

    expect(colleague.get_by_role("heading", level=1)).to_have_text("Light, properly")
    expect(colleague.get_by_label("Title", exact=True)).to_have_value("Light, properly")


def test_a_video_that_is_linked_already_is_a_result_and_not_a_failure(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    author = live(open_as("editor", f"/courses/{course.id}/edit"))
    first, second = course.videos[0], course.videos[1]
    author.locator(f"#chapter-{course.chapter_id}").get_by_role("link", name="Add videos").click()
    dialog = author.get_by_role("dialog")
    for video in (first, second):
        dialog.get_by_role("checkbox", name=re.compile(re.escape(str(video["title"])))).check()
    # Somebody else links the first one directly, on a channel that this page does not hear in time.
    author.context.set_offline(True)
    _link(site, course, [first])
    author.context.set_offline(False)

    dialog.get_by_role("button", name=re.compile(r"^Add \d+ videos?$")).click()

    expect(author.locator(f"#chapter-{course.chapter_id} .videos .row-title")).to_have_count(2)
    expect(author.get_by_text("already").first).to_be_visible()


def test_a_chapter_deleted_meanwhile_says_so_and_keeps_what_was_chosen(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    author = live(open_as("editor", f"/chapters/{course.chapter_id}/add-videos"))
    title = str(course.videos[0]["title"])
    author.get_by_role("checkbox", name=re.compile(re.escape(title))).check()
    author.context.set_offline(True)
    with site.client("owner") as owner:
        owner.post("/a/chapters/remove", json={"chapter_id": course.chapter_id})
    author.context.set_offline(False)

    author.get_by_role("button", name="Add 1 video").click()

    alert = (
        author.get_by_role("alert")
        .filter(has_text="gone")
        .or_(author.get_by_role("alert").filter(has_text="removed"))
    )
    expect(alert.first).to_be_visible()


def test_a_viewer_is_told_that_this_is_not_allowed(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    author = live(open_as("editor", f"/courses/{course.id}/edit"))
    with site.client("viewer") as viewer:
        answer = viewer.post(
            "/a/chapters/add", json={"course_id": course.id, "title": "Not allowed"}
        )

    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"].startswith("You may look at this")
    expect(author.get_by_text("Not allowed")).to_have_count(0)


def test_without_the_network_the_form_says_so_and_stays_as_it_was(
    open_as: OpenAs, course: Course
) -> None:
    author = live(open_as("editor", f"/courses/{course.id}/edit"))
    author.get_by_label("Title of the new chapter").fill("Half typed")
    author.context.set_offline(True)

    author.get_by_role("button", name="Add chapter").click()

    expect(author.get_by_role("alert").filter(has_text="offline")).to_be_visible()
    expect(author.get_by_label("Title of the new chapter")).to_have_value("Half typed")
    author.context.set_offline(False)
    author.get_by_role("button", name="Add chapter").click()
    expect(author.get_by_role("heading", name="Half typed")).to_be_visible()


def test_a_lost_update_shows_both_texts(open_as: OpenAs, site: Site, course: Course) -> None:
    author = live(open_as("editor", f"/courses/{course.id}/edit"))
    author.get_by_label("Title", exact=True).fill("Mine")
    with site.client("owner") as owner:
        detail = owner.get(f"/q/courses/detail/{course.id}").json()
        was = {name: detail[name] for name in ("title", "description", "status")}
        owner.post(
            "/a/courses/edit",
            json={"course_id": course.id, **was, "title": "Theirs", "was": was},
        ).raise_for_status()

    expect(author.get_by_role("heading", level=1)).to_have_text("Theirs")
    expect(author.get_by_label("Title", exact=True)).to_have_value("Mine")
    expect(author.get_by_text("Changed meanwhile").first).to_be_visible()


def test_a_page_shows_what_changed_between_its_rendering_and_its_subscription(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    page = open_as("owner", "/sign-in")
    page.route(
        "**/live?*", lambda route: (_link(site, course, course.videos[:1]), route.continue_())
    )

    page.goto(f"/courses/{course.id}/edit")

    expect(page.locator(f"#chapter-{course.chapter_id} .videos .row-title")).to_have_count(1)


def test_a_browser_that_was_offline_catches_up(open_as: OpenAs, site: Site, course: Course) -> None:
    page = live(open_as("owner", f"/courses/{course.id}/edit"))
    page.context.set_offline(True)
    _link(site, course, course.videos[:2])

    page.context.set_offline(False)

    expect(page.locator(f"#chapter-{course.chapter_id} .videos .row-title")).to_have_count(2)
    live(page)


def test_everything_works_without_javascript(open_as: OpenAs, course: Course) -> None:
    page = open_as(None, "/sign-in", java_script_enabled=False)
    page.get_by_label("E-mail").fill("editor@example.test")
    page.get_by_label("Password").fill("demo")
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"/courses/{course.id}/edit")

    page.get_by_label("Title of the new chapter").fill("Without a script")
    page.get_by_role("button", name="Add chapter").click()

    expect(page.get_by_role("heading", name="Without a script")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="was added")).to_be_visible()


def test_native_event_source_reads_the_stream(open_as: OpenAs, site: Site, course: Course) -> None:
    page = open_as("owner", "/sign-in")
    page.evaluate(
        """(key) => {
            window.heard = [];
            const source = new EventSource(`/live?key=${key}`);
            for (const name of ['hello', 'stale', 'bye'])
                source.addEventListener(
                    name, (e) => window.heard.push([name, e.data, e.lastEventId]));
        }""",
        f"chapters:list:{course.id}",
    )
    wait_until(lambda: page.evaluate("window.heard.length") == 1, "hello")

    _link(site, course, course.videos[:1])

    wait_until(lambda: page.evaluate("window.heard.length") == 2, "stale")
    (hello, first, first_id), (stale, second, second_id) = page.evaluate("window.heard")
    assert (hello, stale) == ("hello", "stale")
    assert '"verdict":"reset"' in first
    assert f'"keys":[["chapters","list",{course.id}]]' in second
    assert '"cause":"media-linked"' in second
    assert int(first_id.split("-")[1]) < int(second_id.split("-")[1])


def _link(site: Site, course: Course, videos: list[dict[str, object]]) -> httpx.Response:
    with site.client("editor") as editor:
        return editor.post(
            "/a/chapters/link-media",
            json={
                "chapter_id": course.chapter_id,
                "media_ids": [video["media_file_id"] for video in videos],
            },
        ).raise_for_status()
