"""The morph in real Chromium: what a page shows, plays and holds survives a new version of it."""

import json
import mimetypes
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from playwright.sync_api import Browser, JSHandle, Page, Route

ROOT = Path(__file__).resolve().parent.parent.parent
ORIGIN = "http://127.0.0.1"
CLIP = "/plugins/media/demo/portrait-basics.webm"
START = """
import { bindTheirs, morph } from "/core/static/live/morph.js";
import { Announcer } from "/core/static/live/announcer.js";
import { highlight } from "/core/static/live/highlight.js";
bindTheirs(document);
Object.assign(window, {
  Announcer, highlight, morph, region: document.getElementById("region"),
  find: (selector) => document.querySelector(selector),
  names: (elements) => elements.map((element) => element.dataset.key ?? element.id),
});
"""
WITHOUT_MOVE = "delete Element.prototype.moveBefore"


@pytest.fixture(params=["moveBefore", "insertBefore"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page with the morph at hand, also as in a browser without ``moveBefore``."""
    context = browser.new_context(viewport={"width": 600, "height": 400})
    context.set_default_timeout(10_000)
    errors: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    if request.param == "insertBefore":
        page.add_init_script(WITHOUT_MOVE)
    page.route(f"{ORIGIN}/**", _serve)
    yield page
    context.close()
    assert errors == []


def _serve(route: Route) -> None:
    path = route.request.url.removeprefix(ORIGIN)
    if path == "/":
        body = "<!doctype html><title>Morph</title><main><div id=region></div></main>"
        route.fulfill(body=body, content_type="text/html")
    elif path == "/start.js":
        route.fulfill(body=START, content_type="text/javascript")
    elif (file := ROOT / path.removeprefix("/")).is_file():
        route.fulfill(path=file, content_type=mimetypes.guess_type(file)[0])
    else:
        route.fulfill(status=404)


def show(page: Page, html: str) -> None:
    """Opens the page with *html* in its region."""
    page.goto(f"{ORIGIN}/")
    page.evaluate("html => { document.getElementById('region').innerHTML = html }", html)
    page.add_script_tag(url="/start.js", type="module")
    page.wait_for_function("() => window.morph")


def morph(page: Page, html: str) -> dict[str, list[str]]:
    """Morphs the region to *html*: the keys of what was added, changed, removed and moved."""
    found: dict[str, list[str]] = page.evaluate(
        """html => {
             const { added, changed, removed, moved } = morph(region, html);
             return Object.fromEntries(
               Object.entries({ added, changed, removed, moved }).map(([k, v]) => [k, names(v)]));
           }""",
        html,
    )
    return found


def handle(page: Page, selector: str) -> JSHandle:
    return page.evaluate_handle("selector => find(selector)", selector)


def is_still(page: Page, selector: str, node: JSHandle) -> bool:
    return bool(page.evaluate("([selector, node]) => find(selector) === node", [selector, node]))


def chapters(**videos: str) -> str:
    """Chapters by name, each with the rows that its text gives a letter for."""
    return "".join(
        f'<section data-key="{name}"><h3>{name}</h3><ol>'
        + "".join(
            f'<li data-key="{v}"><a href="#{v}">{v}</a>'
            f'<input id="field-{v}" value="text of {v}"></li>'
            for v in rows
        )
        + "</ol></section>"
        for name, rows in videos.items()
    )


def test_the_caret_stays_where_it_is_when_its_field_moves_to_another_parent(page: Page) -> None:
    show(page, chapters(one="abc", two="d"))
    field = handle(page, "#field-b")
    page.locator("#field-b").focus()
    page.evaluate("find('#field-b').setSelectionRange(2, 5, 'backward')")

    changes = morph(page, chapters(two="db", one="ca"))

    assert is_still(page, "[data-key=two] #field-b", field)
    assert changes["added"] == changes["removed"] == []
    assert "b" in changes["moved"]
    assert page.evaluate(
        "(({ id, selectionStart, selectionEnd, selectionDirection }) =>"
        " [id, selectionStart, selectionEnd, selectionDirection])(document.activeElement)"
    ) == ["field-b", 2, 5, "backward"]


def test_typing_goes_on_during_morphs(page: Page) -> None:
    show(page, '<p>0</p><textarea id="t" name="t"></textarea>')
    page.locator("#t").focus()

    for number, letter in enumerate("I am typing"):
        page.keyboard.type(letter)
        morph(page, f'<p>{number}</p><p>new</p><textarea id="t" name="t"></textarea>')

    assert page.locator("#t").input_value() == "I am typing"


def test_a_focused_field_that_nobody_typed_in_follows_and_keeps_its_caret(page: Page) -> None:
    show(page, '<input id="t" name="t" value="one two">')
    page.locator("#t").focus()
    page.evaluate("find('#t').setSelectionRange(3, 3)")

    morph(page, '<input id="t" name="t" value="one three">')

    assert page.locator("#t").input_value() == "one three"
    assert page.evaluate("find('#t').selectionStart") == 3


def test_selected_text_stays_selected(page: Page) -> None:
    show(page, '<p id="p">some words to copy</p><p id="q">1</p>')
    page.evaluate("getSelection().setBaseAndExtent(find('#p').firstChild, 5, find('#q'), 1)")

    morph(page, '<p id="q">2</p><p id="p">some words to copy</p><p id="r">3</p>')
    morph(page, '<p id="q">2</p><p id="p">some words to keep</p><p id="r">3</p>')
    selection = page.evaluate("[getSelection().anchorNode.data, getSelection().anchorOffset]")

    assert selection == ["some words to keep", 5]


def test_scrolled_boxes_stay_scrolled_also_when_they_move(page: Page) -> None:
    def boxes(*names: str) -> str:
        rows = "".join(f"<p>{number}</p>" for number in range(50))
        return "".join(f'<div id="{n}" class="box"><p>{n}</p>{rows}</div>' for n in names)

    show(page, boxes("a", "b", "c"))
    page.add_style_tag(content=".box { block-size: 80px; overflow: auto; overflow-anchor: none }")
    page.evaluate("for (const id of ['a', 'c']) find('#' + id).scrollTop = 300")

    morph(page, boxes("d", "c", "b", "a"))

    assert page.evaluate("['a', 'b', 'c'].map((id) => find('#' + id).scrollTop)") == [300, 0, 300]


def player(chapter: str, poster: str = "portrait-basics.webp", title: str = "Portraits") -> str:
    return (
        f'<section data-key="{chapter}"><h2>{chapter}</h2><ol>'
        f'<li data-key="link"><video id="video" src="{CLIP}" poster="/plugins/media/demo/{poster}"'
        f" controls muted loop></video><h3>{title}</h3></li></ol></section>"
    )


@pytest.fixture
def playing(page: Page) -> Page:
    """The page with a playing video."""
    show(page, player("one"))
    page.evaluate(
        """async () => {
             const video = find("#video");
             video.muted = true;
             window.events = [];
             for (const type of ["emptied", "loadstart", "seeking", "ended", "pause"])
               video.addEventListener(type, () => events.push(type));
             await video.play();
             events.length = 0;
           }"""
    )
    page.wait_for_function("() => find('#video').currentTime > 0.3")
    return page


def test_a_playing_video_plays_on_untouched(playing: Page) -> None:
    before = playing.evaluate("find('#video').currentTime")

    morph(
        playing,
        "<p>Before</p>" + player("one", poster="white-balance.webp", title="Portraits, again"),
    )
    playing.wait_for_function("time => find('#video').currentTime > time + 0.2", arg=before)

    assert playing.evaluate("events") == []
    assert playing.evaluate("find('#video').paused") is False
    assert (
        playing.locator("#video").get_attribute("poster")
        == "/plugins/media/demo/white-balance.webp"
    )


def test_a_playing_video_plays_on_in_another_chapter(playing: Page) -> None:
    video = handle(playing, "#video")
    before = playing.evaluate("find('#video').currentTime")

    morph(playing, '<section data-key="two"><h2>two</h2></section>' + player("three"))
    playing.wait_for_function("time => find('#video').currentTime > time + 0.2", arg=before)

    assert is_still(playing, "[data-key=three] #video", video)
    assert playing.evaluate("find('#video').paused") is False
    assert not {"emptied", "loadstart", "seeking"} & set(playing.evaluate("events"))
    if playing.evaluate("'moveBefore' in Element.prototype"):
        assert playing.evaluate("events") == []


def test_what_stands_open_stays_open_and_what_is_closed_stays_closed(page: Page) -> None:
    def things(word: str, *order: str) -> str:
        parts = {
            "details": f'<details id="details"><summary>s</summary>{word}</details>',
            "closed": f'<details id="closed"><summary>s</summary>{word}</details>',
            "popover": f'<div id="popover" popover>{word}</div>',
            "dialog": f'<dialog id="dialog"><p>{word}</p><button>Close</button></dialog>',
        }
        return "".join(f'<section data-key="{name}">{parts[name]}</section>' for name in order)

    show(page, things("one", "details", "closed", "popover", "dialog"))
    page.evaluate(
        "find('#details').open = true; find('#dialog').showModal(); find('#popover').showPopover()"
    )

    morph(page, things("two", "dialog", "popover", "closed", "details"))

    assert page.evaluate("['details', 'closed'].map((id) => find('#' + id).open)") == [True, False]
    assert page.evaluate("find('#popover').matches(':popover-open')") is True
    assert page.evaluate("find('#dialog').matches(':modal')") is True
    assert page.locator("#region").inner_text().count("one") == 0


def edit_form(title: str) -> str:
    return (
        f'<form id="f"><input type="hidden" name="was.title" value="{title}">'
        f'<label for="t">Title</label><input id="t" name="title" value="{title}"></form>'
    )


def test_a_person_decides_between_a_half_typed_title_and_a_colleagues(page: Page) -> None:
    show(page, edit_form("Basics"))
    page.get_by_label("Title").fill("Foundat")

    morph(page, edit_form("First steps"))
    assert page.get_by_label("Title").input_value() == "Foundat"
    assert page.locator("[name='was.title']").input_value() == "Basics"
    assert page.get_by_role("status").inner_text() == (
        "Changed meanwhile: Keep mine Use theirs: “First steps”"
    )

    page.get_by_role("button", name="Keep mine").click()
    page.keyboard.press("End")
    page.keyboard.type("ions")
    morph(page, edit_form("First steps") + "<p>more</p>")
    assert page.get_by_label("Title").input_value() == "Foundations"
    assert page.locator("[name='was.title']").input_value() == "First steps"
    assert page.get_by_role("status").count() == 0

    morph(page, edit_form("Second steps"))
    page.get_by_role("button", name="Use theirs: “Second steps”").click()
    assert page.get_by_label("Title").input_value() == "Second steps"
    assert page.locator("[name='was.title']").input_value() == "Second steps"


def test_the_focus_of_a_removed_row_goes_to_its_neighbour(page: Page) -> None:
    show(page, "<h2>Chapters</h2>" + chapters(one="abc"))
    page.locator("[href='#b']").focus()

    found = []
    for rows in ("ac", "a", ""):
        morph(page, "<h2>Chapters</h2>" + chapters(one=rows))
        found.append(page.evaluate("document.activeElement.textContent"))
    morph(page, "<h2>Chapters</h2>")
    found.append(page.evaluate("document.activeElement.textContent"))

    assert found == ["c", "a", "Chapters", "Chapters"]


def test_a_page_that_is_read_does_not_jump(page: Page) -> None:
    show(page, chapters(**{f"chapter{number}": "abcdefgh" for number in range(1)}))
    page.add_style_tag(content="li { block-size: 120px }")
    page.evaluate("find('[data-key=f]').scrollIntoView({ block: 'start' })")
    before = page.evaluate("find('[data-key=f]').getBoundingClientRect().top")

    morph(page, "<p>A new chapter</p>" + chapters(chapter0="0123abcdefgh"))
    page.evaluate("() => new Promise(requestAnimationFrame)")

    assert abs(page.evaluate("find('[data-key=f]').getBoundingClientRect().top") - before) < 1


def test_a_browser_that_dragged_is_asked_again(page: Page) -> None:
    show(page, chapters(one="ab"))
    page.evaluate("find('[data-key=a]').dataset.dragging = ''")

    assert page.evaluate("html => morph(region, html)", chapters(one="b")) is None

    page.evaluate("delete find('[data-key=a]').dataset.dragging")
    assert morph(page, chapters(one="b"))["removed"] == ["a"]


def test_the_browsers_own_timers_serve_highlights_and_announcements(page: Page) -> None:
    show(page, f'<div data-announce="chapters">{chapters(one="a")}</div>')

    page.evaluate(
        """html => {
             const element = document.body.appendChild(document.createElement("p"));
             element.id = "said";
             const announcer = new Announcer({ element, setTimeout });
             const changes = morph(region, html);
             announcer.updated(region, changes);
             highlight(changes.added);
           }""",
        f'<div data-announce="chapters">{chapters(one="a", two="b")}</div>',
    )

    assert page.locator("[data-key=two]").get_attribute("class") == "live-changed"
    page.wait_for_selector("#said:text-is('1 chapter added')")
    page.wait_for_selector("[data-key=two]:not([class])")


def long_course(title: str) -> str:
    """The real template with 200 chapters of 10 videos, one of them called *title*."""
    environment = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    environment.globals["piece"] = lambda template, result, **more: Markup(  # noqa: S704  ours
        environment.get_template(template).render(result=result, **more)
    )
    environment.filters.update(duration=lambda s: f"0:{s:02}", filesize=lambda n: f"{n} bytes")
    video = {
        "poster_url": "/poster.webp",
        "duration_s": 42,
        "source": "upload",
        "mime_type": "video/webm",
        "size_bytes": 12345,
        "status": "ready",
    }
    result = [
        SimpleNamespace(
            id=c,
            title=f"Chapter {c}",
            duration_s=420,
            videos=[
                SimpleNamespace(
                    **video,
                    link_id=c * 10 + v,
                    media_file_id=c * 10 + v,
                    title=title if (c, v) == (150, 5) else f"Video {c * 10 + v}",
                )
                for v in range(10)
            ],
        )
        for c in range(200)
    ]
    template = environment.get_template("chapters/list.html")
    return template.render(result=result, may_edit=True, params={"course_id": 1})


def test_a_long_course_takes_one_new_title(page: Page) -> None:
    show(page, long_course("Old title"))

    took = page.evaluate(
        """async html => {
             const [times, changed] = [[], []];
             for (const title of ["First", "Second", "Third", "Fourth", "Fifth"]) {
               const version = html.replaceAll("New title", title);
               const start = performance.now();
               changed.push(names(morph(region, version).changed).sort());
               times.push(Math.round(performance.now() - start));
               await new Promise((resolve) => setTimeout(resolve, 100));
             }
             const elements = region.querySelectorAll("*").length;
             return { elements, characters: html.length, times_ms: times, changed };
           }""",
        long_course("New title"),
    )

    print(json.dumps({name: value for name, value in took.items() if name != "changed"}))
    assert took["changed"] == [["link-1505"]] * 5
