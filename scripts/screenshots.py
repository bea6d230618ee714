"""Takes a picture of every screen in every state into ``var/screenshots``, to be looked at.

Wide and on a phone, light and dark, at 200 % zoom, right to left. Names of states as arguments take
those alone. With ``--readme`` it takes the two of the README instead, into ``docs/images``.
"""

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


def main() -> int:
    """Take the pictures; the exit code."""
    wanted = [name for name in sys.argv[1:] if not name.startswith("-")]
    states = [state for state in STATES if not wanted or state.name in wanted]
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as site:
        furnished = furnish(site)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
            FOLDER.mkdir(parents=True, exist_ok=True)
            for state in states:
                for size in SIZES:
                    _take(browser, site, furnished, state, size)
            browser.close()
    print(f"{len(states)} screens: {FOLDER}")
    return 0


def _take(browser: Browser, site: Site, furnished: Furnished, state: State, size: str) -> None:
    with _page(browser, site, state, size) as page:
        state.open(page, furnished)
        for scheme in SCHEMES[size]:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.wait_for_function(_PICTURES)
            page.wait_for_timeout(250)  # colours fade
            page.screenshot(path=FOLDER / f"{state.name}-{size}-{scheme}.png")


_PICTURES = """() => [...document.images].every((image) => image.complete
  || image.getBoundingClientRect().top > innerHeight)"""


@contextmanager
def _page(browser: Browser, site: Site, state: State, size: str) -> Iterator[Page]:
    context = browser.new_context(base_url=site.url, **SIZES[size])
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
