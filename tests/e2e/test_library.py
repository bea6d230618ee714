"""The page of a file in a real browser: captions, posters, description, and a removal refused."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Course, Site, live

CAPTIONS = "WEBVTT\n\n00:00.000 --> 00:03.000\n<b>Guten</b> Tag <script>alert(1)</script>\n"
CLIP = Path(__file__).parents[2] / "plugins" / "media" / "demo" / "rule-of-thirds.webm"
OpenAs = Callable[..., Page]

SHOWN = """video => {
  const track = [...video.textTracks].find((each) => each.language === "de");
  track.mode = "showing";
  return new Promise((ready) => {
    const look = () => {
      const cue = track.activeCues && track.activeCues[0];
      if (cue) ready([cue.text, cue.getCueAsHTML().textContent]);
    };
    track.addEventListener("cuechange", look);
    video.muted = true;
    void video.play();
    look();
  });
}"""


@pytest.fixture
def film(site: Site, course: Course) -> int:
    """A video of this test's own, linked to the chapter of *course*."""
    with site.client("owner") as owner:
        files = {"file": ("film.webm", CLIP.read_bytes())}
        headers = {"Accept": "application/json"}
        sent = owner.post("/a/media/upload", files=files, headers=headers).json()
        media_id: int = sent["result"]["media_file_id"]
        link = {"chapter_id": course.chapter_id, "media_ids": [media_id]}
        assert owner.post("/a/chapters/link-media", json=link).status_code == 200
    return media_id


def test_captions_are_added_seen_live_by_a_learner_and_shown_while_it_plays(
    open_as: OpenAs, course: Course, film: int, tmp_path: Path
) -> None:
    path = tmp_path / "film.vtt"
    path.write_text(CAPTIONS)
    learner = live(open_as("viewer", f"/courses/{course.id}"))
    page = live(open_as("owner", f"/media/{film}"))

    page.locator("summary", has_text="Add captions").click()
    form = page.get_by_role("form", name="Add captions")
    form.get_by_label("Language").select_option("de")
    form.get_by_label("WebVTT file").set_input_files(path)
    form.get_by_role("button", name="Add captions").click()

    expect(page.locator("#captions-de")).to_contain_text("1 caption")
    expect(learner.locator("track[srclang=de]")).to_have_attribute("label", "Deutsch")
    text, html = learner.locator(".player video").evaluate(SHOWN)
    assert (text, html) == ("<b>Guten</b> Tag alert(1)", "Guten Tag alert(1)")
    page.get_by_role("button", name="Remove the captions in Deutsch").click()
    page.get_by_role("button", name=re.compile("^(Remove|Yes|Confirm)")).last.click()
    expect(learner.locator("track")).to_have_count(0)


def add_captions(owner: httpx.Client, media_id: int, language: str) -> None:
    """Give a video captions in a language."""
    owner.post(
        "/a/media/add-captions",
        data={"media_id": str(media_id), "language": language},
        files={"file": ("film.vtt", CAPTIONS.encode())},
        headers={"Accept": "application/json"},
    ).raise_for_status()


SHOWING = """() => [...document.querySelector("video").textTracks]
    .filter((track) => track.mode === "showing").map((track) => track.language).join()"""


def test_captions_follow_the_language_that_the_browser_prefers(
    open_as: OpenAs, site: Site, course: Course, film: int
) -> None:
    with site.client("owner") as owner:
        add_captions(owner, film, "en")
        add_captions(owner, film, "de")
        path = f"/courses/{course.id}"

        german = live(open_as("viewer", path, locale="de-AT"))
        english = live(open_as("viewer", path, locale="en-GB"))
        french = live(open_as("viewer", path, locale="fr-FR"))
        shown = [page.evaluate(SHOWING) for page in (german, english, french)]
        german.locator("video").evaluate("video => video.textTracks[0].mode = 'disabled'")
        add_captions(owner, film, "es")
        expect(german.locator("track")).to_have_count(3)
        owner.post(
            "/a/media/choose-captions", json={"media_id": film, "language": "es"}
        ).raise_for_status()
        german.reload()
        live(german)
        german.wait_for_function(f"({SHOWING})() === 'es'")

    # In no language of theirs: in that of the page, which they read.
    assert shown == ["de", "en", "en"]


