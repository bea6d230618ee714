"""Every screen in every state: what stands on the site for it, and how it is opened.

The test of accessibility and `make screenshots` go through the same list.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Site

LONG = (
    "A title that somebody wrote without thinking of the room there is, and then went on writing, "
    "since nothing kept them from it: part one of several"
)
UNBROKEN = "Pastedfromsomewherewithoutanyspacebetweenthewordsandstillsomebodyhastoreadit" * 2
ARABIC = "أساسيات التصوير الفوتوغرافي للمبتدئين"
CHAPTERS = 200


@dataclass(frozen=True)
class Furnished:
    """A site on which every state can be seen; ids by what they are."""

    ids: dict[str, int]


@dataclass(frozen=True)
class State:
    """A screen in a state: ``path`` takes the ids of `Furnished`, ``then`` does what leads there.

    ``role`` is a demonstration account, or ``None`` for nobody.
    """

    name: str
    path: str
    role: str | None = "owner"
    then: Callable[[Page], None] = field(default=lambda _page: None)

    def open(self, page: Page, furnished: Furnished) -> None:
        """Bring *page* there, of somebody who is signed in as ``role``."""
        page.goto(self.path.format(**furnished.ids))
        if self.role is not None and page.locator("live-region").count():
            page.wait_for_selector("html[data-live-state=live]")
        self.then(page)


def furnish(site: Site) -> Furnished:
    """Make what the states show, once for a site."""
    with site.client("owner") as owner:
        act = _Acts(owner)
        library = owner.get("/q/media/list").json()["rows"]
        videos = [row["media_file_id"] for row in library if row["status"] == "ready"]
        ids = {"full": 1, "media": videos[0], "chapter": _first_chapter(owner)}
        ids["link"] = owner.get("/q/chapters/list/1").json()[0]["videos"][0]["link_id"]
        ids["empty"] = act("courses/add", title="A course without chapters")["id"]
        ids["spare"] = act("courses/add", title="A course to add to")["id"]
        ids["long"] = act("courses/add", title=LONG)["id"]
        _fill(act, ids["long"], [LONG, UNBROKEN, "Short"], videos)
        ids["rtl"] = act("courses/add", title=ARABIC)["id"]
        _fill(act, ids["rtl"], ["الضوء واللون", "العدسات", "Composition"], videos)
        ids["large"] = act("courses/add", title="Two hundred chapters")["id"]
        for number in range(CHAPTERS):
            chapter = act("chapters/add", course_id=ids["large"], title=f"Lesson {number + 1}")
            if number < 40:
                act("chapters/link-media", chapter_id=chapter["id"], media_ids=videos[:2])
        trashed = act("media/add-url", title="Put aside", url="https://video.test/old.mp4")
        act("media/remove", media_id=trashed["media_file_id"])
        act("media/add-url", title=LONG, url="https://video.test/long.mp4")
        for role in ("editor", "viewer"):
            member = {"email": f"{role}@example.test", "role": role}
            for course in ("long", "rtl", "empty"):
                act("courses/set-member", course_id=ids[course], **member)
    return Furnished(ids)


class _Acts:
    """Does an action; returns its result."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def __call__(self, action: str, **arguments: object) -> dict[str, Any]:
        answer = self._client.post(f"/a/{action}", json=arguments)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()["result"]
        return result


def _first_chapter(client: httpx.Client) -> int:
    found: int = client.get("/q/chapters/list/1").json()[0]["id"]
    return found


def _fill(act: _Acts, course_id: int, titles: list[str], videos: list[int]) -> None:
    for title in titles:
        chapter = act("chapters/add", course_id=course_id, title=title)
        act("chapters/link-media", chapter_id=chapter["id"], media_ids=videos[:3])


def _open_menu(selector: str) -> Callable[[Page], None]:
    def then(page: Page) -> None:
        page.locator(selector).first.click()
        expect(page.locator(":popover-open").first).to_be_visible()

    return then


def _open_dialog(selector: str) -> Callable[[Page], None]:
    def then(page: Page) -> None:
        page.locator(selector).first.click()
        expect(page.get_by_role("dialog").first).to_be_visible()
        page.wait_for_timeout(300)  # its content comes, and the veil

    return then


def _choose_two(page: Page) -> None:
    for number in range(2):
        page.locator(".row-choose").nth(number).check()
    # Elsewhere the bar lies over a part of some row, and axe-core takes what is left for all of it.
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")


def _choose_in_the_picker(page: Page) -> None:
    _open_dialog("a[href$='/add-videos']")(page)
    dialog = page.get_by_role("dialog").first
    for number in range(2):
        dialog.locator("input[type=checkbox]:not(:disabled)").nth(number).check()


