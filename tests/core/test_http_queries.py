"""Queries over HTTP: what is answered, to whom, and what becomes of garbage."""

import threading
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from core.database import writing
from core.stamps import Stamp
from tests.core import notes
from tests.core.asking import HTML, LIST, problem, write
from tests.core.conftest import (
    BOOK,
    MakeApp,
    client_of,
    runtime_of,
)
from tests.core.notes import switches


def test_a_query_answers_its_result_with_parts_stamp_key_and_tag(
    quick_app: Flask, owner: FlaskClient
) -> None:
    stamp = write(owner, "a")["stamp"]

    response = owner.get(LIST)

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.get_json() == {"book_id": BOOK, "notes": ["a"], "page": 1, "count": 1}
    assert response.headers["Live-Key"] == f"notes:list:{BOOK}"
    assert response.headers["Live-Stamp"] == stamp
    assert response.headers["Live-Access"] == "edit"
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert response.headers["Vary"] == "Accept, Cookie, Accept-Language, Live-Language"
    assert response.headers["ETag"].startswith('"')


def test_what_did_not_change_is_304_with_its_stamp(owner: FlaskClient) -> None:
    first = owner.get(LIST)

    again = owner.get(LIST, headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert again.data == b""
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Live-Stamp"] == first.headers["Live-Stamp"]
    assert again.headers["Live-Key"] == first.headers["Live-Key"]


def test_what_changed_is_sent_and_has_another_tag(owner: FlaskClient) -> None:
    first = owner.get(LIST)
    write(owner, "a")

    again = owner.get(LIST, headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 200
    assert again.headers["ETag"] != first.headers["ETag"]


def test_the_tag_is_a_hash_of_the_body_and_of_nothing_else(
    owner: FlaskClient, viewer: FlaskClient
) -> None:
    before = owner.get(LIST)
    owner.post("/a/notes/lend", json={"book_id": 8, "user_id": 3, "access": 1})

    assert owner.get(LIST).headers["ETag"] == before.headers["ETag"]
    assert viewer.get(LIST).headers["ETag"] == before.headers["ETag"]
    assert owner.get(LIST, headers=HTML).headers["ETag"] != before.headers["ETag"]


def test_a_fragment_is_told_what_may_be_done_and_never_who_asks(
    owner: FlaskClient, viewer: FlaskClient
) -> None:
    write(owner, "<b>&")

    edit, view = owner.get(LIST, headers=HTML), viewer.get(LIST, headers=HTML)

    assert edit.content_type == "text/html; charset=utf-8"
    assert edit.headers["Live-Access"] == "edit"
    assert view.headers["Live-Access"] == "view"
    assert edit.text.splitlines() == [
        "<ul><li>&lt;b&gt;&amp;</li></ul>",
        '<form method="post" action="/a/notes/write"></form><p>1 notes</p>',
    ]
    assert view.text.splitlines() == ["<ul><li>&lt;b&gt;&amp;</li></ul>", "<p>1 notes</p>"]
    assert edit.headers["Live-Stamp"] == view.headers["Live-Stamp"]


def test_a_query_without_a_template_has_no_fragment(owner: FlaskClient) -> None:
    body = problem(owner.get("/q/notes/books/1", headers=HTML), 400)

    assert body["detail"] == "notes.books has no HTML fragment. Accept application/json."


def test_an_answer_reaches_the_floor_that_it_was_asked_for(owner: FlaskClient) -> None:
    floor = Stamp.parse(write(owner, "a")["stamp"])

    response = owner.get(LIST, headers={"Live-Floor": str(floor)})

    assert response.status_code == 200
    assert Stamp.parse(response.headers["Live-Stamp"]).reaches(floor)


def test_a_floor_above_redis_itself_is_refused(quick_app: Flask, owner: FlaskClient) -> None:
    now = runtime_of(quick_app).bus.stamp()
    floor = Stamp(now.generation, now.sequence + 1)

    body = problem(owner.get(LIST, headers={"Live-Floor": str(floor)}), 400)

    assert body["detail"] == (
        f"Live-Floor {floor} is above the newest stamp, {now}. Send one you were given."
    )


def test_a_floor_of_a_lost_generation_asks_for_nothing(
    quick_app: Flask, owner: FlaskClient
) -> None:
    response = owner.get(LIST, headers={"Live-Floor": "000000000000-999"})

    assert response.status_code == 200
    assert response.headers["Live-Stamp"] == str(runtime_of(quick_app).bus.stamp())


@pytest.mark.parametrize("floor", ["garbage", "bypass", "000000000000", "000000000000--1"])
def test_a_floor_that_is_no_stamp_is_refused(owner: FlaskClient, floor: str) -> None:
    body = problem(owner.get(LIST, headers={"Live-Floor": floor}), 400)

    assert body["detail"].startswith(f"“{floor}” is not a stamp.")


def test_a_floor_never_becomes_the_stamp_of_an_answer(owner: FlaskClient) -> None:
    behind = Stamp.parse(owner.get(LIST).headers["Live-Stamp"])
    write(owner, "a")

    stamp = Stamp.parse(owner.get(LIST, headers={"Live-Floor": str(behind)}).headers["Live-Stamp"])

    assert stamp.sequence == behind.sequence + 1


def test_without_redis_a_query_is_answered_without_a_stamp(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, fill=True, redis_url="unix:///nonexistent")

    response = client_of(app).get(LIST, headers={"Live-Floor": "000000000000-5"})

    assert response.status_code == 200
    assert "Live-Stamp" not in response.headers


def test_options_stand_in_the_key_and_defaults_do_not(owner: FlaskClient) -> None:
    response = owner.get(f"{LIST}?page=2&search=%C3%A9+%26&starred=true")

    assert response.status_code == 200
    assert response.headers["Live-Key"] == (
        f"notes:list:{BOOK}:" + quote('{"page":2,"search":"é &","starred":true}', safe="")
    )


@pytest.mark.parametrize(
    ("asked", "canonical"),
    [
        ("?page=1", ""),
        ("?sort=old&page=2", "?page=2"),
        ("?search=a&page=2", "?page=2&search=a"),
        ("?starred=True", "?starred=true"),
        ("?starred=false", ""),
        ("?search=", ""),
    ],
)
def test_another_spelling_of_options_is_redirected_to_the_canonical_one(
    owner: FlaskClient, asked: str, canonical: str
) -> None:
    response = owner.get(f"{LIST}{asked}")

    assert response.status_code == 308
    assert response.headers["Location"] == f"{LIST}{canonical}"
    assert owner.get(f"{LIST}{canonical}").status_code == 200


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/7?colour=red", "notes.list has no option “colour”."),
        ("/7?page=2&page=3", "The option “page” was sent 2 times. Send it once."),
        ("/7?page=two", "“two” is no value of the option “page”."),
        ("/7?page=02", "“02” is no value of the option “page”."),
        ("/7?page=", "“” is no value of the option “page”."),
        (
            "/7?page=99999999999999999999",
            "“99999999999999999999” is no value of the option “page”.",
        ),
        ("/7?sort=random", "“random” is no value of the option “sort”."),
        ("/7?starred=perhaps", "“perhaps” is no value of the option “starred”."),
        ("", "notes.list takes 1 path segments, got 0."),
        ("/7/8", "notes.list takes 1 path segments, got 2."),
        ("/seven", "“/q/notes/list/seven” is not a key: “book_id” is not spelled right."),
        ("/07", "“/q/notes/list/07” is not a key: “book_id” is not spelled right."),
        ("/7.0", "“/q/notes/list/7.0” is not a key: “book_id” is not spelled right."),
        ("/+7", "“/q/notes/list/+7” is not a key: “book_id” is not spelled right."),
        (
            "/99999999999",
            "“/q/notes/list/99999999999” is not a key: “book_id” is not spelled right.",
        ),
        ("/%00", "“/q/notes/list/\x00” is not a key: “book_id” is not spelled right."),
        (f"/7?search={'a' * 1100}", None),
    ],
)
def test_a_path_that_is_no_key_is_refused(
    owner: FlaskClient, path: str, detail: str | None
) -> None:
    body = problem(owner.get(f"/q/notes/list{path}"), 400)

    assert detail is None or body["detail"] == detail


