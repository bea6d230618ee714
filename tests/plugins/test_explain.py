"""Why a screen of the first-party plugins moved, and why another one did not: the exact words."""

from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core import Settings, create_app
from core.runtime import Runtime
from tests.conftest import act, dispose
from tests.core import progress
from tests.core.listening import listening_here
from tests.plugins.story import COURSE, add_videos, on_sqlite, read
from tests.servers import ROOT, wait_until

pytestmark = on_sqlite


@pytest.fixture
def worker(settings: Settings) -> Iterator[Flask]:
    """A worker with the forgetful plugin beside the first-party ones; everybody may look."""
    app = create_app(
        settings.model_copy(update={"inspector": "open", "freshness": "strict"}), [progress.plugin]
    )
    runtime = runtime_of(app)
    runtime.start()
    wait_until(lambda: runtime.hub.settled, "hub")
    yield app
    runtime.stop()
    dispose(app)


@pytest.fixture
def client(worker: Flask) -> FlaskClient:
    """One who owns the demonstration course."""
    client = worker.test_client()
    act(client, "accounts/sign-in", email="owner@example.test", password="demo")
    return client


@pytest.fixture
def why(worker: Flask, client: FlaskClient) -> Callable[[str], str]:
    """Links a video to the last chapter, and answers why a region moved with that, or not."""
    chapter = read(client, f"chapters/list/{COURSE}")[-1]
    media_ids = add_videos(client, "A new video")
    act(client, "chapters/link-media", chapter_id=chapter["id"], media_ids=media_ids)
    traces = runtime_of(worker).hub.traces
    wait_until(lambda: any(t.notice.cause == "media-linked" for t in traces), "notice")
    (linked,) = [t for t in traces if t.notice.cause == "media-linked"]

    def answer(key: str) -> str:
        found = client.get(
            "/live/why", query_string={"trace": linked.notice.trace, "key": key}
        ).get_json()
        text: str = found["reason"]
        return text

    return answer


def runtime_of(app: Flask) -> Runtime:
    runtime: Runtime = app.extensions["coursewire"]
    return runtime


def test_a_region_that_was_called_is_told_which_rule_named_it(why: Callable[[str], str]) -> None:
    text = why(f"chapters:list:{COURSE}")

    assert text.startswith(
        f"This notice named chapters:list:{COURSE}, because chapters.list (by name) named it: the "
        "region that shows it was called. A browser that shows something as new as "
    )


def test_a_query_that_forgot_the_event_is_told_so(why: Callable[[str], str]) -> None:
    text = why(f"progress:summary:{COURSE}")

    assert (
        f"this region shows progress:summary:{COURSE}. progress.summary is stale on ChapterAdded, "
        "ChapterRemoved and MediaUnlinked; MediaLinked is not among them."
    ) in text
    linked = text.partition("This notice (MediaLinked) named ")[2].partition(";")[0]
    assert f"chapters:list:{COURSE}" in linked.split(", ")


def test_the_same_query_of_another_course_is_told_which_keys_were_named(
    why: Callable[[str], str],
) -> None:
    text = why("chapters:list:999")

    assert text.endswith(
        "this region shows chapters:list:999. chapters.list hears MediaLinked by name: its fields "
        f"said chapters:list:{COURSE}."
    )


def test_a_function_is_named_with_what_it_yielded(why: Callable[[str], str]) -> None:
    text = why("media:usage:999")

    assert "media.usage+chapters hears MediaLinked in usages_of_several(), which yielded " in text
    assert "media:usage:" in text.partition("yielded")[2]


def test_what_no_region_can_show_and_what_nobody_knows(
    why: Callable[[str], str], client: FlaskClient
) -> None:
    assert why("nobody:knows:1").startswith("No region can show this: ")
    unknown = client.get("/live/why?trace=none&key=media:list").get_json()["reason"]
    assert unknown == (
        "This worker knows no notice with the trace none: none has arrived here, or it is not "
        "among the last 500."
    )


def test_a_refresh_by_hand_and_a_reset_say_what_they_are(
    worker: Flask, client: FlaskClient
) -> None:
    runner = worker.test_cli_runner()
    assert runner.invoke(args=["live", "refresh", "courses:detail:42"]).exit_code == 0
    hub = runtime_of(worker).hub
    wait_until(lambda: any(t.notice.cause == "refresh" for t in hub.traces), "notice")

    def why_console() -> Any:
        return client.get("/live/why?trace=console&key=chapters:list:42").get_json()["reason"]

    assert why_console() == (
        "This notice (flask live refresh) named courses:detail:42; this region shows "
        "chapters:list:42."
    )
    assert runner.invoke(args=["live", "refresh", "--all"]).exit_code == 0
    wait_until(lambda: any(t.notice.reset for t in hub.traces), "reset")
    assert why_console() == (
        "This notice (flask live refresh) named every key: the region that shows chapters:list:42 "
        "was called."
    )


def test_in_strict_mode_the_page_is_told_which_region_is_stale(
    worker: Flask, client: FlaskClient
) -> None:
    stamp = client.get(f"/q/progress/summary/{COURSE}").headers["Live-Stamp"]
    stream = listening_here(client, f"key=progress:summary:{COURSE}&key=media:list&since={stamp}")
    stream.next("hello")
    chapter = read(client, f"chapters/list/{COURSE}")[-1]
    media_ids = add_videos(client, "A new video")

    act(client, "chapters/link-media", chapter_id=chapter["id"], media_ids=media_ids)

    found = stream.next("finding", past=("stale",))
    assert found.data["key"] == ["progress", "summary", COURSE]
    assert found.data["text"].startswith(
        "Missed invalidation: action 'chapters.link_media' changed what "
        f"'progress:summary:{COURSE}' shows, and nothing named that key."
    )
    assert "Write: @plugin.query(" in found.data["text"]
    (told,) = client.get("/live/findings").get_json()["findings"]
    assert told["text"] == found.data["text"]
    assert told["key"] == f"progress:summary:{COURSE}"


def test_pages_offer_the_inspector_to_those_who_may_look(
    worker: Flask, client: FlaskClient, settings: Settings
) -> None:
    staff_only = create_app(settings.model_copy(update={"inspector": "staff"}))
    other = staff_only.test_client()
    act(other, "accounts/sign-in", email="owner@example.test", password="demo")

    offered, not_offered = (c.get("/courses").get_data(as_text=True) for c in (client, other))

    dispose(staff_only)
    for word in ("data-live-inspect", "Live inspector", "Alt Shift L"):
        assert word in offered
        assert word not in not_offered


def test_the_map_shows_the_screens_that_an_event_moves(worker: Flask) -> None:
    shown = worker.test_cli_runner().invoke(args=["live", "explain", "media-linked"]).output

    assert "  MediaLinked(course_id, chapter_id, media_ids)   media-linked\n" in shown
    assert "→ chapters.list " in shown
    assert "on slot courses.edit" in shown
    assert "courses/edit_page.html" in shown.partition("Screens that may move: ")[2]
    assert "progress" not in shown


def test_the_drawing_in_the_docs_is_that_of_the_code(app: Flask, tmp_path: Any) -> None:
    drawn = tmp_path / "map.svg"

    assert app.test_cli_runner().invoke(args=["live", "map", "--svg", str(drawn)]).exit_code == 0

    again = "flask live map --svg docs/images/map.svg"
    assert drawn.read_text() == (ROOT / "docs/images/map.svg").read_text(), again
    tree = ET.parse(drawn)  # noqa: S314  our own
    texts = [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert "MediaLinked" in texts
    assert "what a user may do" in texts