def _refused(page: Page) -> None:
    page.get_by_label("E-mail address").fill("owner@example.test")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()


def _offer_undo(page: Page) -> None:
    page.get_by_label("Title of the new chapter").fill("Taken back again")
    page.get_by_label("Title of the new chapter").press("Enter")
    expect(page.locator("#toasts .toast").first).to_be_visible()
    page.wait_for_timeout(300)  # it slides in


def _pause(page: Page) -> None:
    _open_indicator(page)
    page.get_by_role("button", name="Pause live updates").click()
    page.locator("live-indicator button").first.click()


def _open_indicator(page: Page) -> None:
    page.locator("live-indicator button").first.click()
    expect(page.get_by_role("button", name="Refresh now")).to_be_visible()


def _open_shortcuts(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()


def _mirror(page: Page) -> None:
    """As it stands in a language that is written from right to left."""
    page.evaluate("document.documentElement.dir = 'rtl'")


def _choose_mirrored(page: Page) -> None:
    _mirror(page)
    _choose_in_the_picker(page)


def _measure(page: Page) -> None:
    """The site is measured by itself while somebody looks."""
    expect(page.get_by_text("Browsers connected").first).to_be_visible(timeout=30_000)


def _unfold(selector: str) -> Callable[[Page], None]:
    return lambda page: page.locator(selector).first.click()


def _open_inspector(page: Page) -> None:
    page.keyboard.press("Alt+Shift+L")
    expect(page.locator(".inspect, live-inspector, [class*=inspect]").first).to_be_visible()
    page.wait_for_timeout(1_000)  # it asks


STATES = (
    State("sign-in", "/sign-in", role=None),
    State("sign-in-refused", "/sign-in", role=None, then=_refused),
    State("forgot-password", "/forgot-password", role=None),
    State("invitation-used-up", "/invitation", role=None),
    State("courses", "/courses"),
    State("courses-of-a-viewer", "/courses", role="viewer"),
    State("course", "/courses/{full}/edit"),
    State("course-empty", "/courses/{empty}/edit"),
    State("course-long", "/courses/{long}/edit"),
    State("course-rtl", "/courses/{rtl}/edit"),
    State("course-mirrored", "/courses/{rtl}/edit", then=_mirror),
    State("course-picker-mirrored", "/courses/{rtl}/edit", then=_choose_mirrored),
    State("learner-mirrored", "/courses/{rtl}", role="viewer", then=_mirror),
    State("library-mirrored", "/media?view=list", then=_mirror),
    State("course-200-chapters", "/courses/{large}/edit"),
    State("course-menu", "/courses/{full}/edit", then=_open_menu(".videos .more")),
    State("course-chapter-menu", "/courses/{full}/edit", then=_open_menu(".chapter-head .more")),
    State("course-rename", "/courses/{full}/edit", then=_open_menu(".chapter .pencil")),
    State("course-chosen", "/courses/{full}/edit", then=_choose_two),
    State("course-picker", "/courses/{full}/edit", then=_choose_in_the_picker),
    State("course-undo", "/courses/{spare}/edit", then=_offer_undo),
    State("course-remove", "/courses/{empty}/edit", then=_unfold(".danger-zone summary")),
    State("course-paused", "/courses/{full}/edit", then=_pause),
    State("live-indicator", "/courses", then=_open_indicator),
    State("account-menu", "/courses", then=_open_menu(".person-button")),
    State("shortcuts", "/courses", then=_open_shortcuts),
    State("inspector", "/courses/{full}/edit", then=_open_inspector),
    State("picker-alone", "/chapters/{chapter}/add-videos"),
    State("move-video", "/chapters/links/{link}/move"),
    State("move-chapter", "/chapters/{chapter}/move"),
    State("learner", "/courses/{full}", role="viewer"),
    State("learner-long", "/courses/{long}", role="viewer"),
    State("learner-rtl", "/courses/{rtl}", role="viewer"),
    State("learner-empty", "/courses/{empty}", role="viewer"),
    State("members", "/courses/{full}/members"),
    State("members-of-an-editor", "/courses/{full}/members", role="editor"),
    State("library", "/media?view=grid"),
    State("library-list", "/media?view=list"),
    State("library-trash", "/media?show=trash"),
    State("library-nothing-found", "/media?search=nothing+is+called+so"),
    State("library-add", "/media", then=_unfold("#add-videos summary")),
    State("file", "/media/{media}"),
    State("account", "/account"),
    State("status", "/status", role="admin"),
    State("status-measured", "/status", role="admin", then=_measure),
    State("style", "/status/style", role="admin"),
    State("not-found", "/nothing/here"),
    State("forbidden", "/courses/{full}/edit", role="viewer"),
)
