"""Signing in, signing out, and who one is in between."""

from datetime import timedelta
from hashlib import sha256

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from core import Invalid, db, now, reading, transaction
from core.transactions import keys_of
from plugins.accounts import passwords
from plugins.accounts.events import SessionEnded
from plugins.accounts.models import AccountSession, User
from plugins.accounts.sessions import COOKIE
from tests.conftest import act
from tests.plugins.story import on_sqlite, read, refused

WRONG = "E-mail or password is wrong. Check both, then try again."


def test_signing_in_says_who_one_is(anonymous: FlaskClient) -> None:
    answer = act(anonymous, "accounts/sign-in", email=" Owner@Example.test ", password="demo")

    assert answer["result"]["email"] == "owner@example.test"
    assert read(anonymous, "accounts/me") == answer["result"]


@on_sqlite
@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("owner@example.test", "wrong"),
        ("owner@example.test", " demo"),
        ("nobody@example.test", "demo"),
        ("", ""),
    ],
)
def test_the_answer_never_tells_which_of_the_two_is_wrong(
    anonymous: FlaskClient, email: str, password: str
) -> None:
    problem = refused(anonymous, "accounts/sign-in", 422, email=email, password=password)

    assert problem == {"title": "Not signed in", "status": 422, "detail": WRONG}
    assert anonymous.get_cookie(COOKIE) is None


def test_an_unknown_address_costs_the_same_hash_as_a_known_one() -> None:
    known = passwords.hash_password("x")

    assert passwords._NOBODYS_HASH.split("$")[0] == known.split("$")[0] == "scrypt:32768:8:3"
    assert len(passwords._NOBODYS_HASH) == len(known)
    assert not passwords.password_fits(None, "demo")


def test_the_cookie_is_safe_and_only_its_hash_is_stored(app: Flask, anonymous: FlaskClient) -> None:
    response = anonymous.post(
        "/a/accounts/sign-in", json={"email": "owner@example.test", "password": "demo"}
    )

    header = next(h for h in response.headers.getlist("Set-Cookie") if h.startswith(COOKIE))
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    assert "Secure" not in header
    cookie = anonymous.get_cookie(COOKIE)
    assert cookie is not None
    with app.app_context(), reading() as session:
        hashes = session.scalars(select(AccountSession.token_hash)).all()
    assert hashes == [sha256(cookie.value.encode()).hexdigest()]


@on_sqlite
def test_over_https_the_cookie_is_secure(anonymous: FlaskClient) -> None:
    response = anonymous.post(
        "/a/accounts/sign-in",
        json={"email": "owner@example.test", "password": "demo"},
        base_url="https://localhost",
    )

    header = next(
        h for h in response.headers.getlist("Set-Cookie") if h.startswith(f"__Host-{COOKIE}=")
    )
    assert "Secure" in header


def test_signing_in_again_ends_the_session_before(app: Flask, owner: FlaskClient) -> None:
    before = owner.get_cookie(COOKIE)
    assert before is not None

    act(owner, "accounts/sign-in", email="editor@example.test", password="demo")

    assert read(owner, "accounts/me")["email"] == "editor@example.test"
    thief = app.test_client()
    thief.set_cookie(COOKIE, before.value)
    assert thief.get("/q/accounts/me").status_code == 401


def test_signing_out_ends_the_session_on_the_server_too(app: Flask, owner: FlaskClient) -> None:
    cookie = owner.get_cookie(COOKIE)
    assert cookie is not None

    answer = act(owner, "accounts/sign-out")

    assert answer["message"] == "You are signed out."
    assert owner.get_cookie(COOKIE) is None
    owner.set_cookie(COOKIE, cookie.value)
    assert owner.get("/q/accounts/me").status_code == 401


def test_signing_out_twice_does_no_harm(anonymous: FlaskClient) -> None:
    assert act(anonymous, "accounts/sign-out")["message"] == "You are signed out."


def test_signing_out_elsewhere_leaves_this_session_alone(app: Flask, owner: FlaskClient) -> None:
    other = app.test_client()
    act(other, "accounts/sign-in", email="owner@example.test", password="demo")

    act(other, "accounts/sign-out")

    assert owner.get("/q/accounts/me").status_code == 200


def test_the_end_of_a_session_ends_its_streams(app: Flask) -> None:
    registry = app.extensions["coursewire"].registry

    with app.app_context():
        named = keys_of(registry, SessionEnded(user_id=7, session_id=1))

    assert sorted(named) == ["access:7", "accounts:sessions:1"]


