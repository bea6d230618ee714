"""Why a screen moved, and why another did not, on the screen itself; and the bug that Coursewire
exists for: a plugin of a third party that has forgotten an event.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from core import Settings
from tests.e2e.conftest import Course, Site, live
from tests.plugins.story import COURSE, on_sqlite
from tests.servers import Gunicorn, gunicorn, redis_server, wait_until

OpenAs = Callable[..., Page]
SUMMARY = f"progress:summary:{COURSE}"


@dataclass
class Forgetful:
    """A site with the forgetful plugin: its server, and who is signed in."""

    server: Gunicorn
    client: httpx.Client
    browser: Browser

    @contextmanager
    def page(self, role: str, path: str) -> Iterator[Page]:
        context = self.browser.new_context(base_url=self.server.url)
        context.set_default_timeout(20_000)
        try:
            sign_in = {"email": f"{role}@example.test", "password": "demo"}
            context.request.post("/a/accounts/sign-in", data=sign_in)
            page = context.new_page()
            page.goto(path)
            yield live(page)
        finally:
            context.close()

    def link_a_video(self) -> float:
        """By a program, as a colleague would; when it was answered, so after the commit."""
        chapter = self.client.get(f"/q/chapters/list/{COURSE}").json()[-1]["id"]
        video = {"title": "A new video", "url": "https://video.test/a.mp4"}
        media = self.client.post("/a/media/add-url", json=video).json()["result"]["media_file_id"]
        body = {"chapter_id": chapter, "media_ids": [media]}
        self.client.post("/a/chapters/link-media", json=body).raise_for_status()
        return time.time()


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """The guard judges in the background, and the inspector asks once a second."""
    expect.set_options(timeout=25_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture
def forgetful(
    settings: Settings, browser: Browser, tmp_path: Path
) -> Iterator[Callable[..., Forgetful]]:
    """Starts that site, with the settings given and else as in production."""
    with ExitStack() as stack:

        def start(**chosen: str) -> Forgetful:
            redis = stack.enter_context(redis_server("valkey"))
            environment = {
                "DATABASE_URL": settings.database_url,
                "REDIS_URL": redis.url,
                "WEB_CONCURRENCY": "2",
                "COURSEWIRE_UPLOAD_DIR": str(settings.upload_dir),
                **chosen,
            }
            app = "tests.core.progress_wsgi:app"
            server = stack.enter_context(gunicorn(tmp_path, app=app, **environment))
            client = stack.enter_context(httpx.Client(base_url=server.url, timeout=20))
            sign_in = {"email": "owner@example.test", "password": "demo"}
            client.post("/a/accounts/sign-in", json=sign_in).raise_for_status()
            return Forgetful(server, client, browser)

        yield start


def test_browsers_report_when_a_write_stands_on_their_screens(
    open_as: OpenAs, site: Site, course: Course
) -> None:
    """Two browsers; one of them has two tabs, of which one reports."""
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    other = page.context.new_page()
    other.goto(f"/courses/{course.id}/edit")
    live(other)
    live(open_as("viewer", f"/courses/{course.id}"))

    with site.client("owner") as owner:
        added = {"course_id": course.id, "title": "Seen"}
        owner.post("/a/chapters/add", json=added).raise_for_status()

    def painted() -> bool:
        """What both workers were told, each by the streams that it holds."""
        told: dict[str, list[int]] = {}
        for _ in range(8):
            with site.client("owner") as client:
                for each in client.get("/live/traces").json()["traces"]:
                    if f"chapters:list:{course.id}" in each["keys"]:
                        told[str(each["heard"])] = each["painted_ms"]
        return sum(map(len, told.values())) == 2

    wait_until(painted, "two reports")


@on_sqlite
def test_in_development_the_page_names_the_region_that_is_stale_and_the_inspector_says_why(
    forgetful: Callable[..., Forgetful],
) -> None:
    site = forgetful(COURSEWIRE_FRESHNESS="strict", COURSEWIRE_INSPECTOR="open")
    with site.page("editor", f"/courses/{COURSE}/edit?live=inspect") as page:
        panel = page.get_by_role("complementary", name="Live inspector")
        expect(panel.get_by_role("button", name="Close the live inspector")).to_be_focused()

        site.link_a_video()

        mark = page.locator(f"live-region[key='{SUMMARY}'] > [role=alert]")
        expect(mark).to_contain_text("This region is stale, and nothing called it")
        expect(mark).to_contain_text(
            "Query 'progress.summary' of the plugin 'progress' reads that, and is stale on "
            "ChapterAdded, ChapterRemoved and MediaUnlinked."
        )
        expect(mark.get_by_role("code")).to_have_text(
            '@plugin.query("summary", …, stale_on=[ChapterAdded, ChapterRemoved, MediaUnlinked, '
            "MediaLinked])"
        )
        expect(page.get_by_role("alert")).to_have_count(1)

        linked = panel.locator("li", has=page.locator("summary", has_text="media-linked"))
        expect(linked.locator("summary")).to_contain_text(re.compile(r"[1-9] of [2-9] regions"))
        expect(linked.locator("summary")).to_contain_text(re.compile(r"\d ms"))
        linked.locator("summary").press("Enter")
        steps = linked.get_by_role("list", name="Its way").get_by_role("listitem")
        expect(steps.filter(has_text="painted")).to_contain_text("on this page")
        expect(steps.filter(has_text=f"chapters:list:{COURSE}: ")).to_contain_text(
            re.compile(r"200 from (memory|the cache|the database), .* in the server")
        )
        names = steps.locator("b").all_inner_texts()
        order = ["committed", "published", "heard", "written", "delivered", "read", "painted"]
        assert list(dict.fromkeys(names)) == order
        regions = linked.get_by_role("list", name="The regions of this page").get_by_role(
            "listitem"
        )
        still = regions.filter(has=page.get_by_role("button", name=SUMMARY, exact=True))
        expect(still).to_contain_text("did not move")
        expect(still).to_contain_text(
            f"this region shows {SUMMARY}. progress.summary is stale on ChapterAdded, "
            "ChapterRemoved and MediaUnlinked; MediaLinked is not among them."
        )
        called = page.get_by_role("button", name=f"chapters:list:{COURSE}", exact=True)
        expect(regions.filter(has=called)).to_contain_text("moved")

        found = panel.locator("details", has_text="1 mistake found by the freshness guard")
        found.locator("summary").press("Enter")
        expect(found).to_contain_text("Missed invalidation: action 'chapters.link_media' changed")
        expect(found.get_by_role("code")).to_contain_text("MediaLinked])")

        mark.get_by_role("button", name=f"Dismiss what is said of {SUMMARY}").click()
        expect(mark).to_have_count(0)
        panel.get_by_role("button", name="Close the live inspector").press("Escape")
        expect(panel).to_have_count(0)
        page.keyboard.press("Alt+Shift+KeyL")
        expect(panel).to_be_visible()
        site.link_a_video()
        found.locator("summary").press("Enter")
        expect(found).to_contain_text("Found 2 times.")


@on_sqlite
def test_in_production_the_screen_heals_within_two_seconds_and_the_log_says_what_to_write(
    forgetful: Callable[..., Forgetful],
) -> None:
    site = forgetful()
    with site.page("editor", f"/courses/{COURSE}/edit?live=inspect") as page:
        region = page.locator(f"live-region[key='{SUMMARY}']")
        before = region.inner_text()
        page.evaluate(
            """(key) => {
              const region = document.querySelector(`live-region[key="${key}"]`);
              region.addEventListener("live:updated", () => (window.healedAt ??= Date.now()));
            }""",
            SUMMARY,
        )
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))

        answered_at = site.link_a_video()

        expect(region).not_to_have_text(before)
        assert page.evaluate("window.healedAt") / 1000 - answered_at < 2
        page.keyboard.press("Alt+Shift+KeyL")
        expect(page.get_by_role("complementary", name="Live inspector")).to_have_count(0)
        assert not [url for url in asked if "/inspect/" in url or "/live/traces" in url]
        assert page.request.get("/live/traces").status == 404
        expect(page.get_by_role("alert")).to_have_count(0)

    lines = [json.loads(line) for line in site.server.log.read_text().splitlines()]
    (found,) = {line["trace"]: line for line in lines if "finding" in line}.values()
    assert (
        'Write: @plugin.query("summary", …, stale_on=[ChapterAdded, ChapterRemoved, MediaUnlinked, '
        "MediaLinked])"
    ) in found["message"]
