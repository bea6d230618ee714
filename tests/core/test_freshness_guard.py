"""The guard at work: late answers, waste, budgets, and what it must not do."""

from contextvars import Context

from flask import Flask
from sqlalchemy import insert, select

from core.database import db, writing
from core.freshness.budget import Budget
from core.freshness.findings import MissedInvalidation
from tests.core import notes
from tests.core.asking import LIST, write
from tests.core.conftest import BOOK, OWNER, VIEWER, MakeApp, client_of, runtime_of
from tests.servers import wait_until


def started(make_app: MakeApp, url: str, mode: str) -> Flask:
    app = make_app(url, fill=True, freshness=mode, heartbeat_s=0.1)
    runtime_of(app).start()
    wait_until(lambda: runtime_of(app).hub.settled, "hub")
    return app


def test_an_answer_that_was_read_while_a_write_committed_is_judged_too(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = started(make_app, sqlite_url, "strict")
    guard = runtime_of(app).freshness

    def elsewhere() -> None:
        with app.app_context(), writing() as session:
            session.execute(insert(notes.note).values(book_id=BOOK, text="unnamed"))

    def meanwhile() -> None:
        notes.switches(app).in_query = lambda: None
        db.session.scalars(select(notes.note.c.id)).all()  # SQLite's snapshot is of now
        Context().run(elsewhere)

    notes.switches(app).in_query = meanwhile
    assert client_of(app).get(LIST).get_json()["notes"] == []

    wait_until(lambda: guard.findings, "finding")
    (found,) = guard.findings
    assert isinstance(found, MissedInvalidation)
    assert (found.by, found.key) == ("a write outside any action", f"notes:list:{BOOK}")


def test_what_was_named_for_nothing_is_counted(make_app: MakeApp, sqlite_url: str) -> None:
    app = started(make_app, sqlite_url, "heal")
    client = client_of(app, OWNER)

    def lend(access: int) -> None:
        body = {"book_id": 8, "user_id": OWNER, "access": access}
        stamp = client.post("/a/notes/lend", json=body).get_json()["stamp"]
        floor = {"Live-Floor": stamp}
        client.get("/q/notes/books", headers=floor, follow_redirects=True)

    client.get("/q/notes/books", follow_redirects=True)
    for access in (1, 2, 2):
        lend(access)

    waste = runtime_of(app).freshness.report().waste
    assert waste["book-lent", "notes.books"] == (3, 2)


def test_a_correct_write_is_no_finding(make_app: MakeApp, sqlite_url: str) -> None:
    app = started(make_app, sqlite_url, "strict")
    client = client_of(app)
    for user in (OWNER, VIEWER):
        client_of(app, user).get(LIST)
        client_of(app, user).get("/q/notes/books", follow_redirects=True)

    for number in range(5):
        write(client, f"note {number}")
        client.get(LIST)

    guard = runtime_of(app).freshness
    assert guard.wait(20)
    assert list(guard.findings) == []


def test_its_thread_ends_with_the_worker(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, fill=True, freshness="strict")
    runtime_of(app).start()
    thread = runtime_of(app).freshness._inquiry._thread
    assert thread is not None

    runtime_of(app).stop()

    assert not thread.is_alive()


def test_a_budget_asks_for_rest_in_proportion() -> None:
    moments = iter([0.0, 0.0, 0.0, 1.25, 1.25, 51.25])
    budget = Budget(0.02, clock=lambda: next(moments))
    assert budget.rest_s == 0

    with budget.spending():
        pass

    assert budget.rest_s > 45
    assert budget.rest_s == 0
    assert budget.spent_s == 1.25


def test_a_whole_share_never_rests() -> None:
    moments = iter([0.0, 0.0, 100.0, 100.0])
    budget = Budget(1.0, clock=lambda: next(moments))

    with budget.spending():
        pass

    assert budget.rest_s == 0
