"""The client that docs/protocol.md shows, as it stands there, in a real browser."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import ROOT, Course, Site

pytestmark = pytest.mark.browser


def client_of(page: Path) -> str:
    """The one JavaScript block of *page*."""
    (block,) = re.findall(r"^```js\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return str(block)


def test_the_small_client_shows_what_others_write_and_what_is_not_there(
    site: Site, course: Course, open_as: Callable[..., Page]
) -> None:
    chapters, library = f"chapters:list:{course.id}", "media:list:%7B%22sort%22%3A%22title%22%7D"
    page = open_as("editor", "/courses", bypass_csp=True)

    page.evaluate(
        """([client, keys]) => {
          window.seen = {};
          const watch = new Function(client + "; return watch;")();
          watch(keys, (key, data) => { window.seen[key] = data; });
        }""",
        [client_of(ROOT / "docs" / "protocol.md"), [chapters, library, "chapters:list:999999"]],
    )
    page.wait_for_function("Object.keys(window.seen).length === 3")
    with site.client("owner") as owner:
        owner.post("/a/chapters/add", json={"course_id": course.id, "title": "Told by the stream"})

    page.wait_for_function(
        "key => window.seen[key].some(chapter => chapter.title === 'Told by the stream')",
        arg=chapters,
    )
    assert page.evaluate("window.seen['chapters:list:999999']") is None
    assert page.evaluate("key => window.seen[key].rows.length > 0", library)
