"""Actions over HTTP: strict JSON, lenient forms, and what becomes of garbage."""

import io
import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from core import reading
from tests.core import notes
from tests.core.asking import HTML, JSON, LIST, problem
from tests.core.conftest import (
    BOOK,
    MakeApp,
    client_of,
    runtime_of,
)


def test_an_action_answers_result_stale_keys_stamp_and_message(
    quick_app: Flask, owner: FlaskClient
) -> None:
    response = owner.post("/a/notes/write", json={"book_id": BOOK, "text": "  a  "})

    assert response.status_code == 200
    assert response.get_json() == {
        "result": {"note_id": 1},
        "stale": [["notes", "list", BOOK]],
        "stamp": str(runtime_of(quick_app).bus.stamp()),
        "message": "“a” was written.",
        "undo": None,
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
    quick_app: Flask, owner: FlaskClient, body: dict[str, Any], errors: dict[str, str]
) -> None:
    found = problem(owner.post("/a/notes/write", json=body), 422)

    assert found["title"] == "Check what you entered"
    only = f" {next(iter(errors.values()))}" if len(errors) == 1 else ""
    assert found["detail"] == f"Check: {', '.join(sorted(errors))}.{only} Nothing was saved."
    assert found["errors"] == errors
    with quick_app.app_context(), reading() as session:
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
