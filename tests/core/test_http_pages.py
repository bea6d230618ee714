"""Pages, and forms without JavaScript."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.core.asking import HTML, JSON, problem
from tests.core.conftest import (
    BOOK,
)


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
        "http://localhost//evil.test/x",
        "//localhost//evil.test/x",
        "////evil.test/x",
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
