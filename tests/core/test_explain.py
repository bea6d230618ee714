"""Why a notice names what it names: what it carries, and what a worker notes of it."""

import json
from threading import Thread
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from core.bus import Notice
from core.explain.traces import Traces
from core.explain.why import BY_NAME, Named, Why, both_looks
from core.stamps import Stamp
from tests.conftest import act
from tests.core.asking import problem
from tests.core.conftest import BOOK, SHELF, MakeApp, client_of, runtime_of
from tests.core.listening import Listening, listening_here
from tests.servers import wait_until

WRITTEN = Notice(("notes:list:7",), "note-written", "t1", at=100.0)

texts = st.text(max_size=30)
rules = st.builds(
    Named,
    texts,
    texts,
    st.lists(texts, max_size=3).map(tuple),
    st.lists(texts, max_size=3).map(tuple),
)


@given(
    st.builds(
        Why,
        texts,
        st.none() | st.integers(),
        st.just(1.5),
        st.booleans(),
        st.lists(rules).map(tuple),
    )
)
def test_what_a_notice_carries_of_its_origin_comes_back(why: Why) -> None:
    assert Why.decode(why.encode()) == Why(
        why.by, why.row, why.sent, why.swept, why.named[:50], max(0, len(why.named) - 50)
    )


def test_a_rule_that_names_thousands_of_keys_makes_no_long_notice() -> None:
    many = tuple(f"notes:list:{number}" for number in range(10_000))

    why = Why("x", named=tuple(Named(f"owner {n}", BY_NAME, many) for n in range(200)))

    assert len(why.encode()) < 30_000
    assert Why.decode(why.encode()).more == 150


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"named": [1]}', '{"sent": "soon"}'])
def test_what_cannot_be_understood_explains_nothing_and_breaks_nothing(text: str) -> None:
    assert Why.decode(text) == Why()


def test_what_only_the_second_look_saw_is_told_apart() -> None:
    first = [Named("a.list", "in_code", ("a:list:1",)), Named("b.list", BY_NAME, ("b:list:1",))]
    second = [
        Named("a.list", "in_code", ("a:list:1", "a:list:2")),
        Named("c.list", "others", ("c:list:1",)),
    ]

    assert both_looks(first, second) == (
        Named("a.list", "in_code", ("a:list:1",), ("a:list:2",)),
        Named("b.list", BY_NAME, ("b:list:1",)),
        Named("c.list", "others", (), ("c:list:1",)),
    )


def test_a_rule_that_named_nothing_is_left_out() -> None:
    assert both_looks([Named("a.list", "in_code", ())], []) == ()


def test_a_worker_remembers_the_last_notices_and_no_more() -> None:
    traces = Traces(most=3)
    for number in range(1, 6):
        traces.heard(Notice((), "x", f"t{number % 2}"), Stamp("g", number))

    assert [told.stamp.sequence for told in traces] == [5, 4, 3]
    assert [told.stamp.sequence for told in traces.of("t1")] == [3, 5]
    assert [told.stamp.sequence for told in traces.since(4)] == [5]


def test_an_action_is_traced_from_its_event_to_the_browsers(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, fill=True, inspector="open")
    runtime = runtime_of(app)
    runtime.start()
    wait_until(lambda: runtime.hub.settled, "hub")
    client = client_of(app)
    stream = listening_here(client, f"key=notes:list:{BOOK}")
    stream.next("hello")

    written = act(client, "notes/write", book_id=BOOK, text="A note")
    frame = stream.next("stale")

    wait_until(lambda: next(iter(runtime.hub.traces)).written is not None, "frame written")
    hang_up(app, stream)
    (notice,) = told(client, frame.data["trace"])
    assert 0 <= frame.data["age_ms"] < 60_000
    assert notice["cause"] == "note-written"
    assert notice["by"] == "action 'notes.write'"
    assert notice["stamp"] == frame.id == written["stamp"]
    assert notice["keys"] == [f"notes:list:{BOOK}"]
    assert notice["named"] == [
        {"by": "notes.list", "how": "by name", "keys": [f"notes:list:{BOOK}"], "later": []},
        {"by": "notes.list+count", "how": "by name", "keys": [f"notes:list:{BOOK}"], "later": []},
    ]
    assert notice["streams"] == 1
    assert notice["row"] is not None
    assert not notice["swept"]
    assert notice["committed"] <= notice["published"] <= notice["heard"] <= notice["written"], (
        notice
    )


