"""Uploads in a real browser: several at once, through a restart and a closed tab."""

import hashlib
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.e2e.conftest import Site, live, serving
from tests.servers import free_port

CLIP = Path(__file__).parents[2] / "plugins" / "media" / "demo" / "rule-of-thirds.webm"
PART = 65_536
OpenPage = Callable[..., Page]


def a_film(folder: Path, name: str, seed: int = 1, size: int = 40 * PART) -> Path:
    """A video that plays, followed by bytes that nobody else has."""
    clip = CLIP.read_bytes()
    path = folder / name
    path.write_bytes(clip + random.Random(seed).randbytes(size - len(clip)))
    return path


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    contexts: list[BrowserContext] = []

    def open_page(url: str, role: str = "owner") -> Page:
        context = browser.new_context(base_url=url)
        context.set_default_timeout(20_000)
        contexts.append(context)
        context.request.post(
            "/a/accounts/sign-in", data={"email": f"{role}@example.test", "password": "demo"}
        )
        page = context.new_page()
        page.goto("/media")
        return live(page)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def small_parts(tmp_path: Path) -> Iterator[Site]:
    with serving(tmp_path, COURSEWIRE_UPLOAD_PART_BYTES=str(PART)) as running:
        yield running


def choose(page: Page, *paths: Path) -> None:
    page.locator("summary", has_text="Add videos").click()
    form = page.get_by_role("form", name="Upload files")
    form.get_by_label("Video or audio file").set_input_files(list(paths))
    form.get_by_role("button", name="Upload", exact=True).click()


class Line:
    """The network of *page*, as fast as it is told to be."""

    def __init__(self, page: Page, bytes_per_s: int) -> None:
        self._session = page.context.new_cdp_session(page)
        self.be(bytes_per_s)

    def be(self, bytes_per_s: int) -> None:
        """Send no faster than that; -1: as fast as can be."""
        self._session.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": 0,
                "downloadThroughput": -1,
                "uploadThroughput": bytes_per_s,
            },
        )


def done(row: Locator) -> None:
    """Wait until that file has arrived."""
    expect(row).to_contain_text("In the library", timeout=60_000)


def hash_in_library(url: str, title: str) -> str:
    """The SHA-256 of what is served under that title."""
    with httpx.Client(base_url=url, timeout=20) as client:
        client.post("/a/accounts/sign-in", json={"email": "owner@example.test", "password": "demo"})
        found = client.get("/q/media/list", params={"search": title}).json()["rows"]
        return hashlib.sha256(client.get(found[0]["video_url"]).content).hexdigest()


