"""What a very long course costs the one who edits it: ``make bench-course`` (needs Chromium).

``flask serve`` (two workers, Valkey, SQLite) with a library of 10,000 files and a course of 200
chapters with 2,000 links, and a real Chromium on its edit page, 1440 pixels wide. ``ROUNDS`` (5)
says how often everything is done; the table has the median and the worst.

- *Interaction to next paint* is what the browser itself reports of a click or a key (Event Timing,
  https://www.w3.org/TR/event-timing/): from the input to the frame that shows what it did, in steps
  of 8 ms; less than 16 ms is not reported and stands as 16.
- *Shown* is from the input, or from sending another editor's write, until the page has what the
  server made of it. *Blocked* is the longest task of the page meanwhile (Long Tasks; below 50 ms it
  reports none, which stands as 50).

The last line is JSON; times are in milliseconds.
"""

import json
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from bench.fanout import say
from bench.library import fill_course
from tests.e2e.conftest import FLAGS, serving
from tests.plugins.test_statements import CHAPTERS, LIBRARY, LINKS
from tests.servers import chromium_path

LIMIT_MS = 200

_WATCH = """() => {
    window.events = [];
    window.tasks = [];
    const note = (kind) => (list) => window[kind].push(...list.getEntries().map((e) => e.duration));
    new PerformanceObserver(note("events")).observe({type: "event", durationThreshold: 16});
    new PerformanceObserver(note("tasks")).observe({type: "longtask"});
}"""
_NEXT = """() => new Promise((done) => {
    requestAnimationFrame(() => setTimeout(() => {
        const worst = [Math.max(16, ...window.events), Math.max(50, ...window.tasks)];
        window.events.length = window.tasks.length = 0;
        done(worst);
    }, 100));
})"""
_PAINTS = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const first = performance.getEntriesByName("first-contentful-paint")[0].startTime;
    return [first, page.domContentLoadedEventEnd, page.encodedBodySize / 1000];
}"""
_CONTENT = "([id, text]) => document.getElementById(id)?.textContent.includes(text)"

Times = dict[str, list[float]]


def main() -> None:
    """Fill, measure, print."""
    rounds = int(os.environ.get("ROUNDS", "5"))
    times: Times = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = f"sqlite:///{folder / 'course.sqlite3'}"
        course_id = fill_course(database, folder)
        with serving(folder, DATABASE_URL=database) as site, sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
            size = {"width": 1440, "height": 900}
            page = chromium.new_context(base_url=site.url, viewport=size).new_page()  # type: ignore[arg-type]
            page.request.post(
                "/a/accounts/sign-in", data={"email": "owner@example.test", "password": "demo"}
            )
            with site.client("owner") as other:
                for number in range(rounds):
                    Editing(page, other, course_id, times).run(number)
            chromium.close()
    tell(times, rounds)


class Editing:
    """One visit of the edit page, at which everything is done once."""

    def __init__(self, page: Page, other: httpx.Client, course_id: int, times: Times) -> None:
        self._page = page
        self._other = other
        self._course_id = course_id
        self._times = times

    def run(self, number: int) -> None:
        """Open the page, do everything; *number* tells one visit from another."""
        page = self._page
        self._open()
        chapters = self._other.get(f"/q/chapters/list/{self._course_id}").json()
        chapter, target = chapters[number], chapters[number + 20]
        rows = [f"#link-{video['link_id']}" for video in chapter["videos"]]
        page.locator(rows[0]).scroll_into_view_if_needed()
        self._next("choose a video", page.locator(f"{rows[0]} > .row-choose").click)
        more = page.locator(f"{rows[1]} > .more")
        self._next("open a menu", more.click)
        self._next("close it", lambda: page.keyboard.press("Escape"))
        page.locator(f"{rows[0]} > .row-choose").click()
        self._drag(rows[2], rows[0])
        self._rename(chapter, f"Renamed {number}")
        self._link(chapter)
        self._watch_another(target, f"By another {number}")

    def _open(self) -> None:
        page = self._page
        page.goto(f"/courses/{self._course_id}/edit")
        page.wait_for_selector("html[data-live-state=live]")
        painted, loaded, kilobytes = page.evaluate(_PAINTS)
        self._times["first paint"].append(painted)
        self._times["page loaded"].append(loaded)
        self._times["page, KB"].append(kilobytes)
        page.evaluate(_WATCH)
        page.evaluate(_NEXT)

    def _next(self, name: str, act: Callable[[], object]) -> None:
        act()
        paint, _ = self._page.evaluate(_NEXT)
        self._times[f"{name}: next paint"].append(paint)

    def _drag(self, row: str, onto: str) -> None:
        page, mouse = self._page, self._page.mouse
        handle, target = page.locator(f"{row} > .handle"), page.locator(onto)
        start, end = handle.bounding_box(), target.bounding_box()
        if start is None or end is None:
            raise RuntimeError("There is nothing to drag.")

        def take() -> None:
            mouse.move(start["x"] + 5, start["y"] + 15)
            mouse.down()
            mouse.move(start["x"] + 5, start["y"] + 5)

        self._next("take hold of a video", take)
        mouse.move(end["x"] + 5, end["y"] + 5, steps=4)
        began = time.monotonic()
        self._next("drop it", mouse.up)
        page.wait_for_function("() => !document.querySelector('[data-dragging]')")
        self._times["drop it: saved and shown"].append((time.monotonic() - began) * 1000)

    def _rename(self, chapter: dict[str, object], title: str) -> None:
        page, id_ = self._page, chapter["id"]
        self._next("open a title", page.locator(f"[popovertarget=rename-chapter-{id_}]").click)
        page.locator(f"#rename-chapter-{id_}-title").fill(title)
        self._shown(
            "rename a chapter", lambda: page.keyboard.press("Enter"), f"chapter-{id_}", title
        )

    def _link(self, chapter: dict[str, object]) -> None:
        page = self._page
        page.locator(f"#chapter-{chapter['id']} .chapter-foot a").click()
        pick = page.locator("dialog .pick:not(.pick-linked)").first
        title = pick.locator(".row-title").inner_text()
        pick.click()
        add = page.get_by_role("button", name="Add 1 video")
        self._shown("link a video", add.click, f"chapter-{chapter['id']}", title)

    def _watch_another(self, chapter: dict[str, object], title: str) -> None:
        was = {"title": chapter["title"]}
        body = {"chapter_id": chapter["id"], "title": title, "was": was}

        def rename() -> None:
            self._other.post("/a/chapters/rename", json=body).raise_for_status()

        self._shown("another renames a chapter", rename, f"chapter-{chapter['id']}", title)

    def _shown(self, name: str, act: Callable[[], object], id_: str, text: str) -> None:
        page = self._page
        page.evaluate(_NEXT)
        began = time.monotonic()
        act()
        page.wait_for_function(_CONTENT, arg=[id_, text])
        self._times[f"{name}: shown"].append((time.monotonic() - began) * 1000)
        paint, task = page.evaluate(_NEXT)
        self._times[f"{name}: next paint"].append(paint)
        self._times[f"{name}: blocked"].append(task)


def tell(times: Times, rounds: int) -> None:
    """Print the table, and the line of JSON."""
    say(f"{LIBRARY} files, {CHAPTERS} chapters, {LINKS} links; {rounds} visits\n")
    say(f"{'':40}{'median':>10}{'worst':>10}")
    medians = {name: round(statistics.median(taken), 1) for name, taken in times.items()}
    for name, taken in times.items():
        say(f"{name:40}{medians[name]:>10.0f}{max(taken):>10.0f}")
    slow = [name for name in medians if "next paint" in name and medians[name] >= LIMIT_MS]
    say(f"\n{LIMIT_MS} ms or more to the next paint: {', '.join(slow) if slow else 'nothing'}")
    say(json.dumps(medians))


if __name__ == "__main__":
    main()
