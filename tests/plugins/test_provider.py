"""Signing in with an OpenID Connect provider, against one that runs on loopback."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from core import Settings, create_app, reading
from plugins.accounts.models import AccountIdentity, User
from plugins.accounts.sessions import COOKIE
from tests.conftest import act, dispose
from tests.plugins.story import on_sqlite, read
from tests.provider import CLIENT, SECRET, Provider

pytestmark = on_sqlite
TRUSTING = {"oidc_link_by_email": True}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def app(settings: Settings, provider: Provider, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """An app that knows the provider, and what else the test's marker `told` says."""
    marker = request.node.get_closest_marker("told")
    told = {
        "public_url": "https://courses.test",
        "oidc_issuer": provider.issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "oidc_name": "the school",
        **(marker.kwargs if marker is not None else TRUSTING),
    }
    app = create_app(settings.model_copy(update=told))
    yield app
    app.extensions["coursewire"].stop()
    dispose(app)


def begin(client: FlaskClient, next_path: str = "/courses/1") -> str:
    """Go to the provider; returns the address that it sends the browser back to."""
    answer = client.get("/sign-in/provider", query_string={"next": next_path})
    assert answer.status_code == 302, answer.text
    back = httpx.get(answer.headers["Location"]).headers["Location"]
    return back.removeprefix("https://courses.test")


def sign_in(client: FlaskClient, **options: Any) -> TestResponse:
    return client.get(begin(client, **options))


def refused(answer: TestResponse) -> str:
    """What the person is told, on a page."""
    assert answer.status_code == 400
    assert answer.mimetype == "text/html"
    return answer.get_data(as_text=True)


def identities(app: Flask) -> int:
    with app.app_context(), reading() as session:
        return session.scalar(select(func.count()).select_from(AccountIdentity)) or 0


def test_who_the_provider_knows_is_signed_in_and_goes_on(anonymous: FlaskClient) -> None:
    page = anonymous.get("/sign-in?next=/courses/1").get_data(as_text=True)
    assert (
        '<a class="button wide" href="/sign-in/provider?next=/courses/1">Sign in with the' in page
    )

    answer = sign_in(anonymous)

    assert (answer.status_code, answer.headers["Location"]) == (302, "/courses/1")
    assert read(anonymous, "accounts/me")["email"] == "owner@example.test"


def test_the_subject_is_who_somebody_is_whatever_their_address(
    app: Flask, provider: Provider, anonymous: FlaskClient
) -> None:
    sign_in(anonymous)
    provider.person |= {"email": "editor@example.test"}
    other = app.test_client()

    sign_in(other)

    assert read(other, "accounts/me")["email"] == "owner@example.test"
    assert identities(app) == 1


@pytest.mark.told(oidc_link_by_email=False)
def test_an_address_opens_no_account_unless_the_operator_says_so(anonymous: FlaskClient) -> None:
    assert "No account here is yours" in refused(sign_in(anonymous))
    assert anonymous.get_cookie(COOKIE) is None


@pytest.mark.parametrize("verified", [False, None, "true"])
def test_an_address_that_nobody_has_proven_opens_no_account(
    provider: Provider, anonymous: FlaskClient, verified: object
) -> None:
    provider.person["email_verified"] = verified

    assert "No account here is yours" in refused(sign_in(anonymous))


@pytest.mark.told(oidc_create=True)
def test_a_newcomer_gets_an_account_where_the_operator_says_so(
    app: Flask, provider: Provider, anonymous: FlaskClient
) -> None:
    provider.person |= {"sub": "person-2", "email": "New@example.test", "name": "Nora New"}

    sign_in(anonymous)

    assert read(anonymous, "accounts/me")["name"] == "Nora New"
    other = app.test_client()
    sign_in(other)
    assert read(other, "accounts/me") == read(anonymous, "accounts/me")
    with app.app_context(), reading() as session:
        user = session.scalars(select(User).where(User.email == "new@example.test")).one()
    assert (user.password_hash, user.invited, user.staff, user.author) == ("", False, False, False)