def test_a_player_is_worked_by_keyboard(
    open_as: OpenAs, site: Site, course: Course, film: int
) -> None:
    with site.client("owner") as owner:
        add_captions(owner, film, "de")
    page = live(open_as("viewer", f"/courses/{course.id}", locale="de-DE"))
    video = page.locator("video")
    announced = page.locator("#announcer")
    wait = page.wait_for_function

    def state(what: str) -> float:
        number: float = video.evaluate(f"video => Number(video.{what})")
        return number

    video.evaluate("video => { video.loop = true; video.preload = 'auto'; video.load(); }")
    wait("() => document.querySelector('video').readyState >= 2")
    video.focus()
    page.keyboard.press("Space")
    wait("() => !document.querySelector('video').paused")
    page.keyboard.press("Space")
    wait("() => document.querySelector('video').paused")
    video.evaluate("video => { video.currentTime = 0; }")
    page.keyboard.press("ArrowRight")
    wait("() => document.querySelector('video').currentTime > 0")
    place = state("currentTime")
    page.keyboard.press("ArrowLeft")
    wait(f"() => document.querySelector('video').currentTime < {place}")
    page.keyboard.press("m")
    assert state("muted") == 1
    assert page.evaluate(SHOWING) == "de"
    page.keyboard.press("c")
    assert page.evaluate(SHOWING) == ""
    expect(announced).to_have_text(re.compile("Captions off|Untertitel aus"))
    page.keyboard.press("c")
    assert page.evaluate(SHOWING) == "de"
    page.keyboard.press("f")
    wait("() => document.fullscreenElement !== null")
    page.keyboard.press("f")
    wait("() => document.fullscreenElement === null")

    page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("Shift+M")
    assert state("muted") == 1
    expect(video).to_be_focused()
    page.keyboard.press("?")
    sheet = page.locator("dialog#shortcuts")
    expect(sheet).to_be_visible()
    page.keyboard.press("m")
    assert state("muted") == 1
    page.keyboard.press("Escape")
    expect(video).to_be_focused()


def test_a_poster_is_taken_from_the_player_and_seen_live_in_the_library(
    open_as: OpenAs, film: int
) -> None:
    other = live(open_as("editor", "/media"))
    card = other.locator(f"#media-{film}")
    expect(card.locator("img")).to_have_count(0)
    page = live(open_as("owner", f"/media/{film}"))
    page.locator("#video").evaluate(
        "v => new Promise((ready) => { v.onseeked = ready; v.currentTime = 1; })"
    )

    page.get_by_role("button", name="Use this frame as the poster").click()

    expect(page.locator("#toasts")).to_contain_text("has another poster")
    picture = card.locator("img")
    expect(picture).to_have_count(1)
    picture.scroll_into_view_if_needed()
    other.wait_for_function(
        "image => image.complete && image.naturalWidth === 640", arg=picture.element_handle()
    )


def test_the_browser_sends_a_poster_with_the_file(open_as: OpenAs, tmp_path: Path) -> None:
    page = live(open_as("owner", "/media"))
    path = tmp_path / "with poster.webm"
    path.write_bytes(CLIP.read_bytes() + b"and more")

    page.locator("summary", has_text="Add videos").click()
    form = page.get_by_role("form", name="Upload files")
    form.get_by_label("Video or audio file").set_input_files(path)
    form.get_by_role("button", name="Upload", exact=True).click()

    expect(page.locator(".tray-row")).to_contain_text("In the library", timeout=30_000)
    card = page.locator("#library .media-card", has_text="with poster").first
    expect(card.locator("img")).to_have_attribute("src", re.compile(r"/poster\?v="))
    expect(card.locator(".poster-length")).to_have_text("0:04")


def test_a_description_is_kept_and_a_used_file_is_not_removed(
    site: Site, open_as: OpenAs, film: int
) -> None:
    other = live(open_as("editor", f"/media/{film}"))
    page = live(open_as("owner", f"/media/{film}"))

    page.locator("summary", has_text="Add a description").click()
    form = page.get_by_role("form", name="Description")
    form.get_by_label("Description").fill("The second take.\nWithout wind.")
    form.get_by_role("button", name="Save description").click()

    expect(other.locator(".prose")).to_have_text("The second take.\nWithout wind.")
    expect(page.locator(".file-remove")).to_contain_text("It is used once. Unlink it there first")
    expect(page.get_by_role("button", name="Move to trash")).to_have_count(0)
    expect(page.locator(".uses a")).to_have_text("Basics")
    with site.client("owner") as owner:
        refusal = owner.post("/a/media/remove", json={"media_id": film})
    assert refusal.status_code == 409
    assert [use["chapter_title"] for use in refusal.json()["uses"]] == ["Basics"]


def test_what_was_removed_on_its_page_comes_back_from_the_next(open_as: OpenAs) -> None:
    page = live(open_as("owner", "/media?use=unused"))
    page.locator("#library .media-card h2 a").first.click()
    live(page)
    title = page.locator(".file-head h1").inner_text()

    page.get_by_role("button", name="Move to trash").click()
    page.wait_for_url("**/media")
    page.locator("#toasts").get_by_role("button", name="Undo").click()

    expect(page.locator("#toasts")).to_contain_text(f"“{title}” is back in the library.")
