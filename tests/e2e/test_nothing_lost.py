"""Whatever happens to a page in its browser, it ends fresh, or says since when it may not be."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect

from tests.e2e.conftest import Site, live, serving
from tests.e2e.gate import Answer, Asked, Gate, Silence, Verdict
from tests.e2e.tabs import Tab, TabbedBrowser
from tests.servers import wait_until

OpenAs = Callable[..., Page]

EDIT = "/courses/1/edit"
LIST = "chapters:list:1"
IMPATIENT = "Math.random = () => 0.1"  # every wait that is drawn by lot is a short one
BUSY = Answer(503, {"Retry-After": "3", "Content-Type": "text/html"}, "<h1>Too busy</h1>")
ERROR_PAGE = Answer(200, {"Content-Type": "text/html"}, "<h1>We will be back soon</h1>")
SIGN_IN_PAGE = Answer(302, {"Location": "/sign-in"})
BAD_GATEWAY = Answer(502, {"Content-Type": "text/html"}, "<h1>Bad gateway</h1>")


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """These tests wait for deadlines of the product's own."""
    expect.set_options(timeout=40_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def tabbed(tmp_path_factory: pytest.TempPathFactory, quick_site: Site) -> Iterator[TabbedBrowser]:
    """Chromium whose tabs can be hidden and frozen, signed in as the owner."""
    folder = tmp_path_factory.mktemp("profile")
    with TabbedBrowser(folder, "--host-resolver-rules=MAP intranet.test 127.0.0.1") as browser:
        yield browser


@contextmanager
def gate_to(site: Site) -> Iterator[Gate]:
    port = urlsplit(site.url).port
    assert port is not None
    with Gate(port) as gate:
        yield gate


@contextmanager
def person(browser: Browser, url: str) -> Iterator[BrowserContext]:
    """A browser of its own, signed in as the owner; a script error on a page of it fails."""
    errors: list[str] = []
    context = browser.new_context(base_url=url)
    context.on("weberror", lambda error: errors.append(str(error.error)))
    sign_in = {"email": "owner@example.test", "password": "demo"}
    assert context.request.post("/a/accounts/sign-in", data=sign_in).ok
    yield context
    context.close()
    assert errors == []


def write(site: Site, title: str) -> None:
    """What somebody else does in another browser."""
    with site.client("editor") as editor:
        editor.post("/a/chapters/add", json={"course_id": 1, "title": title}).raise_for_status()


def shown(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()


def state(page: Page, word: str) -> None:
    page.wait_for_selector(f"html[data-live-state={word}]", timeout=40_000)


def sequence(address: str) -> int:
    """The sequence number of the newest stamp in the address of a stream."""
    return max(int(number) for number in re.findall(r"[0-9a-f]{12}-([0-9]+)", address))


def sign_in(tab: Tab, url: str) -> None:
    tab.go(f"{url}/healthz")
    account = json.dumps({"email": "owner@example.test", "password": "demo"})
    headers = "{'Content-Type': 'application/json'}"
    request = f"{{method: 'POST', headers: {headers}, body: {json.dumps(account)}}}"
    assert tab.evaluate(f"fetch('/a/accounts/sign-in', {request}).then((r) => r.status)") == 200


def reads(gate: Gate) -> list[Asked]:
    """The reads so far, but for who else is here: browsers of other tests come and go."""
    return [asked for asked in gate.of("/q") if not asked.path.startswith("/q/presence/")]


def settled(site: Site, gate: Gate) -> int:
    """How many reads there were, once no more follow on what has happened so far."""

    def is_quiet() -> bool:
        before = len(reads(gate))
        wait_for_beats(site, 2)
        return len(reads(gate)) == before

    wait_until(is_quiet, "end of the reads")
    return len(reads(gate))


def wait_for_beats(site: Site, count: int) -> None:
    """Return after *count* beats of another stream."""
    with (
        site.client("owner") as owner,
        owner.stream("GET", "/live", params={"key": "courses:detail:1"}) as stream,
    ):
        beats = (line for line in stream.iter_lines() if line == "event: beat")
        for _ in range(count):
            next(beats)


def test_whatever_comes_in_place_of_the_stream_the_page_asks_and_says_so(
    quick_site: Site, browser: Browser
) -> None:
    instead: dict[str, Verdict] = {
        "a 503": BUSY,
        "an error page that says 200": ERROR_PAGE,
        "a sign-in page": SIGN_IN_PAGE,
        "no answer": Silence(),
        "a proxy that collects the stream": Silence(asking=True),
    }
    with ExitStack() as stack:
        pages: dict[str, tuple[Gate, Page]] = {}
        for name, verdict in instead.items():
            gate = stack.enter_context(gate_to(quick_site))
            gate.verdicts["/live"] = verdict
            context = stack.enter_context(person(browser, gate.url))
            context.add_init_script(IMPATIENT)
            page = context.new_page()
            page.goto(EDIT)
            pages[name] = gate, page

        write(quick_site, "Without a stream")

        for name, (gate, page) in pages.items():
            shown(page, "Without a stream")
            state(page, "degraded")
            assert gate.streams == [] or isinstance(instead[name], Silence), name
            expect(page.locator("live-indicator .live-word")).to_have_text("Degraded")
        for gate, page in pages.values():
            gate.verdicts.clear()
            page.evaluate("window.dispatchEvent(new Event('online'))")
        for _, page in pages.values():
            live(page)
        write(quick_site, "With a stream")
        for _, page in pages.values():
            shown(page, "With a stream")


def test_a_stream_that_is_refused_is_asked_for_when_the_server_said(
    quick_site: Site, browser: Browser
) -> None:
    with gate_to(quick_site) as gate, person(browser, gate.url) as context:
        # The longest wait of its own, a second, which leaves time to be told of three.
        context.add_init_script("Math.random = () => 0.99")
        gate.verdicts["/live"] = BUSY
        page = context.new_page()
        page.goto(EDIT)
        wait_until(lambda: gate.of("/live", "HEAD"), "question why")

        gate.verdicts.clear()
        live(page)

        refused, opened = gate.of("/live")
        (why,) = gate.of("/live", "HEAD")
        assert (refused.status, why.status, opened.status) == (503, 503, 200)
        assert opened.at - why.at >= 3


def test_reads_that_fail_are_said_and_made_good(quick_site: Site, browser: Browser) -> None:
    with gate_to(quick_site) as gate, person(browser, gate.url) as context:
        context.add_init_script(IMPATIENT)
        page = context.new_page()
        page.goto(EDIT)
        live(page)
        gate.verdicts["/q"] = BAD_GATEWAY

        write(quick_site, "Behind a bad gateway")

        state(page, "stale")
        expect(page.locator("live-indicator .live-word")).to_have_text(
            re.compile(r"^May be out of date since \d\d:\d\d$")
        )
        expect(page.get_by_role("heading", name="Behind a bad gateway")).to_have_count(0)
        gate.verdicts.clear()
        shown(page, "Behind a bad gateway")
        live(page)


def test_a_busy_server_is_read_again_when_it_said(quick_site: Site, browser: Browser) -> None:
    path = f"/q/{LIST.replace(':', '/')}"
    with gate_to(quick_site) as gate, person(browser, gate.url) as context:
        page = context.new_page()
        page.goto(EDIT)
        live(page)
        gate.verdicts["/q"] = BUSY

        write(quick_site, "After three seconds")
        wait_until(lambda: any(asked.status == 503 for asked in gate.of(path)), "refusal")
        gate.verdicts.clear()
        shown(page, "After three seconds")

        refused_at = min(asked.at for asked in gate.of(path) if asked.status == 503)
        again = [asked.at for asked in gate.of(path) if asked.at > refused_at]
        assert min(again) - refused_at >= 3


def test_what_has_not_changed_is_asked_for_with_its_etag_and_changes_nothing(
    quick_site: Site, browser: Browser
) -> None:
    with gate_to(quick_site) as gate, person(browser, gate.url) as context:
        gate.verdicts["/live"] = ERROR_PAGE
        page = context.new_page()
        page.goto(EDIT)
        path = f"/q/{LIST.replace(':', '/')}"

        def ask(times: int) -> None:
            page.evaluate("window.dispatchEvent(new Event('online'))")
            wait_until(lambda: len(gate.of(path)) >= times, f"question {times}")

        ask(1)
        state(page, "degraded")
        page.evaluate(
            """() => {
                window.changes = 0;
                const observer = new MutationObserver((all) => (window.changes += all.length));
                for (const region of document.querySelectorAll('live-region'))
                    observer.observe(region, {
                        childList: true, characterData: true, subtree: true, attributes: true,
                        attributeFilter: ['class', 'id', 'data-key', 'data-access', 'data-state'],
                    });
            }"""
        )
        ask(2)
        wait_until(lambda: gate.of(path)[1].status, "answer")

        first, second = gate.of(path)[:2]
        assert (first.status, second.status) == (200, 304)
        assert second.headers["if-none-match"]
        state(page, "degraded")
        assert page.evaluate("window.changes") == 0


@pytest.mark.parametrize("more_than_it_was_told", [False, True])
def test_a_page_with_more_keys_than_a_stream_takes_asks_for_them_and_says_so(
    narrow_site: Site, browser: Browser, more_than_it_was_told: bool
) -> None:
    with gate_to(narrow_site) as gate, person(browser, gate.url) as context:
        page = context.new_page()
        if more_than_it_was_told:  # rendered before the setting was changed
            page.route(
                f"**{EDIT}",
                lambda route: route.fulfill(
                    body=route.fetch().text().replace('live-keys="1"', 'live-keys="100"'),
                    content_type="text/html",
                ),
            )
        page.goto(EDIT)
        wait_until(lambda: any(asked.status == 200 for asked in gate.of("/live")), "a stream")
        state(page, "degraded")
        assert len(page.evaluate("coursewire.store.keys")) > 1

        write(narrow_site, f"Unwatched {more_than_it_was_told}")
        with narrow_site.client("owner") as owner:
            detail = owner.get("/q/courses/detail/1").json()
            was = {name: detail[name] for name in ("title", "description", "status")}
            edit = {"course_id": 1, **was, "title": f"Too {more_than_it_was_told}", "was": was}
            owner.post("/a/courses/edit", json=edit).raise_for_status()
        page.evaluate("window.dispatchEvent(new Event('online'))")

        shown(page, f"Unwatched {more_than_it_was_told}")
        shown(page, f"Too {more_than_it_was_told}")
        expect(page.locator("live-indicator .live-word")).to_have_text("Degraded")
        refused = [asked for asked in gate.of("/live") if asked.status == 400]
        assert bool(refused) == more_than_it_was_told


@pytest.fixture(scope="module")
def narrow_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose streams watch one key each."""
    with serving(tmp_path_factory.mktemp("narrow"), COURSEWIRE_KEYS_PER_STREAM="1") as running:
        yield running


def test_a_stream_that_falls_silent_is_replaced_whatever_the_clock_says(
    quick_site: Site, browser: Browser
) -> None:
    with gate_to(quick_site) as gate, person(browser, gate.url) as context:
        context.add_init_script(
            "const now = Date.now; window.ahead = 0; Date.now = () => now() + window.ahead;"
        )
        page = context.new_page()
        page.goto(EDIT)
        live(page)
        for hours in (5, -9):
            opened = len(gate.of("/live"))
            page.evaluate(f"window.ahead += {hours * 3_600_000}")

            gate.mute()
            write(quick_site, f"{hours} hours off")

            shown(page, f"{hours} hours off")
            live(page)
            assert len(gate.of("/live")) == opened + 1


REFUSED = "new DOMException('nothing may be stored', 'SecurityError')"
MISSING = {
    "no Web Locks": "delete Navigator.prototype.locks",
    "no BroadcastChannel": "delete window.BroadcastChannel",
    "Web Locks refused": (
        f"if (window.LockManager) LockManager.prototype.request = () => Promise.reject({REFUSED})"
    ),
    "BroadcastChannel refused": (
        f"window.BroadcastChannel = class {{ constructor() {{ throw {REFUSED} }} }}"
    ),
    "storage refused": (
        "for (const name of ['localStorage', 'sessionStorage', 'indexedDB'])"
        f" Object.defineProperty(window, name, {{get() {{ throw {REFUSED} }}}})"
    ),
}


@pytest.mark.parametrize("missing", MISSING)
def test_a_browser_that_shares_or_stores_nothing_has_live_pages(
    quick_site: Site, browser: Browser, missing: str
) -> None:
    with person(browser, quick_site.url) as context:
        context.add_init_script(MISSING[missing])
        pages = [context.new_page(), context.new_page()]
        for page in pages:
            page.goto(EDIT)
            live(page)

        title = f"Seen with {missing}"
        write(quick_site, title)

        for page in pages:
            shown(page, title)
        shares = missing == "storage refused"
        assert [p.evaluate("coursewire.tabs.leads") for p in pages] == [True, not shares]


def test_a_leader_that_crashes_hands_over_where_it_was_heard(
    quick_site: Site, browser: Browser
) -> None:
    with gate_to(quick_site) as gate, person(browser, gate.url) as context:
        first, second = context.new_page(), context.new_page()
        for page in (first, second):
            page.goto(EDIT)
            live(page)
        write(quick_site, "Heard from the first")
        shown(second, "Heard from the first")
        read = settled(quick_site, gate)
        heard = max(
            int(stamp.split("-")[1])
            for stamp in second.evaluate("coursewire.store.keys.map(([, s]) => String(s))")
        )
        before = len(gate.of("/live"))

        with suppress(Error):
            first.goto("chrome://crash", timeout=3_000)
        wait_until(lambda: second.evaluate("coursewire.tabs.leads"), "leader")
        live(second)
        wait_until(lambda: len(gate.of("/live")) > before, "another stream")

        assert sequence(gate.of("/live")[before].path) >= heard
        wait_for_beats(quick_site, 1)
        assert len(reads(gate)) == read, "nothing has changed, so nothing is read"
        write(quick_site, "Heard by the second")
        shown(second, "Heard by the second")


def test_offline_is_said_and_back_online_everything_is_fresh(
    quick_site: Site, browser: Browser
) -> None:
    with person(browser, quick_site.url) as away, person(browser, quick_site.url) as here:
        page, other = away.new_page(), here.new_page()
        for each in (page, other):
            each.goto(EDIT)
            live(each)

        away.set_offline(True)
        state(page, "offline")
        other.get_by_label("Title of the new chapter").fill("While one was offline")
        other.get_by_role("button", name="Add chapter").click()
        shown(other, "While one was offline")
        expect(page.locator("#live-details p")).to_have_text(re.compile(r"as of \d\d:\d\d\.$"))
        expect(page.get_by_role("heading", name="While one was offline")).to_have_count(0)
        away.set_offline(False)

        shown(page, "While one was offline")
        live(page)


def test_a_frozen_leader_is_followed_and_is_fresh_when_it_thaws(
    tabbed: TabbedBrowser, quick_site: Site
) -> None:
    frozen = tabbed.tab()
    sign_in(frozen, quick_site.url)
    frozen.go(quick_site.url + EDIT)
    frozen.live()
    frozen.evaluate(
        "document.addEventListener('freeze', () => (window.froze = true)); window.ticks = 0;"
        "setInterval(() => (window.ticks += 1), 50); 0"
    )
    seen = tabbed.tab()
    seen.go(quick_site.url + EDIT)
    seen.live()
    assert [frozen.evaluate("coursewire.tabs.leads"), seen.evaluate("coursewire.tabs.leads")] == [
        True,
        False,
    ]
    assert frozen.evaluate("document.hidden")

    frozen.freeze()
    frozen.wait_for("window.froze")
    ticks = frozen.evaluate("window.ticks")
    write(quick_site, "While frozen")
    seen.wait_for_text("While frozen")
    wait_for_beats(quick_site, 3)
    assert frozen.evaluate("window.ticks") == ticks, "it was frozen, and longer than a heartbeat"
    assert not frozen.shows("While frozen")
    frozen.thaw()
    frozen.bring_to_front()

    frozen.wait_for_text("While frozen")
    frozen.live()
    write(quick_site, "After the thaw")
    for tab in (frozen, seen):
        tab.bring_to_front()
        tab.wait_for_text("After the thaw")
    assert seen.evaluate("coursewire.tabs.leads") is True
    assert frozen.evaluate("coursewire.tabs.leads") is False
    frozen.close()
    seen.close()


def test_a_page_frozen_all_alone_is_fresh_when_it_thaws(
    tabbed: TabbedBrowser, quick_site: Site
) -> None:
    with gate_to(quick_site) as gate:
        tab = tabbed.tab()
        sign_in(tab, gate.url)
        tab.go(gate.url + EDIT)
        tab.live()
        tab.evaluate("document.addEventListener('freeze', () => (window.froze = true)); 0")
        front = tabbed.tab()
        tab.freeze()
        tab.wait_for("window.froze")

        gate.mute()  # as after sleep: the connection is gone, and nobody was told
        write(quick_site, "While it slept")
        wait_for_beats(quick_site, 3)
        assert not tab.shows("While it slept")
        tab.thaw()
        tab.bring_to_front()

        tab.wait_for_text("While it slept")
        tab.live()
        front.close()
        tab.close()


def test_a_hidden_tab_reads_nothing_until_somebody_looks(
    tabbed: TabbedBrowser, quick_site: Site
) -> None:
    with gate_to(quick_site) as gate:
        tab = tabbed.tab()
        sign_in(tab, gate.url)
        tab.go(gate.url + EDIT)
        tab.live()
        tab.evaluate("document.addEventListener('live:stale', () => (window.told = true)); 0")
        front = tabbed.tab()
        tab.wait_for("document.hidden")
        read = settled(quick_site, gate)

        write(quick_site, "While hidden")
        tab.wait_for("window.told")
        wait_for_beats(quick_site, 2)
        assert len(reads(gate)) == read
        assert not tab.shows("While hidden")
        tab.bring_to_front()

        tab.wait_for_text("While hidden")
        front.close()
        tab.close()


def test_a_page_out_of_the_back_forward_cache_is_brought_up_to_date(
    tabbed: TabbedBrowser, quick_site: Site
) -> None:
    with gate_to(quick_site) as gate:
        tab = tabbed.tab()
        sign_in(tab, gate.url)
        tab.go(gate.url + EDIT)
        tab.live()
        tab.evaluate("window.addEventListener('pageshow', (e) => (window.kept = e.persisted)); 0")
        tab.go(f"{gate.url}/media")
        tab.live()
        wait_until(lambda: len(gate.streams) == 1, "end of the first page's stream")

        write(quick_site, "While kept for “back”")
        tab.evaluate("history.back()")
        tab.wait_for(f"location.pathname === {json.dumps(EDIT)}")

        assert tab.evaluate("window.kept") is True
        tab.wait_for_text("While kept for “back”")
        tab.live()
        write(quick_site, "Back again")
        tab.wait_for_text("Back again")
        tab.close()


def test_eight_tabs_of_an_insecure_origin_are_all_fresh_and_block_nothing(
    tabbed: TabbedBrowser, quick_site: Site
) -> None:
    with gate_to(quick_site) as gate:
        origin = f"http://intranet.test:{gate.port}"
        tabs = [tabbed.tab()]
        sign_in(tabs[0], origin)
        tabs += [tabbed.tab() for _ in range(7)]
        for tab in tabs:
            tab.bring_to_front()
            tab.go(origin + EDIT)
            tab.live()
        assert tabs[0].evaluate("isSecureContext || 'locks' in navigator") is False
        wait_until(lambda: len(gate.streams) == 1, "only stream, of the tab in front")

        write(quick_site, "Seen in eight tabs")

        for tab in tabs:
            tab.bring_to_front()
            tab.wait_for_text("Seen in eight tabs")
            assert tab.evaluate("fetch('/healthz').then((r) => r.status)") == 200
        for tab in tabs:
            tab.close()


def test_a_message_stands_above_an_open_dialog(quick_site: Site, browser: Browser) -> None:
    with person(browser, quick_site.url) as context:
        page = context.new_page()
        page.goto(EDIT)
        live(page)
        page.get_by_role("link", name="Add videos").first.click()
        expect(page.get_by_role("dialog")).to_be_visible()

        context.set_offline(True)
        page.evaluate("[...document.querySelectorAll('main a[data-dialog]')].at(-1).click()")
        expect(page.get_by_text("You are offline. Try again")).to_be_visible()

        devtools = context.new_cdp_session(page)
        devtools.send("DOM.getDocument")
        above = devtools.send("DOM.getTopLayerElements")["nodeIds"]
        names = [
            devtools.send("DOM.describeNode", {"nodeId": node})["node"]["localName"]
            for node in above
        ]
        ids = [devtools.send("DOM.getAttributes", {"nodeId": node})["attributes"] for node in above]
        assert "dialog" in names
        last = [i for i, name in enumerate(names) if name != "::backdrop"][-1]
        assert "toasts" in ids[last], (names, ids)
