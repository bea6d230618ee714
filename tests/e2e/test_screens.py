"""Every form of every screen, in a real browser: what is pressed, said, and focused."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import ROOT, Course, Site, live

OpenAs = Callable[..., Page]


def said(page: Page, text: str | re.Pattern[str]) -> None:
    """A message with *text* is shown."""
    expect(page.locator("#toasts .toast").filter(has_text=text).first).to_be_visible()


def act(site: Site, action: str, **arguments: object) -> httpx.Response:
    """Do something as somebody else."""
    with site.client("owner") as owner:
        return owner.post(f"/a/{action}", json=arguments).raise_for_status()


def link_videos(site: Site, course: Course, count: int) -> list[int]:
    """Put the first videos of the library into the course's chapter; the ids of the links."""
    answer = act(
        site,
        "chapters/link-media",
        chapter_id=course.chapter_id,
        media_ids=[video["media_file_id"] for video in course.videos[:count]],
    )
    return [outcome["link_id"] for outcome in answer.json()["result"]]


def add_chapter(site: Site, course: Course, title: str) -> int:
    """Another chapter; its id."""
    chapter = act(site, "chapters/add", course_id=course.id, title=title).json()["result"]
    chapter_id: int = chapter["id"]
    return chapter_id


def a_copy_of_a_clip(folder: Path, name: str) -> Path:
    """A small video file of our own, called *name*."""
    clip = next((ROOT / "plugins" / "media" / "demo").glob("*.webm"))
    return Path(shutil.copy(clip, folder / name))


def open_menu(page: Page, label: str) -> Locator:
    """Open the menu whose button is called *label*."""
    page.get_by_role("button", name=label, exact=True).click()
    return page.get_by_role("group", name=label, exact=True)


def test_signing_in_leads_on_and_a_wrong_password_says_so(open_as: OpenAs) -> None:
    page = open_as(None, "/sign-in?next=/media")
    page.get_by_label("E-mail address").fill("owner@example.test")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    expect(page.get_by_label("E-mail address")).to_have_value("owner@example.test")

    page.get_by_label("Password").fill("demo")
    page.get_by_role("button", name="Sign in", exact=True).click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Media library")


def test_a_demonstration_account_is_one_press_away(open_as: OpenAs) -> None:
    page = open_as(None, "/sign-in")

    page.get_by_role("button", name="Continue as viewer").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Courses")


def test_signing_out_leads_to_the_sign_in(open_as: OpenAs) -> None:
    page = live(open_as("viewer", "/courses"))
    page.locator(".person-button").click()

    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to Coursewire")


def test_a_course_is_added_and_removed_with_its_message_on_the_next_page(open_as: OpenAs) -> None:
    page = live(open_as("owner", "/courses"))
    page.get_by_label("Title of the new course").fill("Short lived")
    page.get_by_role("button", name="Add course").click()
    page.wait_for_url("**/courses/*/edit", wait_until="commit")
    said(page, "“Short lived” was added as a draft.")

    page.get_by_text("Remove this course…").click()
    page.get_by_role("button", name="Remove course").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Remove this course?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Remove course")).to_be_focused()
    page.get_by_role("button", name="Remove course").click()
    dialog.get_by_role("button", name="Remove course").click()

    page.wait_for_url("**/courses", wait_until="commit")
    said(page, "“Short lived” was removed.")


def test_course_info_is_saved_in_place(open_as: OpenAs, course: Course) -> None:
    page = live(open_as("owner", f"/courses/{course.id}/edit"))
    page.get_by_label("Description").fill("Line one\nLine two")
    page.locator(".segments label", has_text="Published").click()

    page.get_by_role("button", name="Save course info").click()
    said(page, "Saved.")
    expect(page.locator(".course-head")).to_contain_text("Published")
    page.get_by_label("Title", exact=True).fill("Second save")
    page.get_by_role("button", name="Save course info").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Second save")
    expect(page.locator("[role=alert]")).to_have_count(0)
    page.reload()
    expect(page.get_by_label("Description")).to_have_value("Line one\nLine two")
    expect(page.get_by_label("Published")).to_be_checked()


