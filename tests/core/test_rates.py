"""How often one user or network may ask, counted in a worker's own memory."""

from datetime import datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core import Limit, TooMany
from core.clock import Clock, Happening
from core.database import now
from core.rates import Rates
from tests.core.asking import problem
from tests.core.conftest import BOOK, STRANGER, MakeApp, client_of

LIMIT = Limit("door", 2, 60)


class Watch(Clock):
    """A clock that a test sets."""

    time_s = 0.0

    def monotonic(self) -> float:
        return self.time_s

    def now(self) -> datetime:
        return now()

    def sleep(self, duration_s: float) -> None:
        self.time_s += duration_s

    def event(self) -> Happening:
        raise NotImplementedError


def taken(rates: Rates, whom: str, times: int) -> list[bool]:
    found = []
    for _ in range(times):
        try:
            rates.count(LIMIT, whom, "No.")
            found.append(True)
        except TooMany:
            found.append(False)
    return found


def test_above_the_limit_everything_is_refused_until_the_window_ends() -> None:
    watch = Watch()
    rates = Rates(watch)

    assert taken(rates, "ada", 4) == [True, True, False, False]
    watch.sleep(59)
    with pytest.raises(TooMany) as refused:
        rates.count(LIMIT, "ada", "No.")
    watch.sleep(1)

    assert refused.value.fields == {"retry_after_s": 1}
    assert taken(rates, "ada", 1) == [True]


def test_each_is_counted_alone() -> None:
    rates = Rates(Watch())

    assert taken(rates, "ada", 3)[-1] is False
    assert taken(rates, "ben", 1) == [True]


def test_a_crowd_of_senders_does_not_fill_the_memory() -> None:
    rates = Rates(Watch())

    for number in range(50_000):
        rates.count(LIMIT, f"192.0.2.{number}", "No.")

    assert len(rates) <= 20_000


@pytest.fixture
def few(make_app: MakeApp, sqlite_url: str) -> Flask:
    return make_app(sqlite_url, fill=True, actions_per_user=3, searches_per_user=2)


def test_one_who_writes_too_often_waits_and_others_do_not(few: Flask) -> None:
    busy, other = client_of(few), client_of(few, STRANGER)
    greeting = {"json": {"name": "Ada"}}

    answers = [busy.post("/a/notes/greet", **greeting) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert problem(answers[3], 429)["detail"] == (
        "More came from you within a minute than the 3 changes that are taken. Nothing was saved; "
        "wait a minute, then try again."
    )
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 60
    assert other.post("/a/notes/greet", **greeting).status_code == 200


def test_a_form_that_comes_too_often_is_told_in_words(few: Flask) -> None:
    busy = client_of(few)
    for _ in range(3):
        busy.post("/a/notes/greet", json={"name": "Ada"})

    answer = busy.post(
        "/a/notes/greet",
        data={"name": "Ada"},
        headers={"Referer": f"http://localhost/books/{BOOK}"},
    )

    assert (answer.status_code, answer.location) == (303, f"/books/{BOOK}")


def test_a_network_has_a_limit_whoever_signs_in_from_it(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, fill=True, actions_per_address=2, trusted_proxies=1)

    def status(user: int, address: str) -> int:
        headers = {"X-Forwarded-For": address}
        client = client_of(app, user)
        return client.post("/a/notes/greet", json={"name": "A"}, headers=headers).status_code

    assert [status(user, "192.0.2.1") for user in (1, 2, 3)] == [200, 200, 429]
    assert status(3, "192.0.2.2") == 200


def test_searches_are_limited_and_plain_reads_are_not(few: Flask) -> None:
    reader: FlaskClient = client_of(few)
    searches = [reader.get(f"/q/notes/list/{BOOK}?search=word{n}").status_code for n in range(3)]

    assert searches == [200, 200, 429]
    assert [reader.get(f"/q/notes/list/{BOOK}").status_code for _ in range(5)] == [200] * 5
