"""The relay: what is owed is published and reacted to, whatever died in between."""

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import delete, insert, select, update

from core import now, reading
from core.database import writing
from core.outbox import OutboxEvent, OutboxReaction
from core.transactions import Work, write_outbox
from tests.core import notes
from tests.core.conftest import BOOK, SHELF, MakeApp, client_of, runtime_of
from tests.core.notes import switches
from tests.core.test_transactions import rows
from tests.servers import RedisServer, wait_until

LONG_AGO = timedelta(hours=1)


def crash_after_commit(app: Flask, *events: Any) -> None:
    """Commit what emits *events*, and die before the publication."""
    with app.app_context(), writing() as session:
        write_outbox(session, runtime_of(app), Work(events=list(events)))


def make_due(app: Flask, model: type[Any] = OutboxEvent) -> None:
    """Let the time pass that a row has to wait for."""
    with app.app_context(), writing() as session:
        session.execute(update(model).values(due_at=now() - LONG_AGO))


def sweep(app: Flask) -> int:
    with app.app_context():
        return runtime_of(app).relay.sweep()


def react(app: Flask) -> int:
    """Run what is due, and wait for it; returns how many ran."""
    count = 0
    with app.app_context():
        while runs := runtime_of(app).relay.react():
            count += len(runs)
            for run in runs:
                run.join()
    return count


def reacted(app: Flask) -> list[tuple[str, int]]:
    with app.app_context(), reading() as session:
        columns = select(notes.seen.c.reaction, notes.seen.c.note_id).order_by(notes.seen.c.id)
        return [(reaction, note_id) for reaction, note_id in session.execute(columns)]


def written(number: int, book_id: int = BOOK) -> notes.NoteWritten:
    return notes.NoteWritten(book_id=book_id, note_id=number)


def published(app: Flask) -> dict[str, int]:
    return runtime_of(app).bus.snapshot().versions


def test_a_crash_between_commit_and_publication_loses_nothing(notes_app: Flask) -> None:
    crash_after_commit(notes_app, written(1), notes.ShelfMoved(shelf_id=SHELF), written(2, 8))
    assert published(notes_app) == {}
    make_due(notes_app)

    assert sweep(notes_app) == 3

    assert set(published(notes_app)) == {f"notes:list:{BOOK}", "notes:list:8"}
    assert rows(notes_app) == []


def test_a_row_belongs_to_who_wrote_it_until_it_is_old_enough(
    make_app: MakeApp, database_url: str
) -> None:
    app = make_app(database_url, fill=True, outbox_age_s=60)
    crash_after_commit(app, written(1))

    assert sweep(app) == 0
    assert len(rows(app)) == 1

    make_due(app)
    assert sweep(app) == 1


def test_the_sweeper_names_what_the_database_says_now(notes_app: Flask) -> None:
    crash_after_commit(notes_app, notes.ShelfMoved(shelf_id=SHELF))
    with notes_app.app_context(), writing() as session:
        session.execute(insert(notes.shelf).values(shelf_id=SHELF, book_id=8))
    make_due(notes_app)

    sweep(notes_app)

    assert set(published(notes_app)) == {f"notes:list:{BOOK}", "notes:list:8"}


def test_rows_that_became_visible_out_of_order_are_found_too(
    make_app: MakeApp, only_postgresql_url: str
) -> None:
    """The first identifier commits last::

    slow    BEGIN ── row 1 ──────────────────────────── COMMIT
    quick           BEGIN ── row 2 ── COMMIT ── swept ────────── swept
    """
    app = make_app(only_postgresql_url, fill=True)
    with app.app_context(), writing() as session:
        write_outbox(session, runtime_of(app), Work(events=[written(1)]))
        quick = threading.Thread(target=lambda: crash_after_commit(app, written(2, 8)))
        quick.start()
        quick.join()
        sweeper = threading.Thread(target=lambda: sweep_what_is_not_locked(app))
        sweeper.start()
        sweeper.join()
        assert set(published(app)) == {"notes:list:8"}
    make_due(app)

    assert sweep(app) == 1
    assert set(published(app)) == {"notes:list:8", f"notes:list:{BOOK}"}