def test_a_lost_update_of_the_course_lets_one_choose(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    page = live(open_as("owner", f"/courses/{course.id}/edit"))
    for mine, theirs, button, shown in [
        ("Mine", "Theirs", "Keep mine", "Mine"),
        ("Mine again", "Theirs again", "Use theirs", "Theirs again"),
    ]:
        page.get_by_label("Title", exact=True).fill(mine)
        page.route("**/q/courses/**", lambda route: route.abort())
        _edit_title(site, course, theirs)
        page.get_by_role("button", name="Save course info").click()
        conflict = page.locator(".course-form .conflict")
        expect(conflict).to_contain_text(re.compile(f"Theirs: {theirs}.*Yours: {mine}"))
        page.unroute("**/q/courses/**")

        conflict.get_by_role("button", name=button).click()

        expect(conflict).to_have_count(0)
        expect(page.get_by_label("Title", exact=True)).to_have_value(shown)
        expect(page.get_by_role("heading", level=1)).to_have_text(shown)


def test_chapters_are_added_one_after_another_without_the_mouse(
    open_as: OpenAs, course: Course
) -> None:
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    page.get_by_label("Title of the new chapter").focus()

    for title in ("Light", "Colour"):
        page.keyboard.type(title)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
        expect(page.get_by_label("Title of the new chapter")).to_have_value("")
        expect(page.get_by_label("Title of the new chapter")).to_be_focused()


def test_a_chapter_is_renamed_in_place(open_as: OpenAs, course: Course) -> None:
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    page.get_by_role("button", name="Rename chapter “Basics”").click()
    field = page.get_by_label("Chapter title")
    expect(field).to_be_focused()
    field.fill("Foundations")

    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Foundations")).to_be_visible()
    expect(field).to_be_hidden()
    said(page, "Renamed to “Foundations”.")
    expect(page.get_by_role("button", name="Rename chapter “Foundations”")).to_be_focused()


def test_a_chapter_is_moved_and_removed_from_its_menu(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    add_chapter(site, course, "Light")
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    titles = page.locator(".chapter h3")

    menu = open_menu(page, "Actions for chapter “Light”")
    menu.get_by_role("button", name="Move chapter up").click()
    expect(titles).to_have_text(["Light", "Basics"])
    expect(menu).to_be_hidden()
    expect(page.get_by_role("button", name="Actions for chapter “Light”")).to_be_focused()
    menu = open_menu(page, "Actions for chapter “Basics”")
    menu.get_by_role("button", name="Remove chapter").click()

    expect(titles).to_have_text(["Light"])
    page.get_by_role("button", name="Undo").last.click()
    expect(titles).to_have_text(["Light", "Basics"])
    page.get_by_role("button", name="Redo").last.click()
    expect(titles).to_have_text(["Light"])


def test_a_video_is_moved_inside_its_chapter_unlinked_and_moved_to_another(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    link_videos(site, course, 3)
    other = add_chapter(site, course, "Light")
    first, second, third = (str(video["title"]) for video in course.videos[:3])
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    rows = page.locator(f"#chapter-{course.chapter_id} .videos .row-title")

    open_menu(page, f"Actions for “{third}”").get_by_role("button", name="Move video up").click()
    expect(rows).to_have_text([first, third, second])
    open_menu(page, f"Actions for “{first}”").get_by_role("button", name="Unlink").click()
    expect(rows).to_have_text([third, second])
    open_menu(page, f"Actions for “{second}”").get_by_role("link", name="Move to…").click()
    dialog = page.get_by_role("dialog", name="Move video")
    dialog.get_by_role("button", name="Move to Light").click()

    expect(rows).to_have_text([third])
    expect(page.locator(f"#chapter-{other} .videos .row-title")).to_have_text([second])
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name=f"Actions for “{second}”", exact=True)).to_be_focused()


def test_a_sheet_has_its_title_and_gives_the_focus_back(open_as: OpenAs, course: Course) -> None:
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    link = page.locator(f"#chapter-{course.chapter_id}").get_by_role("link", name="Add videos")
    dialog = page.get_by_role("dialog", name="Add videos")

    ways: list[Callable[[], None]] = [
        lambda: page.keyboard.press("Escape"),
        lambda: dialog.get_by_role("button", name="Close").click(),
        lambda: page.mouse.click(5, 5),
    ]
    for leave in ways:
        link.click()
        expect(dialog.get_by_label("Search videos by title")).to_be_focused()
        leave()
        expect(dialog).to_have_count(0)
        expect(link).to_be_focused()


def test_a_choice_survives_searches(open_as: OpenAs, course: Course) -> None:
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    page.locator(f"#chapter-{course.chapter_id}").get_by_role("link", name="Add videos").click()
    dialog = page.get_by_role("dialog")
    first, second = (str(video["title"]) for video in course.videos[:2])
    expect(dialog.get_by_text("Choose at least one video.")).to_be_visible()

    dialog.get_by_role("checkbox", name=re.compile(re.escape(first))).check()
    dialog.get_by_label("Search videos by title").fill(second)
    expect(dialog.get_by_role("checkbox")).to_have_count(1)
    dialog.get_by_role("checkbox", name=re.compile(re.escape(second))).check()
    expect(dialog.get_by_role("button", name="Add 2 videos")).to_be_visible()
    dialog.get_by_label("Search videos by title").fill("no such video")
    expect(dialog.get_by_text("No video has this title")).to_be_visible()
    dialog.get_by_role("button", name="Add 2 videos").click()

    said(page, "2 videos added to “Basics”.")
    rows = page.locator(f"#chapter-{course.chapter_id} .videos .row-title")
    expect(rows).to_have_text([first, second])


def test_a_choice_extends_with_shift_and_is_cleared(open_as: OpenAs, course: Course) -> None:
    page = live(open_as("editor", f"/chapters/{course.chapter_id}/add-videos"))
    rows = page.locator(".pick")

    rows.nth(0).click()
    rows.nth(2).click(modifiers=["Shift"])
    expect(page.get_by_role("button", name="Add 3 videos")).to_be_visible()
    page.get_by_role("button", name="Clear choice").click()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(0)
    page.get_by_role("button", name="Add chosen videos").click(force=True)

    expect(page.get_by_role("alert")).to_have_text("Choose at least one video.")


def test_on_a_page_of_its_own_the_picker_leads_back_to_the_course(
    open_as: OpenAs, course: Course
) -> None:
    page = live(open_as("editor", f"/chapters/{course.chapter_id}/add-videos"))
    page.locator(".pick").nth(0).click()

    page.get_by_role("button", name="Add 1 video").click()

    page.wait_for_url(
        f"**/courses/{course.id}/edit#chapter-{course.chapter_id}", wait_until="commit"
    )
    said(page, "1 video added to “Basics”.")


def test_the_library_is_searched_and_sorted_with_an_address_that_follows(
    open_as: OpenAs, course: Course
) -> None:
    page = live(open_as("owner", "/media?view=list"))
    title = str(course.videos[0]["title"])
    cards = page.locator("#library .media-card")

    page.get_by_label("Search videos by title").fill(f" {title} ")
    expect(cards).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/media\?view=list&search="))
    page.reload()
    expect(cards).to_have_count(1)
    page.get_by_label("Search videos by title").fill("")
    page.get_by_label("Sort by").select_option("title")

    expect(page).to_have_url(re.compile(r"/media\?view=list&sort=title$"))
    titles = sorted((str(video["title"]) for video in course.videos), key=str.lower)
    expect(cards.locator("h2")).to_have_text([*titles])


def test_pages_of_the_library_keep_the_search(open_as: OpenAs, site: Site) -> None:
    with site.client("owner") as owner:
        added = [_add_url(owner, f"Paged {number:02}") for number in range(50)]
        page = live(open_as("owner", "/media?search=paged&sort=title"))
        cards = page.locator("#library .media-card h2")
        expect(cards.first).to_have_text("Paged 00")

        page.get_by_role("link", name="Next page").click()
        expect(page.locator(".pager-place")).to_have_text(re.compile("Page 2 of"))
        expect(cards.first).not_to_have_text("Paged 00")
        expect(page).to_have_url(re.compile("page=2"))
        page.get_by_role("link", name="Previous page").click()
        expect(cards.first).to_have_text("Paged 00")
        expect(page).to_have_url(re.compile(r"\?search=paged&sort=title$"))
        page.get_by_role("link", name="Next page").click()
        page.get_by_label("Search videos by title").fill("paged 07")

        expect(cards).to_have_text(["Paged 07"])
        for media_id in added:
            owner.post("/a/media/remove", json={"media_id": media_id}).raise_for_status()


def test_a_file_is_uploaded_renamed_and_removed(open_as: OpenAs, tmp_path: Path) -> None:
    page = live(open_as("owner", "/media"))
    page.locator("summary", has_text="Add videos").click()
    form = page.get_by_role("form", name="Upload files")
    film = a_copy_of_a_clip(tmp_path, "Dunes.webm")
    film.write_bytes(film.read_bytes() + b"not the demonstration's")
    form.get_by_label("Video or audio file").set_input_files(film)
    form.get_by_role("button", name="Upload", exact=True).click()
    page.locator(".tray-row").get_by_role("link", name="Open").click()
    page.wait_for_url("**/media/*", wait_until="commit")
    live(page)
    page.get_by_role("button", name="Rename video “Dunes”").click()
    page.get_by_label("Title of the video").fill("High dunes")
    page.get_by_role("button", name="Rename video", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("High dunes")
    page.get_by_role("button", name="Move to trash").click()

    page.wait_for_url("**/media", wait_until="commit")
    said(page, "“High dunes” was moved to the trash.")


def test_a_video_is_added_by_its_web_address(open_as: OpenAs) -> None:
    page = live(open_as("owner", "/media"))
    page.locator("summary", has_text="Add videos").click()
    form = page.locator("form[action='/a/media/add-url']")
    url, title = form.locator("[name=url]"), form.locator("[name=title]")
    url.fill("ftp://example.org/a.mp4")
    title.fill("From elsewhere")
    form.get_by_role("button", name="Add video").click()
    expect(url).to_have_attribute("aria-invalid", "true")
    expect(url).to_be_focused()
    expect(url).to_have_accessible_description(re.compile("https://"))

    url.fill("https://example.org/a.mp4")
    expect(url).not_to_have_attribute("aria-invalid", "true")
    form.get_by_role("button", name="Add video").click()

    said(page, "“From elsewhere” was added to the library.")
    expect(url).to_have_value("")


def test_members_are_added_changed_and_removed(open_as: OpenAs, course: Course) -> None:
    page = live(open_as("owner", f"/courses/{course.id}/members"))
    form = page.get_by_role("form", name="Add a member")
    form.get_by_label("E-mail address").fill("nobody@example.test")
    form.get_by_role("button", name="Add member").click()
    expect(form.get_by_label("E-mail address")).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_role("alert")).to_contain_text("Nobody signs in here")

    row = page.locator(".members .row", has_text="viewer@example.test")
    row.get_by_role("combobox").select_option("editor")
    row.get_by_role("button", name="Change role").click()
    said(page, "is an editor of")
    expect(row.get_by_role("combobox")).to_have_value("editor")
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    said(page, "is no longer a member")
    expect(row).to_have_count(0)
    form.get_by_label("E-mail address").fill("viewer@example.test")
    form.get_by_role("button", name="Add member").click()

    expect(row).to_be_visible()
    expect(form.get_by_label("E-mail address")).to_have_value("")


def test_the_only_owner_stays_one_and_is_told_why(open_as: OpenAs, course: Course) -> None:
    page = live(open_as("owner", f"/courses/{course.id}/members"))
    row = page.locator(".members .row", has_text="owner@example.test")

    row.get_by_role("combobox").select_option("viewer")
    row.get_by_role("button", name="Change role").click()

    expect(row.get_by_role("alert")).to_contain_text("only owner")


def test_an_ended_sign_in_keeps_what_was_typed_and_shows_the_way(
    open_as: OpenAs, course: Course
) -> None:
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    # It has read who is here, itself: a read that comes now would find out before the click does.
    expect(page.locator("[data-presence] .person")).to_have_count(1)
    page.get_by_label("Title of the new chapter").fill("Half typed")
    page.context.clear_cookies()

    page.get_by_role("button", name="Add chapter").click()

    link = page.get_by_role("alert").get_by_role("link", name="Sign in")
    expect(link).to_have_attribute("href", f"/sign-in?next=%2Fcourses%2F{course.id}%2Fedit")
    expect(page.get_by_label("Title of the new chapter")).to_have_value("Half typed")


def test_pressed_twice_it_is_done_once(open_as: OpenAs, course: Course) -> None:
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    page.get_by_label("Title of the new chapter").fill("Once")

    page.get_by_role("button", name="Add chapter").dblclick()

    expect(page.get_by_role("heading", name="Once")).to_be_visible()
    said(page, "“Once” was added.")
    page.reload()
    expect(page.get_by_role("heading", name="Once")).to_have_count(1)


def test_sent_again_after_a_lost_answer_it_is_done_once(open_as: OpenAs, course: Course) -> None:
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    page.get_by_label("Title of the new chapter").fill("Once")
    page.route("**/a/chapters/add", lambda route: (route.fetch(), route.abort()), times=1)

    page.get_by_role("button", name="Add chapter").click()
    expect(page.get_by_role("alert")).to_contain_text("as far as we know")
    page.get_by_role("button", name="Add chapter").click()

    said(page, "“Once” was added.")
    page.reload()
    expect(page.get_by_role("heading", name="Once")).to_have_count(1)


def _add_url(client: httpx.Client, title: str) -> int:
    body = {"title": title, "url": "https://example.org/a.mp4"}
    answer = client.post("/a/media/add-url", json=body).raise_for_status()
    media_id: int = answer.json()["result"]["media_file_id"]
    return media_id


def _edit_title(site: Site, course: Course, title: str) -> None:
    with site.client("owner") as owner:
        detail = owner.get(f"/q/courses/detail/{course.id}").json()
        was = {name: detail[name] for name in ("title", "description", "status")}
        body = {"course_id": course.id, **was, "title": title, "was": was}
        owner.post("/a/courses/edit", json=body).raise_for_status()
