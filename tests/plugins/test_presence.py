"""Who is there: entries of each tab in Redis, and the events that tell of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

import core.entries
from core import create_app, db
from core.runtime import Runtime
from core.testing import Site
from plugins.presence import people, plugin
from tests.conftest import act, dispose, settings_for
from tests.plugins.story import COURSE, Story
from tests.servers import RedisServer, redis_server, sqlite_copy, wait_until

TAB, OTHER_TAB = "a" * 32, "b" * 32


def say(client: FlaskClient, **said: Any) -> int:
    """What an open page says; the status of the answer."""
    body = {"course_id": COURSE, "tab": TAB, **said}
    headers = {"Accept": "application/json"}
    return client.post("/presence/here", json=body, headers=headers).status_code


def shown(client: FlaskClient) -> list[Any]:
    answer = client.get(f"/q/presence/people/{COURSE}")
    assert answer.status_code == 200
    return [(each["name"], [c["title"] for c in each["chapters"]]) for each in answer.get_json()]


def runtime_of(app: Flask) -> Runtime:
    runtime: Runtime = app.extensions["coursewire"]
    return runtime


def run_round(app: Flask) -> bool:
    runtime_of(app).rounds.run()
    return False


@pytest.fixture
def chapter_id(story: Story) -> int:
    added = act(story.client, "chapters/add", course_id=COURSE, title="Basics")
    return int(added["result"]["id"])


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """The statements that the database is asked meanwhile."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


@contextmanager
def told(app: Flask) -> Iterator[list[str]]:
    """The keys that are published meanwhile."""
    bus = runtime_of(app).bus
    found: list[str] = []
    publish = bus.publish

    def note(notice: Any, **options: Any) -> Any:
        found.extend(notice.keys)
        return publish(notice, **options)

    bus.publish = note  # type: ignore[method-assign]
    try:
        yield found
    finally:
        bus.publish = publish  # type: ignore[method-assign]


KEY = f"presence:people:{COURSE}"


def test_who_opens_a_course_is_seen_there_with_their_chapter(
    app: Flask, owner: FlaskClient, editor: FlaskClient, chapter_id: int
) -> None:
    assert shown(owner) == []

    with told(app) as keys:
        assert say(editor, chapter_id=chapter_id) == 204

    assert keys == [KEY]
    assert shown(owner) == [("Edgar Editor", ["Basics"])]


def test_a_chapter_is_called_what_it_is_called_now(
    owner: FlaskClient, editor: FlaskClient, chapter_id: int
) -> None:
    say(editor, chapter_id=chapter_id)
    title = {"title": "More", "was": {"title": "Basics"}}

    renamed = act(owner, "chapters/rename", chapter_id=chapter_id, **title)

    assert ["presence", "people", COURSE] in renamed["stale"]
    assert shown(owner) == [("Edgar Editor", ["More"])]
    act(owner, "chapters/remove", chapter_id=chapter_id)
    assert shown(owner) == [("Edgar Editor", [])]


def test_a_chapter_of_another_course_is_not_named(
    owner: FlaskClient, editor: FlaskClient, chapter_id: int
) -> None:
    elsewhere = act(owner, "courses/add", title="Another")["result"]["id"]

    editor.post("/presence/here", json={"course_id": elsewhere, "tab": TAB})
    owner.post(
        "/presence/here", json={"course_id": elsewhere, "tab": TAB, "chapter_id": chapter_id}
    )

    assert owner.get(f"/q/presence/people/{elsewhere}").get_json() == [
        {"user_id": 1, "name": "Olive Owner", "chapters": []}
    ]


def test_saying_it_again_tells_nobody_and_asks_the_database_nothing(site: Site) -> None:
    editor = site.client()
    editor.act("accounts/sign-in", email="editor@example.test", password="demo")
    body = {"course_id": COURSE, "tab": TAB}
    editor.http.post("/presence/here", json=body)
    site.settle()

    with told(site.app) as keys, statements(site.app) as asked:
        answer = editor.http.post("/presence/here", json=body)
        assert answer.status_code == 204

    assert keys == []
    # The site's own threads look whether anything is owed.
    assert [each for each in asked if "outbox" not in each and each != "BEGIN"] == []


def test_several_tabs_of_one_person_are_one_person(
    app: Flask, owner: FlaskClient, editor: FlaskClient, chapter_id: int
) -> None:
    say(editor)
    with told(app) as keys:
        say(editor, tab=OTHER_TAB)
    assert keys == []
    assert shown(owner) == [("Edgar Editor", [])]

    say(editor, tab=OTHER_TAB, chapter_id=chapter_id)
    assert shown(owner) == [("Edgar Editor", ["Basics"])]

    say(editor, leaves=True)
    assert shown(owner) == [("Edgar Editor", ["Basics"])]
    with told(app) as keys:
        say(editor, tab=OTHER_TAB, leaves=True)
    assert keys == [KEY]
    assert shown(owner) == []


