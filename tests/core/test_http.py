"""The HTTP surface: what is answered, to whom, and what becomes of garbage."""

import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from sqlalchemy import insert, select, text
from werkzeug.test import TestResponse

from core import Settings, create_app, db, reading
from core.database import writing
from core.stamps import Stamp
from tests.conftest import dispose, settings_for
from tests.core import notes
from tests.core.conftest import (
    BOOK,
    OWNER,
    STRANGER,
    VIEWER,
    MakeApp,
    client_of,
    runtime_of,
)
from tests.core.notes import switches
from tests.servers import RedisServer

LIST = f"/q/notes/list/{BOOK}"
HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}


@pytest.fixture
def app(quick_app: Flask) -> Flask:
    return quick_app


@pytest.fixture
def owner(app: Flask) -> FlaskClient:
    return client_of(app, OWNER)


@pytest.fixture
def viewer(app: Flask) -> FlaskClient:
    return client_of(app, VIEWER)


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    return client_of(app, STRANGER)


@pytest.fixture
def nobody(app: Flask) -> FlaskClient:
    return client_of(app, None)


def write(client: FlaskClient, text: str) -> Any:
    response = client.post("/a/notes/write", json={"book_id": BOOK, "text": text})
    assert response.status_code == 200
    return response.get_json()


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    """The problem of *response*, whose shape is checked (RFC 9457)."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    body: dict[str, Any] = json.loads(response.data)
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in response.get_data(as_text=True)
    return body


# Queries


def test_a_query_answers_its_result_with_parts_stamp_key_and_tag(
    app: Flask, owner: FlaskClient
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
    assert response.headers["Vary"] == "Accept, Cookie"
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


def test_a_floor_above_redis_itself_is_refused(app: Flask, owner: FlaskClient) -> None:
    now = runtime_of(app).bus.stamp()
    floor = Stamp(now.generation, now.sequence + 1)

    body = problem(owner.get(LIST, headers={"Live-Floor": str(floor)}), 400)

    assert body["detail"] == (
        f"Live-Floor {floor} is above the newest stamp, {now}. Send one you were given."
    )


def test_a_floor_of_a_lost_generation_asks_for_nothing(app: Flask, owner: FlaskClient) -> None:
    response = owner.get(LIST, headers={"Live-Floor": "000000000000-999"})

    assert response.status_code == 200
    assert response.headers["Live-Stamp"] == str(runtime_of(app).bus.stamp())


@pytest.mark.parametrize("floor", ["garbage", "bypass", "000000000000", "000000000000--1"])
def test_a_floor_that_is_no_stamp_is_refused(owner: FlaskClient, floor: str) -> None:
    body = problem(owner.get(LIST, headers={"Live-Floor": floor}), 400)

    assert body["detail"].startswith(f"“{floor}” is not a stamp.")


def test_a_floor_never_becomes_the_stamp_of_an_answer(
    app: Flask, make_app: MakeApp, sqlite_url: str, owner: FlaskClient
) -> None:
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
    app: Flask, owner: FlaskClient
) -> None:
    """A write between the stamp and the read is shown, and the older stamp is told."""
    before = runtime_of(app).bus.stamp()

    def write_meanwhile() -> None:
        switches(app).in_query = lambda: None
        with app.app_context(), writing() as session:
            session.execute(insert(notes.note).values(book_id=BOOK, text="meanwhile"))
        runtime_of(app).bus.reset("test", "")

    def in_a_thread() -> None:
        import threading

        thread = threading.Thread(target=write_meanwhile)
        thread.start()
        thread.join()

    switches(app).in_query = in_a_thread

    response = owner.get(LIST)

    assert response.headers["Live-Stamp"] == str(before)
    assert runtime_of(app).bus.stamp().sequence == before.sequence + 1


# Actions


def test_an_action_answers_result_stale_keys_stamp_and_message(
    app: Flask, owner: FlaskClient
) -> None:
    response = owner.post("/a/notes/write", json={"book_id": BOOK, "text": "  a  "})

    assert response.status_code == 200
    assert response.get_json() == {
        "result": {"note_id": 1},
        "stale": [["notes", "list", BOOK]],
        "stamp": str(runtime_of(app).bus.stamp()),
        "message": "“a” was written.",
    }
    assert response.headers["Cache-Control"] == "no-store"


def test_the_stamp_of_an_action_goes_along_as_the_floor_of_the_next_page(
    owner: FlaskClient,
) -> None:
    response = owner.post("/a/notes/write", json={"book_id": BOOK, "text": "a"})

    (cookie,) = response.headers.getlist("Set-Cookie")
    assert cookie == (
        f"live_floor={response.get_json()['stamp']}; Max-Age=60; HttpOnly; Path=/; SameSite=Lax"
    ).replace("Max-Age=60;", f"Expires={_expires(cookie)}; Max-Age=60;")


def _expires(cookie: str) -> str:
    return next(p.split("=")[1] for p in cookie.split("; ") if p.startswith("Expires="))


def test_the_actor_is_told_only_of_keys_that_the_actor_may_view(stranger: FlaskClient) -> None:
    answer = stranger.post("/a/notes/move-shelf", json={"shelf_id": 70}).get_json()

    assert answer["stale"] == []


@pytest.mark.parametrize("data", ["{", "", "[1]", '"text"', "null", "7", "{'a': 1}"])
def test_a_body_that_is_no_json_object_is_refused(owner: FlaskClient, data: str) -> None:
    response = owner.post("/a/notes/write", data=data.encode(), content_type="application/json")

    assert problem(response, 400)["detail"] == "The body is not a JSON object. Nothing was saved."


def test_bytes_that_are_no_text_are_refused(owner: FlaskClient) -> None:
    response = owner.post(
        "/a/notes/write", data=b'{"text": "\xff"}', content_type="application/json"
    )

    assert problem(response, 400)["detail"] == "The body is not a JSON object. Nothing was saved."


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"book_id": "This is needed.", "text": "This is needed."}),
        ({"book_id": "7", "text": "a"}, {"book_id": "This must be a whole number."}),
        ({"book_id": 7.5, "text": "a"}, {"book_id": "This must be a whole number."}),
        ({"book_id": True, "text": "a"}, {"book_id": "This must be a whole number."}),
        ({"book_id": None, "text": "a"}, {"book_id": "This must be a whole number."}),
        ({"book_id": [7], "text": "a"}, {"book_id": "This must be a whole number."}),
        ({"book_id": BOOK, "text": 7}, {"text": "This must be text."}),
        ({"book_id": BOOK, "text": ""}, {"text": "This must not be empty."}),
        ({"book_id": BOOK, "text": "   "}, {"text": "This must not be empty."}),
        (
            {"book_id": BOOK, "text": "a", "colour": "red"},
            {"colour": "This field is not known; remove it."},
        ),
        (
            {"book_id": BOOK, "text": "a", "me": {"user_id": 1}},
            {"me": "This field is not known; remove it."},
        ),
    ],
)
def test_json_is_read_strictly_and_every_field_that_is_wrong_is_told(
    app: Flask, owner: FlaskClient, body: dict[str, Any], errors: dict[str, str]
) -> None:
    found = problem(owner.post("/a/notes/write", json=body), 422)

    assert found["title"] == "Check what you entered"
    only = f" {next(iter(errors.values()))}" if len(errors) == 1 else ""
    assert found["detail"] == f"Check: {', '.join(sorted(errors))}.{only} Nothing was saved."
    assert found["errors"] == errors
    with app.app_context(), reading() as session:
        assert session.execute(select(notes.note)).all() == []


@pytest.mark.parametrize("number", [2**31, 2**63, 10**30, -(10**30)])
def test_a_number_out_of_every_range_is_the_senders_mistake(notes_app: Flask, number: int) -> None:
    response = client_of(notes_app).post("/a/notes/write", json={"book_id": number, "text": "a"})

    assert 400 <= response.status_code < 500
    assert problem(response, response.status_code)["detail"].endswith("Nothing was saved.")


@pytest.mark.parametrize("number", [2**31, 2**63, 10**30])
def test_a_page_of_a_number_out_of_every_range_is_the_readers_mistake(
    notes_app: Flask, number: int
) -> None:
    response = client_of(notes_app).get(f"/books/{number}", headers=HTML)

    assert response.status_code in (404, 422)


@pytest.mark.parametrize("text", ["nul\x00byte", "\ud83d alone"])
def test_text_that_no_database_takes_is_the_senders_mistake(notes_app: Flask, text: str) -> None:
    response = client_of(notes_app).post(
        "/a/notes/write",
        data=json.dumps({"book_id": BOOK, "text": text}),
        content_type="application/json",
    )

    assert response.status_code in (200, 422)
    if response.status_code == 200:
        assert client_of(notes_app).get(LIST).get_json()["notes"] == [text]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"size": {"width": 1, "height": "2"}, "tags": []}, "size.height"),
        ({"size": {"width": 1}, "tags": []}, "size.height"),
        ({"size": 7, "tags": []}, "size"),
        ({"size": {"width": 1, "height": 2}, "tags": [1, "2"]}, "tags.1"),
        ({"size": {"width": 1, "height": 2}, "tags": 1}, "tags"),
        ({"size": {"width": 1, "height": 2}, "tags": [], "sort": "random"}, "sort"),
        ({"size": {"width": 1, "height": 2}, "tags": [], "starred": "true"}, "starred"),
        ({"size": {"width": 1, "height": 2}, "tags": [], "remark": 1}, "remark"),
    ],
)
def test_an_error_deep_in_a_body_is_told_by_its_path(
    owner: FlaskClient, body: dict[str, Any], field: str
) -> None:
    found = problem(owner.post("/a/notes/describe", json=body), 422)

    assert list(found["errors"]) == [field]


def test_a_form_is_converted_to_the_types_of_the_action(owner: FlaskClient) -> None:
    response = owner.post(
        "/a/notes/describe",
        data={
            "size.width": "3",
            "size.height": "4",
            "tags": ["1", "2"],
            "starred": "true",
            "remark": "",
        },
        headers=JSON,
    )

    assert response.get_json()["result"] == {
        "size": {"width": 3, "height": 4},
        "tags": [1, 2],
        "sort": "old",
        "starred": True,
        "remark": None,
    }


def test_a_list_with_one_member_stays_a_list(owner: FlaskClient) -> None:
    response = owner.post(
        "/a/notes/describe",
        data={"size.width": "3", "size.height": "4", "tags": "1"},
        headers=JSON,
    )

    assert response.get_json()["result"]["tags"] == [1]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"size.width": "three", "size.height": "4", "tags": "1"}, "size.width"),
        ({"size": "3", "size.width": "3", "tags": "1"}, "size.width"),
        ({"size.width": "3", "size.height": "4", "tags": "1", "colour": "red"}, "colour"),
        ({"size.width": "3", "size.height": "4", "tags": "1", ".": "red"}, ""),
        ({"size.width.a.b.c.d": "3", "tags": "1"}, "size"),
    ],
)
def test_a_form_that_does_not_fit_is_refused_by_field(
    owner: FlaskClient, data: dict[str, str], field: str
) -> None:
    response = owner.post("/a/notes/describe", data=data, headers=JSON)

    assert any(name.startswith(field) for name in problem(response, 422)["errors"])


def test_a_file_comes_from_a_multipart_form(owner: FlaskClient) -> None:
    response = owner.post(
        "/a/notes/attach",
        data={"file": (io.BytesIO(b"x" * 10), "clip.webm"), "title": "Clip"},
        headers=JSON,
    )

    assert response.get_json()["result"] == ["clip.webm", 10, "Clip"]


@pytest.mark.parametrize("data", [{}, {"file": "no file"}, {"file": (io.BytesIO(b""), "")}])
def test_a_form_without_its_file_is_refused(owner: FlaskClient, data: dict[str, Any]) -> None:
    response = owner.post(
        "/a/notes/attach", data=data, headers=JSON, content_type="multipart/form-data"
    )

    assert "file" in problem(response, 422)["errors"]


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/octet-stream"])
def test_another_media_type_is_refused(owner: FlaskClient, kind: str) -> None:
    response = owner.post("/a/notes/write", data=b"<a/>", content_type=kind)

    found = problem(response, 415)
    assert found["detail"] == "Send JSON (application/json) or a form. Nothing was saved."
    assert found["title"] == "Not a format we read"


def test_json_for_an_action_that_takes_a_file_is_refused(owner: FlaskClient) -> None:
    problem(owner.post("/a/notes/attach", json={"file": "x"}), 415)


def test_an_action_without_arguments_needs_no_body(owner: FlaskClient) -> None:
    found = problem(owner.post("/a/notes/write"), 422)

    assert set(found["errors"]) == {"book_id", "text"}


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_an_oversized_body_is_refused_before_it_is_read(
    make_app: MakeApp, sqlite_url: str, kind: str
) -> None:
    app = make_app(sqlite_url, fill=True, max_body_bytes=1000)
    body = json.dumps({"book_id": BOOK, "text": "a" * 2000})
    if "form" in kind:
        body = f"book_id={BOOK}&text={'a' * 2000}"

    response = client_of(app).post(
        "/a/notes/write", data=body, headers={**JSON, "Content-Type": kind}
    )

    assert problem(response, 413)["detail"] == (
        "This is larger than what is accepted here. Nothing was saved."
    )


def test_a_form_of_a_thousand_fields_too_many_is_refused(owner: FlaskClient) -> None:
    body = "&".join(f"f{n}=1" for n in range(3000))

    response = owner.post(
        "/a/notes/write",
        data=body,
        headers={**JSON, "Content-Type": "application/x-www-form-urlencoded"},
    )

    assert 400 <= response.status_code < 500


def test_the_rights_of_an_action_are_told_apart(
    viewer: FlaskClient, stranger: FlaskClient, nobody: FlaskClient
) -> None:
    body = {"book_id": BOOK, "text": "a"}

    assert problem(viewer.post("/a/notes/write", json=body), 403)["detail"] == (
        "You may look at this and not change it. Ask an owner of the course."
    )
    assert problem(stranger.post("/a/notes/write", json=body), 404)["detail"] == (
        "This is gone, or you may not see it. Nothing was saved."
    )
    assert problem(nobody.post("/a/notes/write", json=body), 401)["detail"] == (
        "Sign in first; then try again. Nothing was saved."
    )


def test_an_action_of_everybody_is_open_to_nobody_in_particular(
    nobody: FlaskClient, owner: FlaskClient
) -> None:
    assert nobody.post("/a/notes/greet", json={"name": "Ada"}).get_json()["result"] == (
        "Ada from nobody"
    )
    assert owner.post("/a/notes/greet", json={"name": "Ada"}).get_json()["result"] == (
        "Ada from User 1"
    )


def test_an_action_that_does_not_exist_is_a_404(owner: FlaskClient) -> None:
    assert problem(owner.post("/a/notes/burn", json={}), 404)["detail"] == (
        "No plugin has an action notes/burn. See /openapi.json."
    )


def test_an_action_cannot_be_got(owner: FlaskClient) -> None:
    response = owner.get("/a/notes/write", headers=JSON)

    problem(response, 405)
    assert "POST" in response.headers["Allow"]


def test_further_members_of_a_problem_reach_the_program(owner: FlaskClient) -> None:
    found = problem(owner.post("/a/notes/write-and-refuse", json={"book_id": BOOK}), 409)

    assert found == {
        "title": "Changed meanwhile",
        "status": 409,
        "detail": "The book is full. Nothing was saved.",
        "theirs": {"notes": 1},
    }


@pytest.mark.parametrize("headers", [JSON, HTML])
def test_no_stack_trace_leaves_the_server(owner: FlaskClient, headers: dict[str, str]) -> None:
    response = owner.post("/a/notes/write-and-break", json={"book_id": BOOK}, headers=headers)

    assert response.status_code == 500
    assert "secret reason" not in response.text
    assert "Something broke on our side. Nothing was saved; try again in a moment." in response.text


# Forms without JavaScript


def form(client: FlaskClient, action: str = "write", **more: Any) -> TestResponse:
    data = {"book_id": str(BOOK), "text": "a"} | more.pop("data", {})
    return client.post(f"/a/notes/{action}", data=data, headers={**HTML, **more})


def flashed(client: FlaskClient) -> list[tuple[str, str]]:
    with client.session_transaction() as session:
        return list(session.get("_flashes", []))


def test_a_form_goes_back_to_its_page_with_the_message(owner: FlaskClient) -> None:
    response = form(owner, data={"_next": "/books/7/edit?tab=2"})

    assert response.status_code == 303
    assert response.headers["Location"] == "/books/7/edit?tab=2"
    assert flashed(owner) == [("done", "“a” was written.")]


def test_a_form_without_a_next_page_goes_back_to_where_it_stood(owner: FlaskClient) -> None:
    response = form(owner, Referer="http://localhost/books/7?x=1")

    assert response.headers["Location"] == "/books/7?x=1"


def test_a_form_that_is_refused_goes_back_with_the_problem(owner: FlaskClient) -> None:
    response = form(owner, data={"text": "", "_next": "/books/7"})

    assert response.status_code == 303
    assert response.headers["Location"] == "/books/7"
    sentence = "Check: text. This must not be empty. Nothing was saved."
    assert flashed(owner) == [("problem", sentence)]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.test/x",
        "http://localhost.evil.test/x",
        "http://localhost:81/x",
        "https://localhost/x",
        "//evil.test/x",
        "/\\evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "\n//evil.test",
        " //evil.test",
        "javascript:alert(1)",
        "http:evil.test",
        "http:///evil.test",
        "//localhost@evil.test/",
        "http://localhost@evil.test/",
        "http://[",
        "books",
        "",
    ],
)
def test_a_form_never_leads_to_another_site(owner: FlaskClient, elsewhere: str) -> None:
    response = form(owner, data={"_next": elsewhere}, Referer="https://evil.test/page")

    assert response.status_code == 303
    assert response.headers["Location"] == "/"


def test_too_many_slashes_lead_to_a_path_of_ours(owner: FlaskClient) -> None:
    response = form(owner, data={"_next": "///evil.test/x"})

    assert response.headers["Location"] == "/evil.test/x"


# Pages


def test_a_page_is_behind_its_guard(
    owner: FlaskClient, viewer: FlaskClient, stranger: FlaskClient, nobody: FlaskClient
) -> None:
    assert owner.get(f"/books/{BOOK}/edit", headers=HTML).text == f"edit {BOOK}"
    assert viewer.get(f"/books/{BOOK}", headers=HTML).text == f"book {BOOK}"
    assert viewer.get(f"/books/{BOOK}/edit", headers=HTML).status_code == 403
    assert stranger.get(f"/books/{BOOK}", headers=HTML).status_code == 404
    asked = nobody.get(f"/books/{BOOK}?tab=2", headers=HTML)
    assert asked.status_code == 303
    assert asked.headers["Location"] == f"/sign-in?next=/books/{BOOK}%3Ftab%3D2"


def test_people_are_told_of_errors_in_a_page(owner: FlaskClient, stranger: FlaskClient) -> None:
    missing, forbidden = owner.get("/nowhere", headers=HTML), stranger.get("/books/7", headers=HTML)

    for response in (missing, forbidden):
        assert response.status_code == 404
        assert response.content_type == "text/html; charset=utf-8"
        assert "There is nothing at this address, or you may not see it." in response.text


def test_programs_are_told_of_errors_as_problems_at_every_address(owner: FlaskClient) -> None:
    problem(owner.get("/nowhere", headers=JSON), 404)


# Same site


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "garbage"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "http://localhost:81"}, 403),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://["}, 403),
        ({}, 200),
    ],
)
def test_a_write_that_another_site_asked_for_is_refused(
    app: Flask, owner: FlaskClient, headers: dict[str, str], status: int
) -> None:
    response = owner.post("/a/notes/greet", json={"name": "Ada"}, headers=headers)

    assert response.status_code == status
    if status == 403:
        assert problem(response, 403)["detail"] == (
            "This request came from another site. It was refused; nothing was saved."
        )


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "post"])
def test_no_unsafe_method_of_another_site_is_let_through(owner: FlaskClient, method: str) -> None:
    response = owner.open(
        "/a/notes/greet",
        method=method,
        json={"name": "A"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )

    assert response.status_code == 403


def test_a_stream_that_another_site_asked_for_is_refused(owner: FlaskClient) -> None:
    response = owner.get("/live?key=notes:list:7", headers={"Sec-Fetch-Site": "cross-site"})

    problem(response, 403)


def test_links_from_other_sites_lead_to_pages(owner: FlaskClient) -> None:
    response = owner.get(f"/books/{BOOK}", headers={**HTML, "Sec-Fetch-Site": "cross-site"})

    assert response.status_code == 200


# Headers


@pytest.mark.parametrize(
    "path", [LIST, f"/books/{BOOK}", "/nowhere", "/healthz", "/static/coursewire.css", "/q/x/y"]
)
def test_every_answer_carries_the_headers_of_safety(owner: FlaskClient, path: str) -> None:
    with owner.get(path, headers=HTML) as response:
        headers = response.headers

    csp = headers["Content-Security-Policy"]
    for rule in (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ):
        assert rule in csp.split("; ")
    assert "unsafe" not in csp
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers


def test_over_https_browsers_are_told_to_stay_there_and_cookies_are_secure(
    owner: FlaskClient,
) -> None:
    owner.set_cookie("user", str(OWNER), domain="localhost")
    response = owner.post(
        "/a/notes/write", json={"book_id": BOOK, "text": "a"}, base_url="https://localhost"
    )

    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert all("Secure" in cookie for cookie in response.headers.getlist("Set-Cookie"))


# Health


def test_healthz_answers_whenever_the_process_does(make_app: MakeApp) -> None:
    app = make_app("sqlite:////nonexistent/folder/db", redis_url="unix:///nonexistent")

    response = client_of(app, None).get("/healthz")

    assert response.status_code == 200
    assert response.get_json() == {"status": "ok"}


def test_readyz_is_ok_when_everything_answers(notes_app: Flask) -> None:
    response = client_of(notes_app, None).get("/readyz")

    assert response.status_code == 200
    assert response.get_json() == {
        "status": "ok",
        "checks": {"database": "ok", "migrations": "ok", "redis": "ok", "plugins": "ok"},
    }


def not_ready(app: Flask) -> dict[str, str]:
    response = client_of(app, None).get("/readyz")
    assert response.status_code == 503
    body = response.get_json()
    assert body["status"] == "not ready"
    return {name: said for name, said in body["checks"].items() if said != "ok"}


def test_readyz_names_a_redis_that_does_not_answer(
    make_app: MakeApp, sqlite_url: str, own_redis: RedisServer
) -> None:
    app = make_app(sqlite_url, redis_url=own_redis.url)
    own_redis.freeze()
    hung = not_ready(app)
    own_redis.kill()

    assert hung == {"redis": "does not answer (TimeoutError); check REDIS_URL"}
    assert not_ready(app) == {"redis": "does not answer (ConnectionError); check REDIS_URL"}


def test_readyz_names_a_database_that_does_not_answer(make_app: MakeApp) -> None:
    app = make_app("sqlite:////nonexistent/folder/db")

    assert not_ready(app) == {
        "database": "does not answer (OperationalError); check DATABASE_URL",
        "migrations": "unknown: the database does not answer",
    }


def test_readyz_names_the_chains_that_are_not_applied(notes_app: Flask) -> None:
    with notes_app.app_context(), writing() as session:
        session.execute(text("DELETE FROM alembic_version_core"))

    try:
        assert not_ready(notes_app) == {"migrations": "not applied: core; run flask db upgrade"}
    finally:
        with notes_app.app_context(), writing() as session:
            session.execute(
                text("INSERT INTO alembic_version_core (version_num) VALUES ('core_0001')")
            )


def test_people_are_told_in_words_when_the_database_is_away(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app("sqlite:////nonexistent/folder/db")
    client = client_of(app)

    page = client.get(f"/books/{BOOK}", headers=HTML)
    data = client.get(LIST)

    assert page.status_code == 503
    assert "The database does not answer. Nothing was saved; try again in a moment." in page.text
    assert problem(data, 503)
    assert data.headers["Retry-After"] == "2"


@pytest.mark.parametrize("path", ["/courses", "/nowhere"])
def test_people_who_are_signed_in_are_told_so_too(
    make_app: MakeApp, valkey: str, tmp_path: Path, path: str
) -> None:
    app = create_app(settings_for("sqlite:////nonexistent/folder/db", valkey, tmp_path))
    client = app.test_client()
    client.set_cookie("coursewire_session", "a token")

    response = client.get(path, headers=HTML)
    runtime_of(app).stop()
    dispose(app)

    assert response.status_code == (503 if path == "/courses" else 404)
    assert "</html>" in response.text


# The description


def test_the_description_of_the_first_party_plugins_is_valid_and_complete() -> None:
    app = create_app(Settings())

    description = app.test_client().get("/openapi.json").get_json()

    validate(description)
    registry = runtime_of(app).registry
    assert len(description["paths"]) == len(registry.queries) + len(registry.actions)
    ids = [op["operationId"] for path in description["paths"].values() for op in path.values()]
    assert len(ids) == len(set(ids))
    runtime_of(app).stop()


def test_the_description_tells_parameters_options_and_parts(owner: FlaskClient) -> None:
    paths = owner.get("/openapi.json").get_json()["paths"]

    listing = paths["/q/notes/list/{book_id}"]["get"]
    assert [(p["name"], p["in"]) for p in listing["parameters"]] == [
        ("book_id", "path"),
        ("search", "query"),
        ("page", "query"),
        ("starred", "query"),
        ("sort", "query"),
        ("Live-Floor", "header"),
    ]
    assert listing["parameters"][2]["schema"]["default"] == 1
    schema = listing["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["allOf"][1]["properties"] == {"count": {"type": "integer"}}
    assert paths["/a/notes/attach"]["post"]["requestBody"]["content"].keys() == {
        "multipart/form-data"
    }


def test_models_of_one_name_do_not_overwrite_each_other() -> None:
    """Two plugins may both call a class `TitleWas`; each action's body shows its own."""
    app = create_app(Settings())
    description = app.test_client().get("/openapi.json").get_json()
    runtime_of(app).stop()

    schemas = description["components"]["schemas"]
    for name in ("ChaptersRename", "MediaRename"):
        reference = schemas[name]["properties"]["was"]["$ref"].rpartition("/")[2]
        assert set(schemas[reference]["properties"]) == {"title"}


def test_the_database_is_free_after_every_kind_of_answer(notes_app: Flask) -> None:
    client = client_of(notes_app)
    for path in (LIST, "/q/notes/list/4711", "/nowhere", "/readyz", "/live?key=x", "/openapi.json"):
        client.get(path)
    client.post("/a/notes/write", json={"book_id": BOOK, "text": "a"})
    client.post("/a/notes/write-and-break", json={"book_id": BOOK})

    with notes_app.app_context():
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
