"""Takes docs/images/course.png anew: the demonstration course, in the machine's own Chromium.

Give it the address of a freshly started ``make run``; http://127.0.0.1:8000 unless told otherwise.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402  after the path, as below

from tests.e2e.conftest import FLAGS  # noqa: E402  found by the path above
from tests.servers import chromium_path  # noqa: E402

PICTURE = ROOT / "docs" / "images" / "course.png"


def main() -> int:
    """Write the picture; the exit code."""
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        context = browser.new_context(
            base_url=address,
            viewport={"width": 1280, "height": 800},
            color_scheme="light",
            bypass_csp=True,
        )
        context.request.post(
            "/a/accounts/sign-in", data={"email": "editor@example.test", "password": "demo"}
        )
        page = context.new_page()
        page.goto("/courses/1/edit")
        page.wait_for_selector("html[data-live-state=live]")
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        page.screenshot(path=PICTURE)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