def test_who_says_nothing_more_is_gone_with_the_next_round(
    app: Flask, owner: FlaskClient, editor: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "TTL_S", 0.05)
    say(editor)
    assert shown(owner) == [("Edgar Editor", [])]

    with told(app) as keys:
        wait_until(lambda: keys or run_round(app), "notice")

    assert keys == [KEY]
    assert shown(owner) == []
    with told(app) as keys:
        runtime_of(app).rounds.run()
    assert keys == []


def test_those_who_learn_and_those_outside_neither_see_nor_are_seen(
    owner: FlaskClient, viewer: FlaskClient, anonymous: FlaskClient
) -> None:
    assert say(viewer) == 404
    assert say(anonymous) == 401
    assert viewer.get(f"/q/presence/people/{COURSE}").status_code == 404
    assert anonymous.get(f"/q/presence/people/{COURSE}").status_code == 401
    assert shown(owner) == []
    assert "presence" not in viewer.get(f"/courses/{COURSE}").text


def test_who_leaves_the_team_is_not_shown_any_more(owner: FlaskClient, editor: FlaskClient) -> None:
    say(editor)
    assert shown(owner) == [("Edgar Editor", [])]
    members = owner.get(f"/q/courses/members/{COURSE}").get_json()
    (user_id,) = (each["user_id"] for each in members if each["name"] == "Edgar Editor")

    act(owner, "courses/remove-member", course_id=COURSE, user_id=user_id)

    assert shown(owner) == []


def test_staff_is_shown_without_being_a_member(app: Flask, owner: FlaskClient) -> None:
    say(signed_in(app, "admin"))

    assert [name for name, _ in shown(owner)] == ["Ada Admin"]


@pytest.mark.parametrize(
    "said",
    [{"tab": "<b>"}, {"course_id": 0}, {"chapter_id": "x"}, {"more": 1}, {"tab": "a" * 2000}],
)
def test_what_no_page_says_is_refused(editor: FlaskClient, said: dict[str, Any]) -> None:
    assert say(editor, **said) in (400, 413)


def test_a_page_that_says_it_all_the_time_is_refused_for_a_minute(editor: FlaskClient) -> None:
    answers = [say(editor) for _ in range(121)]

    assert set(answers[:120]) == {204}
    assert answers[120] == 429


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server("valkey") as server:
        yield server


@pytest.fixture
def own(filled_sqlite: Path, tmp_path: Path, server: RedisServer) -> Iterator[Flask]:
    """An app whose Redis may be killed."""
    settings = settings_for(sqlite_copy(filled_sqlite, tmp_path), server.url, tmp_path / "var")
    app = create_app(settings)
    yield app
    app.extensions["coursewire"].stop()
    dispose(app)


def signed_in(app: Flask, role: str) -> FlaskClient:
    client = app.test_client()
    act(client, "accounts/sign-in", email=f"{role}@example.test", password="demo")
    return client


def test_while_redis_is_away_nobody_is_shown_and_nothing_fails(
    own: Flask, server: RedisServer
) -> None:
    owner, editor = signed_in(own, "owner"), signed_in(own, "editor")
    say(editor)
    assert shown(owner) == [("Edgar Editor", [])]

    server.kill()

    assert shown(owner) == []
    assert say(editor) == 204
    assert owner.get(f"/courses/{COURSE}/edit").status_code == 200
    runtime_of(own).rounds.run()


def test_what_was_shown_while_redis_did_not_answer_is_told_anew(
    own: Flask, server: RedisServer
) -> None:
    owner, editor = signed_in(own, "owner"), signed_in(own, "editor")
    say(editor)
    server.freeze()
    assert shown(owner) == []

    server.thaw()

    with told(own) as keys:
        wait_until(lambda: keys or run_round(own), "notice")
    assert set(keys) == {KEY}
    assert shown(owner) == [("Edgar Editor", [])]
    with told(own) as keys:
        runtime_of(own).rounds.run()
    assert keys == []


def test_what_whoever_changed_it_did_not_tell_a_round_tells(
    app: Flask, editor: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.entries, "_TELL_WITHIN_S", 0.05)
    with app.app_context():
        plugin.entries.put(str(COURSE), "2:x", people.Presence(2, "E", None).encode(), 60)

    with told(app) as keys:
        wait_until(lambda: keys or run_round(app), "notice")

    assert keys == [KEY]
    with told(app) as keys:
        say(editor)
        runtime_of(app).rounds.run()
    assert keys == [KEY], "a change that was told is told once"


def test_no_freshness_guard_takes_somebody_who_left_for_a_mistake(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "TTL_S", 0.01)
    owner, editor = site.client(), site.client()
    for client, role in ((owner, "owner"), (editor, "editor")):
        client.act("accounts/sign-in", email=f"{role}@example.test", password="demo")
    added = owner.act("chapters/add", course_id=COURSE, title="Basics")
    body = {"course_id": COURSE, "tab": TAB, "chapter_id": added["id"]}
    assert editor.http.post("/presence/here", data=json.dumps(body)).status_code == 204
    before = owner.read(KEY)
    assert [each["name"] for each in before] == ["Edgar Editor"]

    # Its time is over, and no round has come: a write of a table that the query reads.
    owner.act("chapters/add", course_id=COURSE, title="More")

    assert owner.read(KEY) == before
    site.settle()
    assert site.runtime.freshness.report().findings == ()