def test_a_session_ends_thirty_days_after_the_sign_in(app: Flask, owner: FlaskClient) -> None:
    with app.app_context(), reading() as session:
        began_at, ends_at = session.execute(
            select(AccountSession.created_at, AccountSession.expires_at)
        ).one()
    assert abs(ends_at - began_at - timedelta(days=30)) < timedelta(seconds=10)
    with app.app_context(), transaction():
        db.session.execute(update(AccountSession).values(expires_at=now()))

    assert owner.get("/q/accounts/me").status_code == 401


def test_the_next_sign_in_forgets_sessions_that_are_over(
    app: Flask, owner: FlaskClient, anonymous: FlaskClient
) -> None:
    with app.app_context(), transaction():
        db.session.execute(update(AccountSession).values(expires_at=now()))

    act(anonymous, "accounts/sign-in", email="viewer@example.test", password="demo")

    with app.app_context(), reading() as session:
        assert len(session.scalars(select(AccountSession.id)).all()) == 1


@on_sqlite
def test_a_made_up_cookie_is_nobody(anonymous: FlaskClient) -> None:
    anonymous.set_cookie(COOKIE, "made up")

    assert anonymous.get("/q/accounts/me").status_code == 401


def test_nobody_reads_the_account_of_another(owner: FlaskClient, viewer: FlaskClient) -> None:
    mine = read(owner, "accounts/me")

    assert viewer.get(f"/q/accounts/me/{mine['user_id']}").status_code == 404


def test_disabling_an_account_ends_its_sessions(app: Flask, editor: FlaskClient) -> None:
    told = app.test_cli_runner().invoke(args=["accounts", "disable", "Editor@example.test"])

    assert told.output == "editor@example.test can no longer sign in.\n"
    assert editor.get("/q/accounts/me").status_code == 401
    problem = refused(editor, "accounts/sign-in", 422, email="editor@example.test", password="demo")
    assert problem["detail"] == WRONG


def test_enabling_it_lets_it_sign_in_again(app: Flask, anonymous: FlaskClient) -> None:
    run = app.test_cli_runner().invoke
    run(args=["accounts", "disable", "editor@example.test"])

    assert run(args=["accounts", "enable", "editor@example.test"]).exit_code == 0

    act(anonymous, "accounts/sign-in", email="editor@example.test", password="demo")


def test_an_account_is_created_on_the_command_line(app: Flask, anonymous: FlaskClient) -> None:
    told = app.test_cli_runner().invoke(
        args=["accounts", "create", "Ada@Example.test", "--name", "Ada", "--staff"],
        env={"COURSEWIRE_PASSWORD": "a long password"},
    )

    assert told.output == "ada@example.test can sign in.\n"
    answer = act(
        anonymous, "accounts/sign-in", email="ada@example.test", password="a long password"
    )
    assert answer["result"] | {"user_id": 0} == {
        "user_id": 0,
        "name": "Ada",
        "email": "ada@example.test",
        "staff": True,
    }
    with app.app_context(), reading() as session:
        stored = session.scalars(select(User.password_hash).where(User.name == "Ada")).one()
    assert stored.startswith("scrypt:")


@on_sqlite
@pytest.mark.parametrize(
    ("email", "password", "said"),
    [
        ("owner@example.test", "a long password", "owner@example.test has an account already."),
        ("ada@example.test", "short", "Use 12 characters or more."),
        ("ada", "a long password", "“ada” is no e-mail address."),
    ],
)
def test_an_account_that_cannot_be_created_says_why(
    app: Flask, email: str, password: str, said: str
) -> None:
    told = app.test_cli_runner().invoke(
        args=["accounts", "create", email, "--name", "Ada"],
        env={"COURSEWIRE_PASSWORD": password},
    )

    assert told.exit_code != 0
    assert said in told.output


@pytest.mark.parametrize(
    "password",
    [
        "correct battery horse",
        "a long password",
        "нет ничего лучше",
        "小さな猫が三匹います。窓のそば",
        "x" * 5 + "q7Lw" * 30,
    ],
)
def test_a_password_of_any_kind_of_characters_is_taken(password: str) -> None:
    passwords.check_password(password, "ada@example.test", "Ada Lovelace")


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("eleven char", "Use 12 characters or more."),
        ("Ada Lovelace 1", "This says little but your own name or address."),
        ("ada@example.test", "This says little but your own name or address."),
        ("Coursewire2026", "This says little but your own name or address."),
        ("password1234", "This is among the first that somebody would guess"),
        ("P4ssw0rd1234", "This is among the first that somebody would guess"),
        ("qwertyuiop123", "This is among the first that somebody would guess"),
        ("aaaaaaaaaaaaaaaaaaaa", "This is among the first that somebody would guess"),
        ("abababababababab" * 60, "This is among the first that somebody would guess"),
    ],
)
def test_a_password_that_is_soon_guessed_is_refused(password: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        passwords.check_password(password, "ada@example.test", "Ada Lovelace")

    assert refused.value.errors["password"].startswith(said)
