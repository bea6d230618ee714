"""A glance tells what a session would, for a twelfth of the cost."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import bindparam, exists, literal, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from core import now
from core.database import UtcDateTime, db
from core.glance import Glance
from core.outbox import OutboxEvent
from tests.core.test_relay import crash_after_commit, written

MOMENT = bindparam("moment", type_=UtcDateTime())
LATER, EARLIER = timedelta(minutes=1), timedelta(minutes=-1)


def test_a_glance_tells_what_the_database_says_now(notes_app: Flask) -> None:
    due = Glance(select(exists().where(OutboxEvent.due_at <= MOMENT), literal(7)))
    with notes_app.app_context():
        before = due.one(db.engine, {"moment": now() + LATER})
        crash_after_commit(notes_app, written(1))

        told = [due.one(db.engine, {"moment": now() + after}) for after in (LATER, EARLIER)]

    assert [before, *told] == [(False, 7), (True, 7), (False, 7)]


def test_a_glance_that_fails_says_so_like_a_session_and_holds_no_connection(
    notes_app: Flask,
) -> None:
    wrong = Glance(select(text("nothing FROM nowhere")))
    with notes_app.app_context():
        for _ in range(10):
            with pytest.raises(DBAPIError, match="nowhere"):
                wrong.one(db.engine, {})

        pool = db.engine.pool
        assert isinstance(pool, QueuePool)
        assert pool.checkedout() == 0
