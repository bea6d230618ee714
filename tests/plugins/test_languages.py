"""Choosing a language: for this browser, for the next one, and for mails."""

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from core import db
from plugins.accounts.models import User
from plugins.accounts.reactions import _language_of
from tests.conftest import act

HTML = {"Accept": "text/html"}


def choose(client: FlaskClient, language: str) -> str:
    answer = client.post("/a/accounts/choose-language", json={"language": language})
    assert answer.status_code == 200, answer.text
    message: str = answer.get_json()["message"]
    return message


def lang(client: FlaskClient, path: str = "/account", **headers: str) -> str:
    page = client.get(path, headers={**HTML, **headers})
    assert page.headers["Vary"]
    assert f'<html lang="{page.headers["Content-Language"]}" dir="ltr">' in page.text
    return page.headers["Content-Language"]


def test_a_chosen_language_is_that_of_the_browser_from_then_on(owner: FlaskClient) -> None:
    assert lang(owner) == "en"

    assert choose(owner, "de") == "Die Sprache ist jetzt Deutsch."

    assert lang(owner, **{"Accept-Language": "en"}) == "de"
    cookie = owner.get_cookie("lang")
    assert cookie is not None
    assert (cookie.value, cookie.http_only, cookie.same_site) == ("de", True, "Lax")
    assert choose(owner, "en") == "The language is English now."
    assert lang(owner) == "en"


def test_it_comes_along_to_the_next_browser_and_into_mails(
    app: Flask, owner: FlaskClient, anonymous: FlaskClient
) -> None:
    choose(owner, "de")
    sign_in = {"email": "owner@example.test", "password": "demo"}

    answer = anonymous.post("/a/accounts/sign-in", json=sign_in)

    assert answer.status_code == 200
    assert lang(anonymous) == "de"
    with app.app_context():
        users = {user.email: user for user in db.session.scalars(select(User))}
        assert _language_of(users["owner@example.test"]) == "de"
        assert _language_of(users["viewer@example.test"]) == "en"
        users["viewer@example.test"].language = "fr"  # offered once, and no more
        assert _language_of(users["viewer@example.test"]) == "en"
        db.session.rollback()


def test_who_is_not_signed_in_chooses_at_the_foot_of_the_sign_in(anonymous: FlaskClient) -> None:
    page = anonymous.get("/sign-in?next=/courses/1", headers=HTML).text
    assert 'name="language" value="de" lang="de">Deutsch</button>' in page
    assert 'value="en" lang="en" aria-current="true">English</button>' in page
    assert 'name="_next" value="/sign-in?next=/courses/1"' in page

    form = {"language": "de", "_next": "/sign-in?next=/courses/1"}
    answer = anonymous.post("/a/accounts/choose-language", data=form, headers=HTML)

    assert (answer.status_code, answer.location) == (303, "/sign-in?next=/courses/1")
    assert lang(anonymous, "/sign-in") == "de"


def test_another_language_is_refused(owner: FlaskClient) -> None:
    answer = owner.post("/a/accounts/choose-language", json={"language": "xx"})

    assert answer.status_code == 422
    assert answer.get_json()["errors"] == {"language": "Choose one of: en, de."}
    assert owner.get_cookie("lang") is None


def test_two_languages_on_one_course_each_stay_their_own_after_a_change(
    owner: FlaskClient, editor: FlaskClient
) -> None:
    choose(editor, "de")

    for title in ("One", "Two"):
        act(owner, "chapters/add", course_id=1, title=title)
        for client, code in ((owner, "en"), (editor, "de"), (owner, "en")):
            fragment = client.get("/q/chapters/list/1", headers=HTML)
            assert fragment.headers["Content-Language"] == code
            assert title in fragment.text
            again = client.get(
                "/q/chapters/list/1", headers={**HTML, "If-None-Match": fragment.headers["ETag"]}
            )
            assert again.status_code == 304