def test_a_disabled_account_stays_shut(app: Flask, anonymous: FlaskClient) -> None:
    sign_in(anonymous)
    app.test_cli_runner().invoke(args=["accounts", "disable", "owner@example.test"])

    assert "This account may not sign in." in refused(sign_in(app.test_client()))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.test"},
        {"aud": "another client"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"nonce": "another"},
        {"exp": int(time.time()) - 3600, "iat": int(time.time()) - 7200},
        {"sub": ""},
        {"sub": "x" * 256},
    ],
    ids=" ".join,
)
def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    provider: Provider, anonymous: FlaskClient, changes: dict[str, Any]
) -> None:
    provider.changes = changes

    assert "could not be verified" in refused(sign_in(anonymous))
    assert anonymous.get_cookie(COOKIE) is None


def test_a_signature_of_somebody_else_is_refused(
    provider: Provider, anonymous: FlaskClient
) -> None:
    provider.published = RSAKey.generate_key(2048, {"kid": "first"})

    assert "could not be verified" in refused(sign_in(anonymous))


def test_the_provider_may_change_its_keys(
    app: Flask, provider: Provider, anonymous: FlaskClient
) -> None:
    sign_in(anonymous)
    provider.new_key()

    assert sign_in(app.test_client()).status_code == 302


def test_what_the_provider_says_of_itself_is_asked_once(
    app: Flask, provider: Provider, anonymous: FlaskClient
) -> None:
    sign_in(anonymous)
    sign_in(app.test_client())

    assert provider.asked.count("/.well-known/openid-configuration") == 1
    assert provider.asked.count("/jwks") == 1


def test_a_code_of_somebody_elses_browser_signs_nobody_in(
    app: Flask, anonymous: FlaskClient
) -> None:
    """An attacker sends the address that they were sent back to, so that the victim works in
    the attacker's account.
    """
    attackers = begin(app.test_client())

    said = refused(anonymous.get(attackers))
    assert "did not begin in this browser" in said
    begin(anonymous)
    assert "did not begin in this browser" in refused(anonymous.get(attackers))
    assert anonymous.get_cookie(COOKIE) is None


def test_a_way_back_is_walked_once(anonymous: FlaskClient) -> None:
    back = begin(anonymous)
    assert anonymous.get(back).status_code == 302
    act(anonymous, "accounts/sign-out")

    assert "did not begin in this browser" in refused(anonymous.get(back))


def test_the_provider_may_say_no(anonymous: FlaskClient) -> None:
    state = parse_qs(urlsplit(begin(anonymous)).query)["state"][0]

    answer = anonymous.get(
        "/sign-in/provider/back", query_string={"state": state, "error": "<script>"}
    )

    assert "The provider did not let you in." in refused(answer)
    assert "<script>" not in answer.get_data(as_text=True).partition("<main")[2]


@pytest.mark.parametrize("next_path", ["https://evil.test/", "//evil.test", "/\\evil.test"])
def test_the_way_on_leads_to_no_other_site(anonymous: FlaskClient, next_path: str) -> None:
    assert sign_in(anonymous, next_path=next_path).headers["Location"] == "/"


@pytest.mark.told(oidc_issuer="http://127.0.0.1:1")
def test_a_provider_that_does_not_answer_is_said_on_a_page(anonymous: FlaskClient) -> None:
    assert "The provider does not answer." in refused(anonymous.get("/sign-in/provider"))


@pytest.mark.told(oidc_issuer="http://provider.test")
def test_a_provider_is_asked_over_tls_only(anonymous: FlaskClient) -> None:
    assert "The provider does not answer." in refused(anonymous.get("/sign-in/provider"))


def test_the_session_of_before_is_ended_and_the_token_is_another(
    app: Flask, provider: Provider, editor: FlaskClient
) -> None:
    before = editor.get_cookie(COOKIE)
    assert before is not None

    sign_in(editor)

    assert read(editor, "accounts/me")["email"] == "owner@example.test"
    thief = app.test_client()
    thief.set_cookie(COOKIE, before.value)
    assert thief.get("/q/accounts/me").status_code == 401