def sweep_what_is_not_locked(app: Flask) -> None:
    make_due_but_locked(app)
    sweep(app)


def make_due_but_locked(app: Flask) -> None:
    """`make_due` for the rows that can be seen: others are not waited for."""
    with app.app_context(), writing() as session:
        due = select(OutboxEvent.id).with_for_update(skip_locked=True)
        session.execute(
            update(OutboxEvent)
            .where(OutboxEvent.id.in_(session.scalars(due).all()))
            .values(due_at=now() - LONG_AGO)
        )


def test_while_redis_is_away_nothing_is_claimed_or_lost(
    make_app: MakeApp, database_url: str, own_redis: RedisServer
) -> None:
    app = make_app(database_url, fill=True, redis_url=own_redis.url)
    crash_after_commit(app, written(1))
    make_due(app)
    own_redis.kill()

    assert sweep(app) == 0
    assert sweep(app) == 0

    own_redis.start()
    assert sweep(app) == 1
    assert rows(app) == []


def test_a_row_whose_event_no_release_knows_any_more_is_published_as_it_was(
    notes_app: Flask,
) -> None:
    with notes_app.app_context(), writing() as session:
        for event, payload in (("book-burnt", {"x": 1}), ("note-written", {"old": "shape"})):
            session.add(
                OutboxEvent(
                    event=event, payload=payload, keys=["notes:list:9"], trace="t", due_at=now()
                )
            )

    assert sweep(notes_app) == 2

    assert published(notes_app) == {"notes:list:9": runtime_of(notes_app).bus.stamp().sequence}


@pytest.fixture
def poisoned(notes_app: Flask) -> Flask:
    """An app whose outbox holds one row that cannot be published, between two that can."""
    crash_after_commit(notes_app, written(1), notes.ShelfMoved(shelf_id=SHELF), written(2, 8))

    def fail() -> None:
        raise RuntimeError("this shelf is poison")

    switches(notes_app).in_code = fail
    make_due(notes_app)
    return notes_app


def test_a_poison_row_does_not_stop_the_others(poisoned: Flask) -> None:
    assert sweep(poisoned) == 2

    assert set(published(poisoned)) == {f"notes:list:{BOOK}", "notes:list:8"}
    (row,) = rows(poisoned)
    assert (row.event, row.attempts, row.parked_at) == ("shelf-moved", 1, None)
    assert row.error == "this shelf is poison"


def test_a_poison_row_is_parked_after_a_reset_was_published_in_its_place(poisoned: Flask) -> None:
    bus = runtime_of(poisoned).bus
    for _ in range(4):
        sweep(poisoned)
        make_due(poisoned)
    assert bus.snapshot().horizon == 0

    sweep(poisoned)

    (row,) = rows(poisoned)
    assert row.parked_at is not None
    snapshot = bus.snapshot()
    assert snapshot.horizon == snapshot.stamp.sequence
    assert snapshot.versions == {}

    make_due(poisoned)
    sweep(poisoned)
    assert bus.stamp() == snapshot.stamp, "a parked row is not touched again"


def test_a_poison_row_is_not_parked_while_redis_cannot_be_told(
    make_app: MakeApp, sqlite_url: str, own_redis: RedisServer
) -> None:
    app = make_app(sqlite_url, fill=True, redis_url=own_redis.url)
    crash_after_commit(app, notes.ShelfMoved(shelf_id=SHELF))
    looks: list[int] = []

    def fail_and_lose_redis() -> None:
        looks.append(1)
        if len(looks) == 5:
            own_redis.kill()
        raise RuntimeError("poison")

    switches(app).in_code = fail_and_lose_redis
    for _ in range(5):
        make_due(app)
        sweep(app)
    assert rows(app)[0].parked_at is None

    own_redis.start()
    make_due(app)
    sweep(app)

    assert rows(app)[0].parked_at is not None
    assert runtime_of(app).bus.snapshot().horizon == 1