def test_a_title_is_asked_for_one_file_and_not_for_several(
    small_parts: Site, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(small_parts.url)
    one, other = a_film(tmp_path, "One.webm"), a_film(tmp_path, "Other.webm", seed=2)
    page.locator("summary", has_text="Add videos").click()
    form = page.get_by_role("form", name="Upload files")
    files, title = form.get_by_label("Video or audio file"), form.get_by_label("Title")

    files.set_input_files([one, other])
    expect(title).to_be_hidden()
    files.set_input_files([one])
    expect(title).to_be_visible()
    files.set_input_files([one, other])
    form.get_by_role("button", name="Upload", exact=True).click()

    page.locator("summary", has_text="Add videos").click()
    expect(title).to_be_visible()
    for name in ("One", "Other"):
        expect(page.locator(".tray-row").filter(has_text=name)).to_be_visible()


def test_three_files_at_once_with_progress_that_others_see(
    small_parts: Site, open_page: OpenPage, tmp_path: Path
) -> None:
    films = [a_film(tmp_path, f"film {n}.webm", seed=n) for n in range(3)]
    other = open_page(small_parts.url, "editor")
    page = open_page(small_parts.url)
    Line(page, 1_500_000)

    choose(page, *films)

    rows = page.locator(".tray-row")
    expect(rows).to_have_count(3)
    expect(rows.nth(2)).to_contain_text("waits for its turn")
    expect(rows.nth(0)).to_contain_text(re.compile(r"[1-9]\d? % · .* of 2.6 MB · .*B/s · .* left"))
    expect(other.locator(".arrival").first).to_contain_text(re.compile(r"[1-9]\d? % of 2.6 MB"))
    for film in films:
        done(page.locator(".tray-row", has_text=film.name))
    expect(page.locator(".tray-summary")).to_have_text("3 of 3 done · 100 %")
    expect(other.locator("#library .media-card h2", has_text="film 2")).to_be_visible()
    expect(other.locator(".arrival")).to_have_count(0)
    for film in films:
        assert hash_in_library(small_parts.url, film.stem) == _sha256(film)


def test_an_upload_survives_the_server(
    browser: Browser, open_page: OpenPage, tmp_path: Path
) -> None:
    port, film = free_port(), a_film(tmp_path, "survivor.webm")
    folder = tmp_path / "site"
    folder.mkdir()
    settings = {"COURSEWIRE_UPLOAD_PART_BYTES": str(PART)}
    with serving(folder, port, **settings) as site:
        page = open_page(site.url)
        line = Line(page, 600_000)
        choose(page, film)
        expect(page.locator(".tray-row")).to_contain_text(re.compile(r"[2-9]\d %"))

    expect(page.locator(".tray-row")).to_contain_text("It goes on by itself.")
    with serving(folder, port, **settings) as site:
        line.be(-1)
        done(page.locator(".tray-row"))

        assert hash_in_library(site.url, "survivor") == _sha256(film)


def test_the_same_file_goes_on_after_its_tab_was_closed(
    small_parts: Site, open_page: OpenPage, tmp_path: Path
) -> None:
    film = a_film(tmp_path, "closed.webm")
    page = open_page(small_parts.url)
    Line(page, 600_000)
    choose(page, film)
    expect(page.locator(".tray-row")).to_contain_text(re.compile(r"[2-9]\d %"))
    page.close(run_before_unload=False)

    again = open_page(small_parts.url)
    line = Line(again, 600_000)
    sent: list[str] = []
    again.on("request", lambda request: sent.append(request.url))
    choose(again, film)
    expect(again.locator(".tray-row")).to_contain_text(re.compile(r"([2-9]\d|100) %"))
    line.be(-1)

    done(again.locator(".tray-row"))
    parts = [url for url in sent if "/parts/" in url]
    assert 0 < len(parts) < 36, "it began anew"
    assert hash_in_library(small_parts.url, "closed") == _sha256(film)


def test_a_file_is_paused_cancelled_refused_and_found_again(
    small_parts: Site, open_page: OpenPage, tmp_path: Path
) -> None:
    film = a_film(tmp_path, "paused.webm")
    (tmp_path / "notes.webm").write_text("no video at all")
    page = open_page(small_parts.url)
    line = Line(page, 500_000)

    choose(page, film, tmp_path / "notes.webm")
    paused, refused = page.locator(".tray-row").nth(0), page.locator(".tray-row").nth(1)
    expect(refused).to_contain_text("This is neither an MP4, WebM, MP3 nor M4A file.")
    expect(paused).to_contain_text(re.compile(r"[1-9]\d? %"))
    paused.get_by_role("button", name="Pause upload of paused.webm").click()
    expect(paused).to_contain_text("· paused")
    line.be(-1)
    paused.get_by_role("button", name="Resume upload of paused.webm").click()
    done(paused)
    expect(refused.get_by_role("button")).to_have_count(1)
    refused.get_by_role("button", name="Close the message about notes.webm").click()
    expect(page.locator(".tray-row")).to_have_count(1)

    choose(page, film)
    twin = page.locator(".tray-row").nth(1)
    expect(twin).to_contain_text("The library has this file already: “paused”. Nothing was sent.")
    twin.get_by_role("button", name="Upload paused.webm anyway").click()
    expect(twin).to_contain_text("It is the same file as “paused”.", timeout=30_000)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_replaced_trashed_and_restored_before_a_second_browser(
    small_parts: Site, open_page: OpenPage, tmp_path: Path
) -> None:
    other = open_page(small_parts.url, "editor")
    page = open_page(small_parts.url)
    page.goto("/media?sort=title")
    title = "Editing workflow"
    for each in (page, other):
        each.get_by_role("link", name=title).click()
        live(each)
    form = page.get_by_role("form", name="Replace the file")
    form.get_by_label("Replace the file").set_input_files(a_film(tmp_path, "new.webm"))
    form.get_by_role("button", name="Replace file").click()

    done(page.locator(".tray-row"))
    expect(other.locator("#video")).to_have_attribute("src", re.compile(r"/file\?v=2$"))
    expect(other.locator(".file-facts")).to_contain_text("2.6 MB")
    page.get_by_role("button", name="Move to trash").click()
    page.wait_for_url("**/media")
    expect(other.get_by_role("heading", name="In the trash")).to_be_visible()
    other.get_by_role("button", name="Restore video").click()
    expect(page.locator("#library .media-card h2", has_text=title)).to_be_visible()

    page.goto("/media?use=unused&search=e")
    ticks = page.locator("#library .media-tick input")
    ticks.nth(0).check()
    ticks.nth(1).check()
    page.get_by_role("button", name="Move to trash").click()
    expect(page.locator("#toasts")).to_contain_text("2 videos were moved to the trash.")
    page.get_by_role("link", name=re.compile("^Trash")).click()
    expect(page.locator("#library .media-card")).to_have_count(2)


def test_what_is_played_can_be_sought_in(small_parts: Site, open_page: OpenPage) -> None:
    page = open_page(small_parts.url)
    page.get_by_role("link", name="Rule of thirds").click()
    video = page.locator("#video")

    video.evaluate("v => new Promise((ready) => { v.onseeked = ready; v.currentTime = 3; })")

    assert video.evaluate("v => v.currentTime") == 3
    assert video.evaluate("v => v.seekable.end(0)") > 3.9
