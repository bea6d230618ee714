"""From a write to the pixels of another browser: ``python -m bench.write_to_screen``.

``flask serve`` (two gevent workers, Valkey, SQLite) and a real Chromium with the course page open.
A program renames a chapter again and again, and the page notes when the new title was painted: a
message posted from the next animation frame arrives once that frame is done.

The commit lies between *sending* the action and its *answer*, so commit to painted lies between the
two times that are printed. Both clocks are this machine's. ``WRITES`` (200) sets how many. The last
line is JSON; times are in milliseconds.
"""

import json
import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from tests.e2e.conftest import FLAGS, Site, serving
from tests.servers import chromium_path, wait_until

_WATCH = """(id) => {
    window.painted = {};
    const region = document.querySelector('live-region[key^="chapters:list"]');
    const look = () => {
        const title = region.querySelector(`#chapter-${id} h3`).textContent.trim();
        if (title in window.painted) return;
        window.painted[title] = null;
        requestAnimationFrame(() => {
            const {port1, port2} = new MessageChannel();
            port2.onmessage = () => {
                window.painted[title] = performance.timeOrigin + performance.now();
            };
            port1.postMessage(null);
        });
    };
    const everything = {subtree: true, childList: true, characterData: true};
    new MutationObserver(look).observe(region, everything);
}"""


def main() -> None:
    """Measure, print the distribution, and end with one line of JSON."""
    writes = int(os.environ.get("WRITES", "200"))
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as site:
        sent, answered, painted = _measure(site, writes)
    from_sent = sorted(painted[title] - sent[title] for title in sent)
    from_answer = sorted(painted[title] - answered[title] for title in sent)
    result = {
        "writes": writes,
        "sent_to_painted_p50_ms": round(statistics.median(from_sent), 1),
        "sent_to_painted_p99_ms": round(from_sent[int(len(from_sent) * 0.99) - 1], 1),
        "sent_to_painted_max_ms": round(from_sent[-1], 1),
        "answered_to_painted_p50_ms": round(statistics.median(from_answer), 1),
    }
    sys.stdout.write("target: p50 <= 50 ms, p99 <= 250 ms\n" + json.dumps(result) + "\n")


def _measure(
    site: Site, writes: int
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        page = chromium.new_context(base_url=site.url).new_page()
        page.request.post(
            "/a/accounts/sign-in", data={"email": "owner@example.test", "password": "demo"}
        )
        sent, answered = _write(site, page, writes)
        count = "Object.values(window.painted).filter(Boolean).length"
        wait_until(lambda: page.evaluate(count) >= writes, "last painting")
        painted: dict[str, float] = page.evaluate("window.painted")
        chromium.close()
    return sent, answered, painted


def _write(site: Site, page: Page, writes: int) -> tuple[dict[str, float], dict[str, float]]:
    sent: dict[str, float] = {}
    answered: dict[str, float] = {}
    with site.client("editor") as editor:
        course_id = editor.get("/q/courses/list").json()[0]["id"]
        chapter = editor.get(f"/q/chapters/list/{course_id}").json()[0]
        page.goto(f"/courses/{course_id}/edit")
        page.wait_for_selector("html[data-live-state=live]")
        page.evaluate(_WATCH, chapter["id"])
        was = chapter["title"]
        for number in range(writes):
            title = f"Write {number}"
            sent[title] = time.time() * 1000
            _rename(editor, chapter["id"], title, was)
            answered[title] = time.time() * 1000
            was = title
            # Each write is painted before the next one: this measures delay, not throughput.
            wait_until(lambda: page.evaluate("t => window.painted[t]", title), "painting")  # noqa: B023
    return sent, answered


def _rename(editor: httpx.Client, chapter_id: int, title: str, was: str) -> None:
    body = {"chapter_id": chapter_id, "title": title, "was": {"title": was}}
    answer = editor.post("/a/chapters/rename", json=body)
    if not answer.is_success:
        raise SystemExit(re.sub(r"\s+", " ", answer.text))


if __name__ == "__main__":
    main()