def test_a_publication_that_redis_itself_refuses_is_parked_and_a_reset_mends_it(
    quick_app: Flask,
) -> None:
    bus = runtime_of(quick_app).bus
    bus.client.set(f"{{{bus.settings.redis_prefix}}}:versions", "no sorted set")
    crash_after_commit(quick_app, written(1))

    for _ in range(5):
        make_due(quick_app)
        sweep(quick_app)

    (row,) = rows(quick_app)
    assert row.parked_at is not None
    assert "WRONGTYPE" in row.error
    crash_after_commit(quick_app, written(2))
    make_due(quick_app)
    assert sweep(quick_app) == 1


def test_one_round_of_the_sweeper_publishes_all_that_is_owed(quick_app: Flask) -> None:
    crash_after_commit(quick_app, *(written(n, n) for n in range(1, 251)))
    make_due(quick_app)

    assert sweep(quick_app) == 250
    assert rows(quick_app) == []
    assert len(published(quick_app)) == 250


def test_two_sweepers_at_once_publish_everything_and_leave_nothing(
    make_app: MakeApp, database_url: str
) -> None:
    apps = [make_app(database_url, fill=True), make_app(database_url)]
    crash_after_commit(apps[0], *(written(n, n) for n in range(1, 31)))
    make_due(apps[0])

    sweepers = [threading.Thread(target=sweep, args=(app,)) for app in apps]
    for sweeper in sweepers:
        sweeper.start()
    for sweeper in sweepers:
        sweeper.join()

    assert set(published(apps[0])) == {f"notes:list:{n}" for n in range(1, 31)}
    assert rows(apps[0]) == []


def test_a_claimed_row_is_left_alone_by_the_other_sweeper(
    make_app: MakeApp, database_url: str
) -> None:
    app, other = make_app(database_url, fill=True), make_app(database_url)
    crash_after_commit(app, notes.ShelfMoved(shelf_id=SHELF))
    make_due(app)
    swept_meanwhile: list[int] = []

    def sweep_elsewhere() -> None:
        switches(app).in_code = lambda: None
        thread = threading.Thread(target=lambda: swept_meanwhile.append(sweep(other)))
        thread.start()
        thread.join()

    switches(app).in_code = sweep_elsewhere

    assert sweep(app) == 1
    assert swept_meanwhile == [0]


def test_reactions_run_after_the_commit_each_once(notes_app: Flask) -> None:
    answer = client_of(notes_app).post("/a/notes/write", json={"book_id": BOOK, "text": "a"})
    note_id = answer.get_json()["result"]["note_id"]
    assert reacted(notes_app) == []

    assert react(notes_app) == 2
    assert react(notes_app) == 0

    assert sorted(reacted(notes_app)) == [("count_words", note_id), ("index", note_id)]
    assert rows(notes_app, OutboxReaction) == []


def test_a_reaction_that_raises_leaves_nothing_stops_no_other_and_is_tried_again(
    notes_app: Flask,
) -> None:
    switches(notes_app).failing.add("count_words")
    crash_after_commit(notes_app, written(1))

    assert react(notes_app) == 2

    assert reacted(notes_app) == [("index", 1)]
    (row,) = rows(notes_app, OutboxReaction)
    assert (row.reaction, row.attempts) == ("notes.count_words", 1)
    assert row.error == "RuntimeError: count_words fails"
    assert react(notes_app) == 0, "it waits"

    switches(notes_app).failing.clear()
    make_due(notes_app, OutboxReaction)
    assert react(notes_app) == 1
    assert reacted(notes_app) == [("index", 1), ("count_words", 1)]
    assert rows(notes_app, OutboxReaction) == []


