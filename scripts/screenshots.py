"""Takes a picture of every screen in every state into ``var/screenshots``, to be looked at.

Wide and on a phone, light and dark, at 200 % zoom, right to left. Names of states as arguments
take those alone. With ``--readme`` it takes the two of the README instead, into ``docs/images``: a
course on which somebody else works, and the library.
"""

import base64
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402  after the path, as below

from tests.e2e.conftest import FLAGS, Site, serving  # noqa: E402  found by the path above
from tests.e2e.states import STATES, Furnished, State, furnish  # noqa: E402
from tests.servers import chromium_path  # noqa: E402

FOLDER = ROOT / "var" / "screenshots"
SIZES: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1440, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2},
    # Twice the size of everything, on a screen of 1440 × 900.
    "zoom": {"viewport": {"width": 720, "height": 450}, "device_scale_factor": 2},
}
SCHEMES: dict[str, tuple[Literal["light", "dark"], ...]] = {
    "wide": ("light", "dark"),
    "phone": ("light", "dark"),
    "zoom": ("light",),
}


IMAGES = ROOT / "docs" / "images"
README_SIZE: Any = {"viewport": {"width": 1440, "height": 900}}
WEBP = """async (png) => {
  const answer = await fetch(`data:image/png;base64,${png}`);
  const picture = await createImageBitmap(await answer.blob());
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").drawImage(picture, 0, 0);
  return canvas.toDataURL("image/webp", 0.86).split(",")[1];
}"""


def main() -> int:
    """Take the pictures; the exit code."""
    if "--readme" in sys.argv[1:]:
        return for_the_readme()
    wanted = [name for name in sys.argv[1:] if not name.startswith("-")]
    states = [state for state in STATES if not wanted or state.name in wanted]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as site, browser() as own:
        furnished = furnish(site)
        for state in states:
            for size in SIZES:
                _take(own, site, furnished, state, size)
    print(f"{len(states)} screens: {FOLDER}")
    return 0


def for_the_readme() -> int:
    """Take the two of the README, as WebP; the exit code."""
    course, library = State("", "/courses/1/edit", role="editor"), State("", "/media")
    colleague, nothing = State("", "/courses/1/edit"), Furnished({})
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as site, browser() as own:
        with (
            _page(own, site, colleague, README_SIZE) as other,
            _page(own, site, course, README_SIZE) as page,
        ):
            colleague.open(other, nothing)
            other.locator("li.chapter .pencil").nth(1).focus()
            course.open(page, nothing)
            page.wait_for_selector(".person[data-chapters]:not([data-chapters=''])")
            _keep(own, page, "course", "light")
        with _page(own, site, library, README_SIZE) as page:
            library.open(page, nothing)
            _keep(own, page, "library", "dark")
    return 0


@contextmanager
def browser() -> Iterator[Browser]:
    """The machine's own Chromium."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        yield started
        started.close()


def _keep(own: Browser, page: Page, name: str, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.wait_for_function(_PICTURES)
    page.wait_for_timeout(2_500)  # what is new wears a highlight for so long
    png = base64.b64encode(page.screenshot()).decode()
    empty = own.new_page()
    (IMAGES / f"{name}.webp").write_bytes(base64.b64decode(empty.evaluate(WEBP, png)))
    empty.close()


def _take(own: Browser, site: Site, furnished: Furnished, state: State, size: str) -> None:
    with _page(own, site, state, SIZES[size]) as page:
        state.open(page, furnished)
        for scheme in SCHEMES[size]:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.wait_for_function(_PICTURES)
            page.wait_for_timeout(250)  # colours fade
            page.screenshot(path=FOLDER / f"{state.name}-{size}-{scheme}.png")


_PICTURES = """() => [...document.images].every((image) => image.complete
  || image.getBoundingClientRect().top > innerHeight)"""


@contextmanager
def _page(own: Browser, site: Site, state: State, size: Any) -> Iterator[Page]:
    context = own.new_context(base_url=site.url, **size)
    context.set_default_timeout(20_000)
    if state.role is not None:
        sign_in = {"email": f"{state.role}@example.test", "password": "demo"}
        context.request.post("/a/accounts/sign-in", data=sign_in)
    try:
        yield context.new_page()
    finally:
        context.close()


if __name__ == "__main__":
    sys.exit(main())
