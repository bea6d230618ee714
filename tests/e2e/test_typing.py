"""Somebody works while a colleague changes the course ten times a second, for ten seconds."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import Course, Site, live
from tests.e2e.test_screens import act, add_chapter

OpenAs = Callable[..., Page]

CHANGES = 100
EVERY_S = 0.1
TEXT = "What I type here is mine, whatever the others do meanwhile. "

FIELD = """() => {
  const { activeElement: on } = document;
  const top = Math.round(on.getBoundingClientRect().top);
  return [on.id, on.value, on.selectionStart, on.selectionEnd, top];
}"""
INTERRUPTIONS = ["emptied", "loadstart", "abort", "seeking", "waiting", "stalled", "pause", "error"]
WATCH = """(names) => {
  const video = window.played;
  window.interruptions = [];
  for (const name of names) {
    const note = () => window.interruptions.push(`${name} at ${video.currentTime}`);
    video.addEventListener(name, note);
  }
}"""


@dataclass
class Colleague:
    """Somebody who changes the course all the time; ``made`` is how often so far."""

    client: httpx.Client
    course: Course
    chapters: list[int]
    made: int = 0
    failed: list[str] = field(default_factory=list)

    def work(self, done: threading.Event) -> None:
        began = time.monotonic()
        for number in itertools.count():
            if done.is_set():
                return
            self._change(number)
            self.made += 1
            time.sleep(max(0.0, began + self.made * EVERY_S - time.monotonic()))

    def _change(self, number: int) -> None:
        first, second = self.chapters
        videos = [video["media_file_id"] for video in self.course.videos]
        what = number % 5
        if what == 0:
            self._act("chapters/link-media", chapter_id=first, media_ids=[videos[number % 3]])
        elif what == 1:
            self._act("chapters/add", course_id=self.course.id, title=f"Added {number}")
        elif what == 2:
            detail = self.client.get(f"/q/courses/detail/{self.course.id}").json()
            was = {name: detail[name] for name in ("title", "description", "status")}
            title = f"Renamed {number}"
            now = {"description": was["description"], "status": was["status"], "title": title}
            self._act("courses/edit", course_id=self.course.id, was=was, **now)
        elif what == 3:
            self._act("chapters/move", chapter_id=second, after_chapter_id=first)
        else:
            rows = self.client.get(f"/q/chapters/list/{self.course.id}").json()
            links = [
                row["link_id"] for each in rows for row in each["videos"] if each["id"] == first
            ]
            if links:
                self._act("chapters/unlink", link_id=links[-1])

    def _act(self, action: str, **arguments: object) -> None:
        answer = self.client.post(f"/a/{action}", json=arguments)
        if answer.status_code != 200:
            self.failed.append(f"{action}: {answer.text}")


@contextmanager
def at_work(site: Site, course: Course, chapters: list[int]) -> Iterator[Colleague]:
    """A colleague who changes the course meanwhile."""
    with site.client("owner") as client:
        colleague, done = Colleague(client, course, chapters), threading.Event()
        thread = threading.Thread(target=colleague.work, args=(done,))
        thread.start()
        try:
            yield colleague
        finally:
            done.set()
            thread.join()
    assert colleague.failed == []


def go_on(colleague: Colleague, began: float) -> bool:
    """Until ten seconds have passed, and a hundred changes were made on a slow machine too."""
    return colleague.made < CHANGES or time.monotonic() - began < CHANGES * EVERY_S


@pytest.fixture
def chapters(site: Site, course: Course) -> list[int]:
    return [course.chapter_id, add_chapter(site, course, "Second")]


@pytest.mark.timeout(180)
def test_what_is_typed_stays_as_it_is_with_its_caret_its_selection_and_its_place(
    open_as: OpenAs, site: Site, course: Course, chapters: list[int]
) -> None:
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    type_meanwhile(page, site, course, chapters, "course-description", typed="")


@pytest.mark.timeout(180)
def test_so_does_a_title_that_is_typed_in_the_midst_of_what_changes(
    open_as: OpenAs, site: Site, course: Course, chapters: list[int]
) -> None:
    page = live(open_as("editor", f"/courses/{course.id}/edit"))
    page.locator(f"#chapter-{chapters[0]} .pencil").click()
    type_meanwhile(
        page, site, course, chapters, f"rename-chapter-{chapters[0]}-title", typed="Basics"
    )


def type_meanwhile(
    page: Page, site: Site, course: Course, chapters: list[int], id_: str, typed: str
) -> None:
    """Type into a field, go back, choose a part of it: after each key it is as it was left."""
    box = page.locator(f"#{id_}")
    box.focus()
    page.keyboard.press("End")
    _, _, _, _, top = page.evaluate(FIELD)
    scroll = page.evaluate("scrollY")
    caret, letters = len(typed), itertools.cycle(TEXT)

    def is_left_alone(start: int, end: int) -> None:
        assert page.evaluate(FIELD) == [id_, typed, start, end, top]
        assert page.evaluate("scrollY") == scroll

    with at_work(site, course, chapters) as colleague:
        began = time.monotonic()
        while go_on(colleague, began):
            if len(typed) < 150:
                letter = next(letters)
                page.keyboard.type(letter)
                typed, caret = typed[:caret] + letter + typed[caret:], caret + 1
                is_left_alone(caret, caret)
            if caret < 2:  # a slow machine: it went all the way back
                page.keyboard.press("End")
                caret = len(typed)
            if len(typed) % 20 == 0 or len(typed) >= 150:
                page.keyboard.press("Shift+ArrowLeft")
                page.keyboard.press("Shift+ArrowLeft")
                for _ in range(5):
                    is_left_alone(caret - 2, caret)
                    time.sleep(0.05)
                page.keyboard.press("ArrowLeft")
                caret -= 2
                is_left_alone(caret, caret)
                page.keyboard.press("ArrowRight")
                caret += 1

    assert colleague.made >= CHANGES
    assert len(typed) > 20


@pytest.mark.timeout(180)
def test_a_video_plays_on(open_as: OpenAs, site: Site, course: Course, chapters: list[int]) -> None:
    longest = max(course.videos, key=lambda video: float(str(video["duration_s"] or 0)))
    act(site, "chapters/link-media", chapter_id=chapters[1], media_ids=[longest["media_file_id"]])
    page = live(open_as("viewer", f"/courses/{course.id}"))
    page.evaluate(
        """async () => {
          const video = window.played = document.querySelector("video");
          video.preload = "auto";
          video.muted = true;
          video.playbackRate = 0.1;
          await video.play();
        }"""
    )
    page.wait_for_function("played.readyState === 4")
    page.evaluate(WATCH, INTERRUPTIONS)
    before = page.evaluate("played.currentTime")

    with at_work(site, course, chapters) as colleague:
        began = time.monotonic()
        while go_on(colleague, began):
            time.sleep(0.1)
            now = page.evaluate("played.currentTime")
            assert now >= before
            before = now

    assert page.evaluate("interruptions") == []
    assert page.evaluate("played.isConnected && !played.paused")
    assert before > 0.5 * 0.1 * CHANGES * EVERY_S