def test_what_a_function_answered_stands_under_its_name(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, fill=True, inspector="open")
    runtime = runtime_of(app)
    runtime.start()
    wait_until(lambda: runtime.hub.settled, "hub")
    client = client_of(app)

    act(client, "notes/move-shelf", shelf_id=SHELF)
    wait_until(lambda: "shelf-moved" in causes(app), "notice")

    (notice,) = [n for n in all_told(client) if n["cause"] == "shelf-moved"]
    assert notice["named"] == [
        {"by": "notes.list", "how": "books_on", "keys": [f"notes:list:{BOOK}"], "later": []}
    ]
    assert notice["written"] is None, "nobody watches"


def test_what_the_sweeper_publishes_says_so_and_ages_from_the_commit(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, fill=True, inspector="open", outbox_age_s=0.001)
    runtime = runtime_of(app)
    client = client_of(app)
    runtime.relay.publish_now = lambda work, owed: None  # type: ignore[method-assign]  # killed
    act(client, "notes/move-shelf", shelf_id=SHELF)

    runtime.start()

    wait_until(lambda: "shelf-moved" in causes(app), "notice of the sweeper")
    (notice,) = [n for n in all_told(client) if n["cause"] == "shelf-moved"]
    assert notice["swept"]
    assert notice["by"] == ""
    assert notice["committed"] < notice["published"]
    assert [rule["how"] for rule in notice["named"]] == ["books_on"]


def test_a_notice_of_another_release_explains_nothing_and_is_heard(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, fill=True, inspector="open")
    runtime = runtime_of(app)
    runtime.start()
    wait_until(lambda: runtime.hub.settled, "hub")
    client = client_of(app)
    stream = listening_here(client, f"key=notes:list:{BOOK}")
    stream.next("hello")

    runtime.bus.publish(Notice((f"notes:list:{BOOK}",), "refresh", "console"))

    assert "age_ms" not in stream.next("stale").data
    hang_up(app, stream)
    (notice,) = told(client, "console")
    assert notice["committed"] is None
    assert notice["named"] == []


@pytest.mark.parametrize("path", ["map", "traces", "traces/x", "why?trace=x&key=y:z", "findings"])
@pytest.mark.parametrize(
    ("inspector", "user", "open_to_them"),
    [("open", 1, True), ("open", None, False), ("staff", 1, False), ("off", 1, False)],
)
def test_for_whoever_may_not_look_there_is_nothing(
    make_app: MakeApp,
    sqlite_url: str,
    path: str,
    inspector: str,
    user: int | None,
    open_to_them: bool,
) -> None:
    client = client_of(make_app(sqlite_url, fill=True, inspector=inspector), user)

    answer = client.get(f"/live/{path}")

    missing = client.get("/live/nowhere")
    if open_to_them and path != "traces/x":
        assert answer.status_code == 200
    elif not open_to_them:
        assert problem(answer, 404) == problem(missing, 404)


@pytest.mark.parametrize("query", ["", "?trace=x", "?key=notes:list:7", "?trace=&key="])
def test_a_question_without_a_trace_and_a_key_is_told_how_to_ask(
    make_app: MakeApp, sqlite_url: str, query: str
) -> None:
    client = client_of(make_app(sqlite_url, inspector="open"))

    assert "/live/why?trace=" in problem(client.get(f"/live/why{query}"), 400)["detail"]


@pytest.mark.parametrize("since", ["x", "-1", "9" * 19])
def test_since_is_a_number(make_app: MakeApp, sqlite_url: str, since: str) -> None:
    client = client_of(make_app(sqlite_url, inspector="open"))

    problem(client.get(f"/live/traces?since={since}"), 400)
    problem(client.get(f"/live/traces?most={since}"), 400)


def test_the_newest_ones_are_enough_for_who_says_so(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, inspector="open")
    traces = runtime_of(app).hub.traces
    for number in range(1, 6):
        traces.heard(Notice(("notes:list:7",), "x", f"t{number}"), Stamp("a" * 12, number))

    answer = client_of(app).get("/live/traces?since=1&most=2").get_json()

    assert [each["trace"] for each in answer["traces"]] == ["t5", "t4"]


def test_of_an_action_with_two_events_one_notice_can_be_asked_about(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, inspector="open")
    traces = runtime_of(app).hub.traces
    for number, key in enumerate(["notes:list:7", "notes:list:8"]):
        traces.heard(Notice((key,), "note-written", "t1"), Stamp("a" * 12, number))

    def why(**more: str) -> Any:
        query = {"trace": "t1", "key": "notes:list:8", **more}
        return client_of(app).get("/live/why", query_string=query).get_json()["reason"]

    assert why().startswith("This notice named notes:list:8")
    assert why(stamp=f"{'a' * 12}-0").startswith("This notice (NoteWritten) named notes:list:7;")


