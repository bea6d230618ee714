"""Files in a bucket, in a real browser: straight there in parts, and played from there."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.e2e.conftest import live, serving
from tests.e2e.test_uploads import PART, Line, OpenPage, a_film, choose, done, open_page
from tests.s3 import Bucket, s3_server
from tests.servers import ROOT, free_port, wait_until

__all__ = ["open_page"]


TAKE_A_PICTURE = """(video) => {
  const canvas = document.createElement("canvas");
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas.toDataURL();
}"""


@pytest.fixture(scope="module")
def make_bucket() -> Iterator[Callable[..., Bucket]]:
    with s3_server() as make:
        yield make


def cors_of(page: Path, origin: str) -> Any:
    """The rules that the documentation tells operators to set, for a site at *origin*."""
    (rules,) = re.findall(r"```json\n(\{\s*\"CORSRules\".*?)```", page.read_text(), re.DOTALL)
    return json.loads(rules.replace("https://courses.example.com", origin))


def seek(page: Page, to_s: float) -> None:
    page.locator("#video").evaluate(
        "(v, to) => new Promise((ready) => { v.onseeked = ready; v.currentTime = to; })", to_s
    )


def test_a_file_goes_straight_to_the_bucket_through_a_restart_and_is_played_from_there(
    make_bucket: Callable[..., Bucket], open_page: OpenPage, tmp_path: Path
) -> None:
    port, film, folder = free_port(), a_film(tmp_path, "survivor.webm"), tmp_path / "site"
    bucket = make_bucket(cors_of(ROOT / "docs" / "media.md", f"http://127.0.0.1:{port}"))
    folder.mkdir()
    settings = {"COURSEWIRE_UPLOAD_PART_BYTES": str(PART), **bucket.environment}
    puts: list[str] = []
    with serving(folder, port, **settings) as site:
        page = open_page(site.url)
        page.on("request", lambda request: _note_put(request, puts))
        line = Line(page, 600_000)
        choose(page, film)
        expect(page.locator(".tray-row")).to_contain_text(re.compile(r"[2-9]\d %"))

    expect(page.locator(".tray-row")).to_contain_text("It goes on by itself.")
    with serving(folder, port, **settings) as site:
        line.be(-1)
        done(page.locator(".tray-row"))

        assert {urlsplit(url).netloc for url in puts} == {urlsplit(bucket.endpoint).netloc}
        assert 40 <= len(set(puts)) < 60, "it began anew"
        assert _hashes(bucket) >= {hashlib.sha256(film.read_bytes()).hexdigest()}
        page.get_by_role("link", name="Open").click()
        live(page)
        seek(page, 3)
        assert page.locator("#video").evaluate("v => [v.currentTime, v.error]") == [3, None]
        assert page.locator("#video").evaluate(TAKE_A_PICTURE).startswith("data:image/png")


def test_a_player_is_renewed_before_its_address_expires_and_after_an_error(
    make_bucket: Callable[..., Bucket], open_page: OpenPage, tmp_path: Path
) -> None:
    port = free_port()
    bucket = make_bucket(cors_of(ROOT / "docs" / "media.md", f"http://127.0.0.1:{port}"))
    asked: list[str] = []

    def refuse_the_second(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 2:
            route.abort()
        else:
            route.continue_()

    environment = {"COURSEWIRE_S3_ADDRESS_S": "4", **bucket.environment}
    with serving(tmp_path, port, **environment) as site:
        page = open_page(site.url)
        played: set[str] = set()
        page.on("request", lambda request: _note_played(request, bucket, played))
        page.route("**/media/*/file*", refuse_the_second)
        page.get_by_role("link", name="Rule of thirds").click()
        live(page)
        seek(page, 1)
        video = page.locator("#video")
        video.evaluate("v => { v.playbackRate = 0.25; v.muted = true; return v.play(); }")
        page.wait_for_function(
            "() => { const v = document.querySelector('#video'); return v.currentTime > 2.5; }"
        )
        assert len(asked) >= 3, "it was not asked for again, before it expired and after the error"
        # Asking the page lets the events arrive that tell of its requests.
        wait_until(lambda: page.evaluate("1") and len(played) >= 2, "second address to play from")
        assert video.evaluate("v => [v.error, v.paused, v.playbackRate]") == [None, False, 0.25]


def _note_put(request: Request, puts: list[str]) -> None:
    if request.method == "PUT" and not request.url.endswith("/poster"):
        puts.append(request.url)


def _note_played(request: Request, bucket: Bucket, played: set[str]) -> None:
    if request.url.startswith(bucket.endpoint) and "response-content-type=video" in request.url:
        played.add(request.url)


def _hashes(bucket: Bucket) -> set[str]:
    with bucket.client() as client:
        return {
            hashlib.sha256(
                client.get_object(Bucket=bucket.name, Key=key)["Body"].read()
            ).hexdigest()
            for key in bucket.names()
            if "pending/" not in key  # which goes once the file stands under its own name
        }