def test_a_reaction_waits_longer_after_every_failure_and_is_parked_in_the_end(
    notes_app: Flask,
) -> None:
    switches(notes_app).failing.update(("count_words", "index"))
    crash_after_commit(notes_app, written(1))
    waits_s: list[float] = []

    for _ in range(12):
        react(notes_app)
        row = rows(notes_app, OutboxReaction)[0]
        waits_s.append((row.due_at - now()).total_seconds())
        make_due(notes_app, OutboxReaction)

    expected = [min(2.0**attempt, 600) for attempt in range(1, 13)]
    assert all(e - 2 < wait <= e for wait, e in zip(waits_s, expected, strict=True))
    assert [row.attempts for row in rows(notes_app, OutboxReaction)] == [12, 12]
    assert all(row.parked_at for row in rows(notes_app, OutboxReaction))
    assert react(notes_app) == 0


def test_a_reaction_that_no_plugin_has_any_more_is_parked_with_the_reason(
    notes_app: Flask,
) -> None:
    with notes_app.app_context(), writing() as session:
        session.add(
            OutboxReaction(reaction="notes.burn", event="note-written", payload={}, trace="t")
        )

    react(notes_app)

    (row,) = rows(notes_app, OutboxReaction)
    assert row.parked_at is not None
    assert row.error == ("No enabled plugin has this reaction, or its event has another shape.")


def test_a_reaction_may_emit_and_is_published_like_an_action(notes_app: Flask) -> None:
    crash_after_commit(notes_app, notes.ShelfMoved(shelf_id=SHELF))

    assert react(notes_app) == 1

    assert "access:1" in published(notes_app)
    assert [row.event for row in rows(notes_app)] == ["shelf-moved"]


def test_a_reaction_carries_the_trace_of_what_it_reacts_to(notes_app: Flask) -> None:
    crash_after_commit(notes_app, notes.ShelfMoved(shelf_id=SHELF))
    (first,) = rows(notes_app)
    bus = runtime_of(notes_app).bus
    client = bus.connect(timeout_s=None, single=True)
    with client.pubsub() as pubsub:
        pubsub.subscribe(bus.channel)
        pubsub.get_message(timeout=10)

        react(notes_app)

        assert f'"trace":"{first.trace}"' in pubsub.get_message(timeout=10)["data"]
    client.close()
    client.connection_pool.disconnect()


def test_a_reaction_whose_worker_died_after_the_claim_runs_again(
    make_app: MakeApp, database_url: str
) -> None:
    app, other = make_app(database_url, fill=True), make_app(database_url)
    crash_after_commit(app, written(1))
    with app.app_context(), writing() as session:
        claim = update(OutboxReaction).values(attempts=1, due_at=now() + timedelta(seconds=60))
        session.execute(claim)

    assert react(other) == 0
    make_due(other, OutboxReaction)

    assert react(other) == 2
    assert sorted(reacted(app)) == [("count_words", 1), ("index", 1)]


