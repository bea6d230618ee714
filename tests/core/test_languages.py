"""Everybody is answered in a language of theirs, and in no other's."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from pydantic import ValidationError
from werkzeug.test import TestResponse

from core import Settings
from core.build import build_id
from core.format import filesize
from core.languages import (
    current_direction,
    current_language,
    gettext,
    in_language,
    name_of,
    ngettext,
)
from tests.core import notes
from tests.core.asking import HTML, JSON, LIST, problem, write
from tests.core.conftest import VIEWER, MakeApp, client_of
from tests.core.notes import switches
from tests.core.test_cache import Cluster, Start, start  # noqa: F401  the fixture

DE = {"Accept-Language": "de"}


def told(app: Flask, header: str = "", cookie: str = "", page: str = "") -> str | None:
    """The language of a fragment for a browser that sends these."""
    client = client_of(app)
    if cookie:
        client.set_cookie("lang", cookie)
    headers = {**HTML, "Accept-Language": header, "Live-Language": page}
    response = client.get(LIST, headers={name: told for name, told in headers.items() if told})
    text = response.get_data(as_text=True)
    language = response.headers["Content-Language"]
    assert ("0 Notizen" if language == "de" else "0 notes") in text
    return language


def test_the_page_then_the_cookie_then_the_browser_say_which_language(quick_app: Flask) -> None:
    assert told(quick_app) == "en"
    assert told(quick_app, header="de") == "de"
    assert told(quick_app, header="de-AT,de;q=0.9,en;q=0.8") == "de"
    assert told(quick_app, header="fr, en;q=0.5, de;q=0.4") == "en"
    assert told(quick_app, header="de", cookie="en") == "en"
    assert told(quick_app, cookie="de") == "de"
    assert told(quick_app, header="en", cookie="en", page="de") == "de"


@pytest.mark.parametrize("nonsense", ["xx", "de/../en", "DE", "", "de\x7f", "en-US"])
def test_a_language_that_is_not_offered_asks_for_nothing(quick_app: Flask, nonsense: str) -> None:
    assert told(quick_app, header="de", cookie=nonsense) == "de"
    assert told(quick_app, header="de", page=nonsense) == "de"


def test_the_settings_say_what_is_offered_and_what_else(make_app: MakeApp, sqlite_url: str) -> None:
    german = make_app(sqlite_url, fill=True, languages=("de", "en"), default_language="de")
    english = make_app(sqlite_url, languages=("en",))

    assert told(german) == "de"
    assert told(german, header="fr") == "de"
    assert told(german, header="en") == "en"
    assert told(english, header="de", cookie="de", page="de") == "en"


@pytest.mark.parametrize(
    ("chosen", "what"),
    [
        ({"languages": "en,xx"}, "“xx” is no language. Write it as in HTML: de, pt-BR."),
        ({"languages": "pt_BR"}, "“pt_BR” is no language. Write it as in HTML: de, pt-BR."),
        ({"default_language": "fr"}, "default_language is none of languages: en, de."),
        ({"languages": ""}, "at least 1 item"),
    ],
)
def test_a_language_that_is_none_stops_the_start(chosen: dict[str, str], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        Settings(**chosen)  # type: ignore[arg-type]  # as the environment has them


def test_what_varies_says_so(quick_app: Flask) -> None:
    fragment = client_of(quick_app).get(LIST, headers={**HTML, **DE})
    json = client_of(quick_app).get(LIST, headers={**JSON, **DE})

    varies = "Accept, Cookie, Accept-Language, Live-Language"
    assert fragment.headers["Vary"] == json.headers["Vary"] == varies
    assert fragment.headers["Content-Language"] == "de"
    assert "Content-Language" not in json.headers


def test_each_language_has_its_own_body_tag_and_304(quick_app: Flask) -> None:
    client = client_of(quick_app)

    def ask(language: str, tag: str = "") -> TestResponse:
        headers = {**HTML, "Live-Language": language, "If-None-Match": tag}
        return client.get(LIST, headers=headers)

    tags = {language: ask(language).headers["ETag"] for language in ("en", "de")}

    assert tags["en"] != tags["de"]
    assert ask("de", tags["de"]).status_code == ask("en", tags["en"]).status_code == 304
    crossed = ask("de", tags["en"])
    assert crossed.status_code == 200
    assert "0 Notizen" in crossed.get_data(as_text=True)


def test_json_has_no_language_and_shares_what_most_look_at(start: Start) -> None:  # noqa: F811
    cluster = start(1)

    answers = [cluster.ask(headers={**JSON, "Live-Language": told}) for told in ("en", "de")]
    cluster.ask(headers=HTML)

    assert answers[0].data == answers[1].data
    assert answers[0].headers["ETag"] == answers[1].headers["ETag"]
    assert cluster.runs == 1


def shown(cluster: Cluster, worker: int, language: str) -> str:
    headers = {**HTML, "Live-Language": language}
    return cluster.ask(worker, headers=headers).get_data(as_text=True)


def test_two_browsers_in_two_languages_each_see_their_own_on_every_worker(start: Start) -> None:  # noqa: F811
    cluster = start(2)
    words = {"en": "notes", "de": "Notizen"}

    for count in range(3):
        for worker in (0, 1, 0, 1):
            for language, word in words.items():
                assert f"<p>{count} {word}</p>" in shown(cluster, worker, language)
        cluster.write(f"note {count}", worker=count % 2)

    assert cluster.runs == 3 * len(words)  # once for each language somebody looks in, and no more


def test_nobody_reads_in_a_language_that_nobody_looks_in(start: Start) -> None:  # noqa: F811
    cluster = start(2)
    shown(cluster, 0, "de")
    shown(cluster, 1, "de")

    assert cluster.runs == 1


def test_while_redis_is_away_languages_do_not_share_a_read(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, fill=True)  # whose hub has not begun, as in an outage

    for language, word in (("en", "notes"), ("de", "Notizen"), ("en", "notes")):
        answer = client_of(app).get(LIST, headers={**HTML, "Live-Language": language})
        assert f"0 {word}" in answer.get_data(as_text=True)


def test_a_query_has_no_language(quick_app: Flask) -> None:
    seen = []
    switches(quick_app).in_query = lambda: seen.append(
        (current_language(), gettext("%(count)s notes"))
    )

    client_of(quick_app).get(LIST, headers={**HTML, **DE})

    assert seen == [("en", "%(count)s notes")]


def test_what_an_action_says_and_refuses_is_in_the_language_of_its_page(quick_app: Flask) -> None:
    client = client_of(quick_app)

    said = client.post("/a/notes/greet", json={"name": "Eva <b>"}, headers=DE).get_json()
    refused = client.get("/q/notes/list/8", headers=DE)

    assert said["message"] == "Hallo, Eva <b>."
    assert problem(refused, 404)["title"]
    assert refused.headers["Content-Language"] == "de"


def test_what_is_not_translated_or_only_guessed_stays_english(quick_app: Flask) -> None:
    client = client_of(quick_app)

    answer = client.post(
        "/a/notes/write_and_refuse".replace("_", "-"), json={"book_id": 7}, headers=DE
    )

    assert problem(answer, 409)["detail"] == "The book is full. Nothing was saved."


def test_a_value_in_a_fragment_is_escaped_and_a_text_is_not(quick_app: Flask) -> None:
    render = quick_app.jinja_env.from_string
    with quick_app.test_request_context(headers=DE):
        one = render("{{ _('Hello, %(name)s.', name=name) }}").render(name="<b>")
        many = render(
            "{% trans count=n, name=name %}{{ count }} of {{ name }}{% pluralize %}"
            "{{ count }} all of {{ name }}, 100%{% endtrans %}"
        )

        assert one == "Hallo, &lt;b&gt;."
        assert many.render(n=1, name="<i>") == "1 of &lt;i&gt;"
        assert many.render(n=2, name="<i>") == "2 all of &lt;i&gt;, 100%"
        assert render("{{ _('50%% of it') }}").render() == "50% of it"


def test_outside_of_requests_it_is_english_until_somebody_says_otherwise(quick_app: Flask) -> None:
    with quick_app.app_context():
        assert gettext("Hello, %(name)s.", name="Eva") == "Hello, Eva."
        with in_language("de"):
            assert gettext("Hello, %(name)s.", name="Eva") == "Hallo, Eva."
            with in_language("en"):
                assert gettext("Hello, %(name)s.", name="Eva") == "Hello, Eva."
            assert current_language() == "de"
        assert ngettext("%(num)s book", "%(num)s books", 2) == "2 books"
        assert ngettext("%(num)s book", "%(num)s books", 1) == "1 book"
        assert current_language() == "en"


def test_a_language_knows_its_name_and_where_its_lines_go(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, languages=("en", "ar", "pt-BR"))

    with app.test_request_context(headers={"Accept-Language": "ar"}):
        assert (current_language(), current_direction()) == ("ar", "rtl")
    with app.test_request_context(headers={"Accept-Language": "pt-BR"}):
        assert (current_language(), current_direction()) == ("pt-BR", "ltr")
    assert [name_of(name) for name in ("de", "pt-BR")] == ["Deutsch", "Português (Brasil)"]


def test_a_build_is_its_translations_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = build_id([notes.plugin])
    catalogue = tmp_path / "translations" / "de" / "LC_MESSAGES" / "messages.po"
    catalogue.parent.mkdir(parents=True)
    monkeypatch.setattr("core.build._ROOT", tmp_path)

    empty = build_id([notes.plugin])
    (tmp_path / "core" / "translations").mkdir(parents=True)
    (tmp_path / "core" / "translations" / "messages.po").write_text('msgid "a"\nmsgstr "b"\n')

    assert len({before, empty, build_id([notes.plugin])}) == 3


def test_the_guard_of_freshness_compares_like_with_like(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, fill=True, freshness="strict")
    runtime = app.extensions["coursewire"]
    runtime.start()
    for language in ("en", "de", "en"):
        client_of(app, VIEWER).get(LIST, headers={**HTML, "Live-Language": language})

    for text in ("a", "b"):
        write(client_of(app), text)
        for language in ("de", "en"):
            client_of(app, VIEWER).get(LIST, headers={**HTML, "Live-Language": language})

    assert runtime.freshness.wait(10)
    assert not list(runtime.freshness.findings)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "999 bytes|37 KB|1.4 GB|22 Nov 2026|22 Nov 2026, 04:05 UTC|12,345|0.50|1:02:03"),
        ("de", "999 Byte|37 KB|1,4 GB|22.11.2026|22.11.2026, 04:05 UTC|12.345|0,50|1:02:03"),
    ],
)
def test_sizes_numbers_and_times_are_written_as_the_language_does(
    quick_app: Flask, language: str, told: str
) -> None:
    point = datetime(2026, 11, 22, 4, 5, tzinfo=UTC)
    template = (
        "{{ 999|filesize }}|{{ 37000|filesize }}|{{ 1400000000|filesize }}|{{ at|when }}|"
        "{{ at|moment }}|{{ 12345|number }}|{{ 0.5|decimal(2) }}|{{ 3723|duration }}"
    )

    with quick_app.app_context(), in_language(language):
        assert quick_app.jinja_env.from_string(template).render(at=point) == told


def test_a_size_keeps_its_order_between_words_that_go_the_other_way(quick_app: Flask) -> None:
    with quick_app.app_context(), in_language("ar"):
        assert filesize(37_000) == "\u206637 KB\u2069"


def test_the_browser_code_finds_its_texts_before_it_needs_them(quick_app: Flask) -> None:
    client = client_of(quick_app)

    page = client.get("/nowhere", headers={**HTML, **DE}).get_data(as_text=True)
    english = client.get("/nowhere", headers=HTML).get_data(as_text=True)

    found = re.search(r'<script type="module" src="(/texts/de\.js\?v=[0-9a-f]{12})">', page)
    assert found is not None
    assert found.start() < page.index('src="/static/live/main.js"')
    assert "/texts/" not in english
    module = client.get(found[1])
    assert module.mimetype == "text/javascript"
    assert module.cache_control.immutable
    assert '"Undo":"Rückgängig"' in module.get_data(as_text=True)
    old = client.get("/texts/de.js?v=0")
    assert old.data == module.data
    assert old.cache_control.no_cache
    assert client.get("/texts/de.js", headers={"If-None-Match": old.headers["ETag"]}).status == (
        "304 NOT MODIFIED"
    )
    problem(client.get("/texts/xx.js", headers=JSON), 404)


def test_a_refusal_that_a_query_made_is_told_in_the_language_of_the_one_who_asks(
    quick_app: Flask,
) -> None:
    answers = [
        client_of(quick_app).get("/q/notes/book/7", headers={"Live-Language": told})
        for told in ("de", "en", "de")
    ]

    assert [problem(answer, 404)["detail"] for answer in answers] == [
        "Dieses Buch ist leer. Vielleicht wurde es inzwischen geleert.",
        "This book is empty. It may have been cleared meanwhile.",
        "Dieses Buch ist leer. Vielleicht wurde es inzwischen geleert.",
    ]
    assert problem(answers[0], 404)["title"] == "Nicht gefunden"


def test_the_command_knows_whose_catalogues_there_are(quick_app: Flask) -> None:
    run = quick_app.test_cli_runner().invoke

    checked = run(args=["plugin", "texts", "core", "--check"])
    behind = run(args=["plugin", "texts", "core", "--check", "--language", "fr"])
    unknown = run(args=["plugin", "texts", "nots"])

    assert checked.exit_code == 0
    assert re.fullmatch(r"core +de: \d+ texts\n", checked.output)
    assert behind.exit_code == 1
    assert "Not up to date: core fr. Run: flask plugin texts" in behind.output
    assert unknown.exit_code == 1
    assert "There is no plugin 'nots' here." in unknown.output
