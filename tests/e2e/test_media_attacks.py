"""Nothing that somebody uploads runs in a browser, however it is asked for."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import Site
from tests.plugins.test_media_attacks import PAGE, SCRIPT

TRY_EVERYTHING = """async (url) => {
  const ended = (element) => new Promise((resolve) => {
    for (const name of ["load", "error"]) element.addEventListener(name, () => resolve(name));
    document.body.append(element);
  });
  const make = (name, attributes) => Object.assign(document.createElement(name), attributes);
  return {
    script: await ended(make("script", { src: url })),
    module: await ended(make("script", { src: url, type: "module" })),
    style: await ended(make("link", { rel: "stylesheet", href: url })),
    worker: await new Promise((resolve) => {
      try { new Worker(url).addEventListener("error", () => resolve("error")); }
      catch { resolve("error"); }
    }),
    serviceWorker: await navigator.serviceWorker.register(url).then(() => "load", () => "error"),
    ran: window.ran === true,
  };
}"""


@pytest.mark.parametrize("content", [SCRIPT, PAGE], ids=["script", "page"])
def test_an_uploaded_script_never_runs(
    site: Site, open_as: Callable[..., Page], content: bytes
) -> None:
    with site.client("owner") as client:
        answer = client.post(
            "/a/media/upload",
            files={"file": ("lesson.js", content)},
            headers={"Accept": "application/json", "Sec-Fetch-Site": "same-origin"},
        )
        video = answer.json()["result"]
    page = open_as("owner", "/media")

    found = page.evaluate(TRY_EVERYTHING, video["video_url"])

    refused = dict.fromkeys(["script", "module", "style", "worker", "serviceWorker"], "error")
    assert found == {**refused, "ran": False}

    page.goto(video["video_url"])

    assert page.evaluate("window.ran") is None
    assert page.evaluate("document.contentType") == video["mime_type"]
    assert page.evaluate("window.origin") == "null", "it is in no sandbox"
    assert page.evaluate("document.scripts.length") == 0