def test_two_workers_react_once_where_none_of_them_dies(
    make_app: MakeApp, database_url: str
) -> None:
    apps = [make_app(database_url, fill=True), make_app(database_url)]
    crash_after_commit(apps[0], *(written(n) for n in range(1, 4)))

    threads = [threading.Thread(target=lambda a=app: [react(a) for _ in range(3)]) for app in apps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(reacted(apps[0])) == sorted(
        (reaction, n) for reaction in ("count_words", "index") for n in range(1, 4)
    )


@pytest.fixture
def sweeping_app(make_app: MakeApp, database_url: str) -> Flask:
    """An app with its hub and its sweeper running, both quick."""
    app = make_app(database_url, fill=True, outbox_age_s=0.01, sweep_s=0.02, heartbeat_s=0.05)
    runtime_of(app).start()
    return app


def settled(app: Flask) -> bool:
    return not rows(app) and not rows(app, OutboxReaction)


def test_the_sweeper_of_a_worker_publishes_and_reacts_by_itself(sweeping_app: Flask) -> None:
    crash_after_commit(sweeping_app, written(1))

    wait_until(lambda: settled(sweeping_app), "empty outbox")

    assert published(sweeping_app) == {
        f"notes:list:{BOOK}": runtime_of(sweeping_app).bus.stamp().sequence
    }
    assert sorted(reacted(sweeping_app)) == [("count_words", 1), ("index", 1)]


def test_the_sweeper_outlives_the_loss_of_its_database_connections(
    make_app: MakeApp, only_postgresql_url: str
) -> None:
    app = make_app(
        only_postgresql_url, fill=True, outbox_age_s=0.01, sweep_s=0.02, heartbeat_s=0.05
    )
    runtime_of(app).start()
    crash_after_commit(app, written(1))
    wait_until(lambda: settled(app), "empty outbox")

    url = only_postgresql_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    crash_after_commit(app, written(2, 8))
    wait_until(lambda: settled(app), "empty outbox")
    assert "notes:list:8" in published(app)


def test_a_slow_reaction_holds_up_neither_publications_nor_writes_nor_other_reactions(
    make_app: MakeApp, database_url: str, request: pytest.FixtureRequest
) -> None:
    app = make_app(database_url, fill=True, outbox_age_s=0.01, sweep_s=0.02)
    gate, running = threading.Event(), threading.Semaphore(0)
    request.addfinalizer(gate.set)

    def wait_at_the_gate() -> None:
        running.release()
        gate.wait(30)

    switches(app).in_reaction = wait_at_the_gate
    runtime_of(app).start()
    crash_after_commit(app, *(written(n) for n in range(1, 9)))
    assert running.acquire(timeout=30)

    crash_after_commit(app, notes.BookLent(book_id=9, user_id=9))
    read = client_of(app).get(f"/q/notes/list/{BOOK}")
    write = client_of(app).post("/a/notes/write", json={"book_id": BOOK, "text": "meanwhile"})

    assert [read.status_code, write.status_code] == [200, 200]
    wait_until(lambda: "access:9" in published(app), "publication", 10)
    wait_until(lambda: len(reacted(app)) == 9, "end of the other reactions", 10)
    assert {reaction for reaction, _ in reacted(app)} == {"index"}
    assert not running.acquire(blocking=False), "the slow one takes one slot"
    gate.set()
    wait_until(lambda: settled(app), "empty outbox")
    assert len(reacted(app)) == 18


def test_a_reaction_that_kills_its_process_each_time_is_parked(quick_app: Flask) -> None:
    crash_after_commit(quick_app, written(1))
    with quick_app.app_context(), writing() as session:
        session.execute(
            update(OutboxReaction)
            .where(OutboxReaction.reaction == "notes.count_words")
            .values(attempts=12)
        )

    for _ in range(2):
        react(quick_app)

    (row,) = rows(quick_app, OutboxReaction)
    assert row.parked_at is not None
    assert row.error == "Its process ended each time it ran, 12 times."
    assert reacted(quick_app) == [("index", 1)]


def test_stopping_a_worker_waits_for_the_round_at_hand_and_no_longer(sweeping_app: Flask) -> None:
    crash_after_commit(sweeping_app, written(1))

    runtime_of(sweeping_app).stop()

    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("coursewire-")]


def test_the_id_of_a_published_row_is_never_given_again(quick_app: Flask) -> None:
    with quick_app.app_context():
        ids = []
        for _ in range(2):
            with writing() as session:
                row = OutboxEvent(event="e", payload={}, keys=[], trace="", due_at=now())
                session.add(row)
                session.flush()
                ids.append(row.id)
            with writing() as session:
                session.execute(delete(OutboxEvent))

    assert ids[0] != ids[1]