def test_a_segment_may_hold_anything_and_stays_one_segment(nobody: FlaskClient) -> None:
    word = "a/b:c?d%e é\u2028"

    response = nobody.get(f"/q/notes/echo/{quote(word, safe='')}/7")

    assert response.get_json() == [word, 7]
    assert response.headers["Live-Key"] == f"notes:echo:{quote(word, safe='')}:7"


def test_the_users_own_key_may_be_asked_for_without_the_number(owner: FlaskClient) -> None:
    mine, short = owner.get("/q/notes/books/1"), owner.get("/q/notes/books")

    assert mine.get_json() == [BOOK]
    assert short.status_code == 200
    assert short.get_json() == [BOOK]
    assert short.headers["Live-Key"] == mine.headers["Live-Key"] == "notes:books:1"


def test_what_is_forbidden_and_what_is_not_there_answer_alike(
    owner: FlaskClient, stranger: FlaskClient
) -> None:
    answers = [
        problem(stranger.get(LIST), 404),
        problem(stranger.get("/q/notes/list/4711"), 404),
        problem(owner.get("/q/notes/books/2"), 404),
        problem(owner.get("/q/notes/books/4711"), 404),
    ]

    assert {answer["detail"] for answer in answers} == {
        "There is nothing here, or you may not see it."
    }


def test_a_query_may_say_itself_that_its_row_is_gone(owner: FlaskClient) -> None:
    body = problem(owner.get(f"/q/notes/book/{BOOK}"), 404)

    assert body["detail"] == "This book is empty. It may have been cleared meanwhile."


def test_nobody_is_asked_to_sign_in(nobody: FlaskClient) -> None:
    for path in (LIST, "/q/notes/list/4711", "/q/notes/books", "/q/notes/books/1"):
        assert problem(nobody.get(path), 401)["detail"] == "Sign in to see this."


@pytest.mark.parametrize("path", ["/q/notes/lists", "/q/no/list", "/q/notes", "/q/"])
def test_a_namespace_that_does_not_exist_is_a_404(owner: FlaskClient, path: str) -> None:
    problem(owner.get(path), 404)


def test_a_query_reads_in_a_transaction_begun_after_its_stamp(
    quick_app: Flask, owner: FlaskClient
) -> None:
    """A write between the stamp and the read is shown, and the older stamp is told."""
    before = runtime_of(quick_app).bus.stamp()

    def write_meanwhile() -> None:
        switches(quick_app).in_query = lambda: None
        with quick_app.app_context(), writing() as session:
            session.execute(insert(notes.note).values(book_id=BOOK, text="meanwhile"))
        runtime_of(quick_app).bus.reset("test", "")

    def in_a_thread() -> None:
        thread = threading.Thread(target=write_meanwhile)
        thread.start()
        thread.join()

    switches(quick_app).in_query = in_a_thread

    response = owner.get(LIST)

    assert response.headers["Live-Stamp"] == str(before)
    assert runtime_of(quick_app).bus.stamp().sequence == before.sequence + 1
