"""A second site, in a browser that is signed in to ours: it may link to us, and nothing else."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.e2e.conftest import Course, Site

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><meta charset="utf-8"><title>Another site</title><body>
<form id="form" method="post" enctype="{kind}" action="{target}">
<input name="course_id" value="{course}"><input name="title" value="Planted"></form>
<iframe id="frame" src="{site}/courses"></iframe>"""


class Evil(BaseHTTPRequestHandler):
    """Answers every address with a page that the test fills with script."""

    def do_GET(self) -> None:
        asked = {name: value[0] for name, value in parse_qs(urlsplit(self.path).query).items()}
        asked = {"kind": "", "target": "", "course": "", "site": "", **asked}
        body = PAGE.format(**asked).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def evil() -> Iterator[str]:
    """Another site: ``localhost`` is one to a browser, where ours is ``127.0.0.1``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.05))
    thread.start()
    yield f"http://localhost:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def victim(site: Site, browser: Browser) -> Iterator[BrowserContext]:
    """A browser in which the owner of courses is signed in to our site."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    answer = context.request.post(
        f"{site.url}/a/accounts/sign-in",
        data={"email": "owner@example.test", "password": "demo"},
    )
    assert answer.ok
    yield context
    context.close()


def chapters(site: Site, number: int) -> list[str]:
    with site.client("owner") as owner:
        return [chapter["title"] for chapter in owner.get(f"/q/chapters/list/{number}").json()]


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]
)
def test_a_form_that_another_site_sends_changes_nothing(
    site: Site,
    course: Course,
    evil: str,
    victim: BrowserContext,
    kind: str,
) -> None:
    page = victim.new_page()
    target = f"{site.url}/a/chapters/add"
    page.goto(f"{evil}/?kind={kind}&target={target}&course={course.id}")

    with page.expect_navigation():
        page.evaluate("document.getElementById('form').submit()")

    assert chapters(site, course.id) == ["Basics"]


def test_a_script_of_another_site_reads_writes_and_watches_nothing(
    site: Site,
    course: Course,
    evil: str,
    victim: BrowserContext,
) -> None:
    page = victim.new_page()
    page.goto(evil)
    script = """async ([site, course]) => {
      const found = {};
      const attempt = async (name, path, options) => {
        try {
          const answer = await fetch(site + path, { credentials: "include", ...options });
          found[name] = answer.type === "opaque" ? "opaque" : `read ${answer.status}`;
        } catch { found[name] = "refused"; }
      };
      await attempt("read", `/q/chapters/list/${course}`, {});
      await attempt("blind read", `/q/chapters/list/${course}`, { mode: "no-cors" });
      const body = JSON.stringify({ course_id: course, title: "Planted" });
      await attempt("json", "/a/chapters/add",
        { method: "POST", body, headers: { "Content-Type": "application/json" } });
      await attempt("blind write", "/a/chapters/add", { method: "POST", body, mode: "no-cors" });
      await attempt("beacon", "/live/seen", { method: "POST", body, mode: "no-cors" });
      found.stream = await new Promise((told) => {
        const source = new EventSource(`${site}/live?key=chapters:list:${course}`,
          { withCredentials: true });
        source.onerror = () => { source.close(); told("refused"); };
        source.onopen = () => { source.close(); told("open"); };
        source.addEventListener("hello", () => { source.close(); told("told"); });
      });
      return found;
    }"""

    found = page.evaluate(script, [site.url, course.id])

    assert found.pop("blind read") in ("refused", "opaque")  # nobody can look into it
    assert found.pop("blind write") in ("refused", "opaque")
    assert found.pop("beacon") in ("refused", "opaque")
    assert found == {"read": "refused", "json": "refused", "stream": "refused"}
    assert chapters(site, course.id) == ["Basics"]


def test_our_pages_stand_in_no_frame_and_keep_no_opener(
    site: Site,
    evil: str,
    victim: BrowserContext,
) -> None:
    page = victim.new_page()
    page.goto(f"{evil}/?site={site.url}")
    with page.expect_popup() as opened:
        page.evaluate("(url) => { window.other = window.open(url) }", f"{site.url}/courses")
    opened.value.wait_for_load_state()

    frame = page.frames[1]
    assert "Courses" not in frame.content()
    assert opened.value.title()
    assert page.evaluate("window.other.closed")  # severed (Cross-Origin-Opener-Policy)


def test_a_link_from_another_site_leads_to_the_page(
    site: Site,
    evil: str,
    victim: BrowserContext,
) -> None:
    page = victim.new_page()
    page.goto(evil)

    page.evaluate("(url) => { location.href = url }", f"{site.url}/courses")
    page.wait_for_url(f"{site.url}/courses")

    assert "Sign in" not in page.title()
