"""Write transactions: what was emitted is owed if, and only if, it is committed."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, event, func, insert, select, update

from core import CoursewireError, Event, db, emit, now, reading, say, transaction
from core.database import writing
from core.outbox import ActionAnswer, OutboxEvent, OutboxReaction
from core.stamps import Stamp
from tests.core import notes
from tests.core.conftest import (
    BOOK,
    OWNER,
    SHELF,
    VIEWER,
    MakeApp,
    client_of,
    runtime_of,
)
from tests.servers import RedisServer

BOUND_S = 2.0
"""What an action may take while Redis is away: far above the timeout, far below all patience."""


def texts(app: Flask) -> list[str]:
    with app.app_context(), reading() as session:
        return list(session.scalars(select(notes.note.c.text).order_by(notes.note.c.id)))


def rows(app: Flask, model: type[Any] = OutboxEvent) -> list[Any]:
    with app.app_context(), reading() as session:
        found = list(session.scalars(select(model).order_by(model.id)))
        session.expunge_all()
        return found


def count(app: Flask, model: type[Any]) -> int:
    with app.app_context(), reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def write(client: FlaskClient, text: str, **headers: str) -> Any:
    return client.post(
        "/a/notes/write",
        json={"book_id": BOOK, "text": text},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def test_a_committed_action_is_published_and_no_longer_owed(notes_app: Flask) -> None:
    bus = runtime_of(notes_app).bus
    before = bus.stamp()

    answer = write(client_of(notes_app), "a").get_json()

    assert texts(notes_app) == ["a"]
    assert answer["stamp"] == str(Stamp(before.generation, before.sequence + 1))
    assert answer["stale"] == [["notes", "list", BOOK]]
    assert bus.stamp() == Stamp.parse(answer["stamp"])
    assert bus.snapshot().versions == {f"notes:list:{BOOK}": before.sequence + 1}
    assert rows(notes_app) == []
    assert [row.reaction for row in rows(notes_app, OutboxReaction)] == [
        "notes.count_words",
        "notes.index",
    ]


@pytest.mark.parametrize("action", ["write-and-refuse", "write-and-break"])
def test_a_rolled_back_action_publishes_nothing(notes_app: Flask, action: str) -> None:
    bus = runtime_of(notes_app).bus
    before = bus.stamp()

    response = client_of(notes_app).post(f"/a/notes/{action}", json={"book_id": BOOK})

    assert response.status_code == (409 if "refuse" in action else 500)
    assert texts(notes_app) == []
    assert rows(notes_app) == []
    assert rows(notes_app, OutboxReaction) == []
    assert bus.stamp() == before


def test_a_transaction_that_raises_leaves_no_work_behind(quick_app: Flask) -> None:
    def write_and_raise() -> None:
        with transaction():
            emit(notes.NoteWritten(book_id=BOOK, note_id=1))
            raise ZeroDivisionError

    with quick_app.app_context():
        with pytest.raises(ZeroDivisionError):
            write_and_raise()

        with transaction() as work:
            emit(notes.NoteWritten(book_id=BOOK, note_id=2))

    assert work.stamp is not None
    assert [event.note_id for event in work.events if isinstance(event, notes.NoteWritten)] == [2]


def test_the_rows_are_committed_with_the_data_and_not_before(notes_app: Flask) -> None:
    seen_inside: list[tuple[int, int]] = []
    seen_outside: list[tuple[int, int]] = []

    def look_from_outside() -> None:
        seen_outside.append((count(notes_app, OutboxEvent), len(texts(notes_app))))

    def look() -> None:
        found = db.session.scalar(select(func.count()).select_from(OutboxEvent))
        seen_inside.append((found or 0, len(db.session.execute(select(notes.note)).all())))
        other = threading.Thread(target=look_from_outside)
        other.start()
        other.join()

    with notes_app.app_context(), transaction() as work:
        notes.write(BOOK, "a")
        work.before_commit = look

    assert seen_inside == [(1, 1)]
    assert seen_outside == [(0, 0)]
    assert texts(notes_app) == ["a"]


def test_whoever_hears_the_notice_sees_the_data(notes_app: Flask) -> None:
    bus = runtime_of(notes_app).bus
    client = bus.connect(timeout_s=None, single=True)
    seen: list[list[str]] = []

    with client.pubsub() as pubsub:
        pubsub.subscribe(bus.channel)
        pubsub.get_message(timeout=10)

        def listen() -> None:
            assert pubsub.get_message(timeout=10) is not None
            seen.append(texts(notes_app))

        listener = threading.Thread(target=listen)
        listener.start()
        write(client_of(notes_app), "a")
        listener.join()
    client.close()
    client.connection_pool.disconnect()

    assert seen == [["a"]]


def test_an_event_answered_in_code_names_what_the_database_says(notes_app: Flask) -> None:
    answer = client_of(notes_app).post("/a/notes/move-shelf", json={"shelf_id": SHELF}).get_json()

    assert answer["stale"] == [["notes", "list", BOOK]]


def test_several_events_of_one_transaction_are_told_in_their_order(notes_app: Flask) -> None:
    with notes_app.app_context(), transaction() as work:
        emit(notes.NoteWritten(book_id=1, note_id=1))
        emit(notes.NoteWritten(book_id=2, note_id=2))
        emit(notes.NoteWritten(book_id=1, note_id=3))

    assert work.stale == ("notes:list:1", "notes:list:2")
    assert work.stamp is not None
    assert runtime_of(notes_app).bus.snapshot().versions == {
        "notes:list:1": work.stamp.sequence,
        "notes:list:2": work.stamp.sequence - 1,
    }


def test_an_action_that_emits_nothing_answers_the_stamp_of_now(quick_app: Flask) -> None:
    written = write(client_of(quick_app), "a").get_json()

    answer = client_of(quick_app, VIEWER).post("/a/notes/look", json={"book_id": BOOK}).get_json()

    assert answer["stale"] == []
    assert answer["stamp"] == written["stamp"]


def test_a_link_committed_during_a_rename_is_seen_by_the_second_look(
    make_app: MakeApp, only_postgresql_url: str
) -> None:
    """Two real transactions::

    move the shelf   BEGIN ── which books? 7 ───────────────── COMMIT ── which books? 7, 8
    place book 8              BEGIN ── place ── COMMIT
    """
    app = make_app(only_postgresql_url, fill=True)

    def place_book_8() -> None:
        with app.app_context(), writing() as session:
            session.execute(insert(notes.shelf).values(shelf_id=SHELF, book_id=8))

    def meanwhile() -> None:
        assert rows_in_this_transaction() == [[f"notes:list:{BOOK}"]]
        other = threading.Thread(target=place_book_8)
        other.start()
        other.join()

    def rows_in_this_transaction() -> list[list[str]]:
        return list(db.session.scalars(select(OutboxEvent.keys)))

    with app.app_context(), transaction() as work:
        emit(notes.ShelfMoved(shelf_id=SHELF))
        work.before_commit = meanwhile

    assert set(work.stale) == {f"notes:list:{BOOK}", "notes:list:8"}
    assert set(runtime_of(app).bus.snapshot().versions) == {f"notes:list:{BOOK}", "notes:list:8"}


def test_a_second_look_that_fails_leaves_the_row_to_the_sweeper(notes_app: Flask) -> None:
    looks: list[int] = []

    def fail_the_second_time() -> None:
        looks.append(1)
        if len(looks) > 1:
            raise RuntimeError("the second look fails")

    notes.switches(notes_app).in_code = fail_the_second_time

    response = client_of(notes_app).post("/a/notes/move-shelf", json={"shelf_id": SHELF})

    assert response.status_code == 200
    assert response.get_json()["stamp"] is None
    assert [row.event for row in rows(notes_app)] == ["shelf-moved"]


def test_a_handler_that_fails_inside_the_transaction_rolls_it_back(notes_app: Flask) -> None:
    def fail() -> None:
        raise RuntimeError("the handler fails")

    notes.switches(notes_app).in_code = fail

    response = client_of(notes_app).post("/a/notes/move-shelf", json={"shelf_id": SHELF})

    assert response.status_code == 500
    assert rows(notes_app) == []


@pytest.mark.parametrize("answer", ["7", 7, (7, 8), ("seven",), (None,), [7.5]])
def test_a_handler_cannot_name_what_is_no_key_of_its_query(quick_app: Flask, answer: Any) -> None:
    with pytest.raises(TypeError) as caught:
        notes.notes_list.prefix_text(answer)

    assert str(caught.value) == (
        f"{answer!r} begins no key of notes.list; that takes a tuple (book_id)"
    )


def test_a_handler_may_name_the_whole_namespace() -> None:
    assert notes.notes_list.prefix_text(()) == "notes:list"
    assert notes.notes_list.prefix_text((7,)) == "notes:list:7"


class Undeclared(Event):
    book_id: int


def test_words_of_a_transaction_are_refused_outside_of_one(quick_app: Flask) -> None:
    with quick_app.app_context():
        with pytest.raises(CoursewireError) as emitted:
            emit(notes.NoteWritten(book_id=1, note_id=1))
        with pytest.raises(CoursewireError) as said:
            say("Hello.")

    where = "Call it in an action, or inside `with transaction():`."
    assert str(emitted.value) == (
        f"emit(NoteWritten) was called outside a write transaction. {where}"
    )
    assert str(said.value) == f"say() was called outside a write transaction. {where}"


def test_an_event_that_no_plugin_declares_cannot_be_emitted(quick_app: Flask) -> None:
    with quick_app.app_context(), pytest.raises(CoursewireError) as caught, transaction():
        emit(Undeclared(book_id=1))

    assert str(caught.value) == (
        "Undeclared is declared by no enabled plugin. Put @plugin.event before the class."
    )


def test_transactions_do_not_nest(quick_app: Flask) -> None:
    with (
        quick_app.app_context(),
        transaction(),
        pytest.raises(CoursewireError, match="A write transaction is open already; use that one"),
        transaction(),
    ):
        pass


def test_a_read_of_its_own_inside_a_write_is_refused_and_loses_nothing(notes_app: Flask) -> None:
    with notes_app.app_context(), transaction():
        notes.write(BOOK, "a")
        with pytest.raises(CoursewireError, match="A read of its own cannot begin"), reading():
            pass

    assert texts(notes_app) == ["a"]


@pytest.fixture(params=["gone", "frozen"])
def redis_away(request: pytest.FixtureRequest, own_redis: RedisServer) -> Iterator[RedisServer]:
    """A Redis that dies, or hangs, once the test says ``leave``."""
    own_redis.leave = own_redis.kill if request.param == "gone" else own_redis.freeze  # type: ignore[attr-defined]
    own_redis.back = own_redis.start if request.param == "gone" else own_redis.thaw  # type: ignore[attr-defined]
    yield own_redis
    if request.param == "frozen":
        own_redis.thaw()


def test_while_redis_is_away_an_action_succeeds_in_bounded_time(
    make_app: MakeApp, database_url: str, redis_away: Any
) -> None:
    app = make_app(database_url, fill=True, redis_url=redis_away.url)
    client = client_of(app)
    assert write(client, "before").get_json()["stamp"] is not None

    redis_away.leave()
    begun = time.monotonic()
    first = write(client, "first")
    second = write(client, "second")
    took_s = time.monotonic() - begun

    assert [first.status_code, second.status_code] == [200, 200]
    assert first.get_json()["stamp"] is second.get_json()["stamp"] is None
    assert first.get_json()["stale"] == [["notes", "list", BOOK]]
    assert first.headers["Set-Cookie"].startswith("live_floor=bypass;")
    assert took_s < BOUND_S
    assert texts(app) == ["before", "first", "second"]
    assert len(rows(app)) == 2

    read = client.get(f"/q/notes/list/{BOOK}")
    assert read.status_code == 200
    assert read.get_json()["notes"] == ["before", "first", "second"]
    assert "Live-Stamp" not in read.headers


def test_once_redis_is_back_the_sweeper_publishes_what_is_owed(
    make_app: MakeApp, database_url: str, redis_away: Any
) -> None:
    app = make_app(database_url, fill=True, redis_url=redis_away.url, outbox_age_s=0.001)
    relay, bus = runtime_of(app).relay, runtime_of(app).bus
    bus.stamp()
    redis_away.leave()
    write(client_of(app), "a")
    with app.app_context():
        assert relay.sweep() == 0
    assert len(rows(app)) == 1

    redis_away.back()

    with app.app_context():
        assert relay.sweep() == 1
    assert rows(app) == []
    assert bus.snapshot().versions == {f"notes:list:{BOOK}": bus.stamp().sequence}


def replayed(answer: Any) -> dict[str, Any]:
    """An answer without its stamp, which is that of the moment."""
    return {name: value for name, value in answer.get_json().items() if name != "stamp"}


def test_the_same_request_again_gets_the_same_answer_and_does_nothing(notes_app: Flask) -> None:
    client = client_of(notes_app)

    first = write(client, "a", Idempotency_Key="k1")
    again = write(client, "a", Idempotency_Key="k1")

    assert first.status_code == again.status_code == 200
    assert replayed(first) == replayed(again)
    assert again.get_json()["message"] == "“a” was written."
    assert Stamp.parse(again.get_json()["stamp"]).reaches(Stamp.parse(first.get_json()["stamp"]))
    assert texts(notes_app) == ["a"]
    assert len(rows(notes_app, OutboxReaction)) == 2


def test_another_request_under_the_same_key_is_refused(notes_app: Flask) -> None:
    client = client_of(notes_app)
    write(client, "a", Idempotency_Key="k1")

    other = write(client, "b", Idempotency_Key="k1")

    assert other.status_code == 422
    assert other.get_json()["detail"] == (
        "This Idempotency-Key was used for another request. Use a new one for each."
    )
    assert texts(notes_app) == ["a"]


def test_another_action_under_the_same_key_is_refused(notes_app: Flask) -> None:
    client = client_of(notes_app)
    client.post("/a/notes/look", json={"book_id": BOOK}, headers={"Idempotency-Key": "k"})

    other = client.post(
        "/a/notes/write-and-break", json={"book_id": BOOK}, headers={"Idempotency-Key": "k"}
    )

    assert other.status_code == 422


def test_the_keys_of_two_users_are_two_keys(notes_app: Flask) -> None:
    look = {"json": {"book_id": BOOK}, "headers": {"Idempotency-Key": "k1"}}
    write(client_of(notes_app), "a", Idempotency_Key="k1")

    answer = client_of(notes_app, VIEWER).post("/a/notes/look", **look)

    assert answer.status_code == 200
    assert answer.get_json()["result"] == BOOK


def test_a_request_that_was_refused_may_be_sent_again(notes_app: Flask) -> None:
    client = client_of(notes_app)
    body = {"json": {"book_id": BOOK}, "headers": {"Idempotency-Key": "k1"}}
    assert client.post("/a/notes/write-and-refuse", **body).status_code == 409

    again = client.post("/a/notes/write-and-refuse", **body)

    assert again.status_code == 409
    assert rows(notes_app, ActionAnswer) == []


@pytest.mark.parametrize("key", ["", "k" * 129])
def test_a_key_of_no_or_too_great_length_is_refused(quick_app: Flask, key: str) -> None:
    response = write(client_of(quick_app), "a", Idempotency_Key=key)

    assert response.status_code == 422
    assert response.get_json()["detail"] == "Idempotency-Key must have 1 to 128 characters."
    assert texts(quick_app) == []


def test_the_same_request_many_times_at_once_runs_once(notes_app: Flask) -> None:
    clients = [client_of(notes_app) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda c: write(c, "a", Idempotency_Key="k1"), clients))

    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({str(replayed(answer)) for answer in answers}) == 1
    assert texts(notes_app) == ["a"]


def test_a_conflict_of_the_actions_own_is_not_taken_for_a_repetition(notes_app: Flask) -> None:
    client = client_of(notes_app)
    write(client, "a")

    response = write(client, "a", Idempotency_Key="k1")

    assert response.status_code == 409
    assert response.get_json()["detail"] == (
        "Somebody else changed this at the same moment. Nothing was saved; try again."
    )
    assert texts(notes_app) == ["a"]


def test_a_repetition_while_the_first_is_not_published_says_so(
    make_app: MakeApp, sqlite_url: str, own_redis: RedisServer
) -> None:
    app = make_app(sqlite_url, fill=True, redis_url=own_redis.url)
    client = client_of(app)
    own_redis.kill()
    write(client, "a", Idempotency_Key="k1")

    again = write(client, "a", Idempotency_Key="k1")

    assert again.status_code == 200
    assert again.get_json()["stamp"] is None
    assert again.get_json()["stale"] == [["notes", "list", BOOK]]


def test_kept_answers_are_forgotten_after_a_day(notes_app: Flask) -> None:
    client = client_of(notes_app)
    write(client, "a", Idempotency_Key="old")
    write(client, "b", Idempotency_Key="new")
    with notes_app.app_context(), writing() as session:
        session.execute(
            update(ActionAnswer)
            .where(ActionAnswer.idempotency_key == "old")
            .values(created_at=now().replace(year=2020))
        )

    with notes_app.app_context():
        runtime_of(notes_app).relay.forget_answers()

    assert [row.idempotency_key for row in rows(notes_app, ActionAnswer)] == ["new"]
    assert {row.user_id for row in rows(notes_app, ActionAnswer)} == {OWNER}


def test_a_connection_that_dies_while_it_commits_is_answered_with_what_is_known(
    make_app: MakeApp, only_postgresql_url: str
) -> None:
    """The server is told to commit; its answer never comes."""
    app = make_app(only_postgresql_url, fill=True)
    with app.app_context():
        engine = db.engine

    def cut(connection: Connection) -> None:
        pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
        with psycopg.connect(only_postgresql_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])

    event.listen(engine, "commit", cut)
    response = write(client_of(app), "a")
    event.remove(engine, "commit", cut)

    assert response.status_code == 503
    assert response.get_json()["detail"] == (
        "The database stopped answering while it saved this. It may be saved or not: look before "
        "you send it again."
    )
    assert write(client_of(app), "b").status_code == 200