def test_the_map_names_every_event_and_who_hears_it(make_app: MakeApp, sqlite_url: str) -> None:
    client = client_of(make_app(sqlite_url, inspector="open"))

    chart = client.get("/live/map").get_json()

    moved = next(event for event in chart["events"] if event["event"] == "ShelfMoved")
    assert moved["fields"] == ["shelf_id"]
    assert moved["reactions"] == ["notes.dust"]
    assert [(h["owner"], h["how"]) for h in moved["hearers"]] == [("notes.list", "books_on")]
    assert set(chart["screens"]) == {"notes.list", "notes.books", "notes.book", "notes.echo"}


def hang_up(app: Flask, stream: Listening) -> None:
    runtime_of(app).drain()
    stream.rest()


def told(client: FlaskClient, trace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/live/traces/{trace}").get_json()["notices"]
    return found


def all_told(client: FlaskClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/live/traces").get_json()["traces"]
    return found


def causes(app: Flask) -> set[str]:
    return {each.notice.cause for each in runtime_of(app).hub.traces}


def invoke(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["live", *words])


def test_the_map_on_the_command_line(quick_app: Flask) -> None:
    shown = invoke(quick_app, "map")

    assert shown.exit_code == 0
    assert shown.output == (
        "notes\n"
        "  NoteWritten(book_id, note_id)   note-written\n"
        "    → notes.list         by name\n"
        "    → notes.list+count   by name\n"
        "    ⇢ notes.count_words   a reaction, after the commit\n"
        "    ⇢ notes.index   a reaction, after the commit\n"
        "  BookLent(book_id, user_id)   book-lent\n"
        "    → notes.books               by name\n"
        "    → notes.book                by name\n"
        "    → guard notes.book_access   by name\n"
        "  ShelfMoved(shelf_id)   shelf-moved\n"
        "    → notes.list   books_on()\n"
        "    ⇢ notes.dust   a reaction, after the commit\n"
    )


def test_an_event_that_nobody_declares_is_answered_with_those_that_look_like_it(
    quick_app: Flask,
) -> None:
    shown = invoke(quick_app, "explain", "note-writen")

    assert shown.exit_code == 1
    assert "No enabled plugin declares the event “note-writen”. Did you mean note-written" in (
        shown.output
    )


@pytest.mark.parametrize("name", ["shelf-moved", "ShelfMoved"])
def test_an_event_is_explained_by_either_name(quick_app: Flask, name: str) -> None:
    shown = invoke(quick_app, "explain", name)

    assert shown.exit_code == 0
    assert "    → notes.list   books_on()\n" in shown.output
    assert "No screen of the enabled plugins shows what it makes stale." in shown.output


def test_the_check_warns_and_fails_only_when_it_is_told_to(quick_app: Flask) -> None:
    shown = invoke(quick_app, "check")
    strict = invoke(quick_app, "check", "--strict")

    assert shown.exit_code == 0
    assert "warning: Nothing shows notes.list: no template has a region of it" in shown.output
    assert "3 events, 6 rules, 4 namespaces (1 constant), 3 warnings." in shown.output
    assert strict.exit_code == 1


def test_tail_follows_what_is_published(quick_app: Flask) -> None:
    results: list[Result] = []
    follower = Thread(
        target=lambda: results.append(
            invoke(quick_app, "tail", "--key", f"notes:list:{BOOK}", "--count", "1")
        )
    )
    follower.start()
    bus = runtime_of(quick_app).bus
    wait_until(lambda: dict(bus.client.pubsub_numsub(bus.channel))[bus.channel] == 1, "follower")

    bus.publish(Notice(("notes:list:8",), "refresh", "console"))
    act(client_of(quick_app), "notes/write", book_id=BOOK, text="A note")
    follower.join(20)

    (result,) = results
    assert result.exit_code == 0, result.output
    assert "notes:list:8" not in result.output
    line = next(line for line in result.output.splitlines() if "note-written" in line)
    assert f"notes:list:{BOOK}   by action 'notes.write'" in line
    assert "ms after the commit" in line
    assert f"notes.list, by name: notes:list:{BOOK}" in result.output


def test_the_frame_of_a_notice_is_the_json_of_its_keys_and_its_age() -> None:
    body = json.loads(WRITTEN.encode())

    assert body == {"keys": ["notes:list:7"], "cause": "note-written", "trace": "t1", "at": 100.0}
