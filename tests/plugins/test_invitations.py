"""Links to choose a password by: who gets one, how, and that each works once."""

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import func, select, update

from core import Settings, create_app, db, now, reading, transaction
from core.outbox import OutboxReaction
from plugins.accounts.models import AccountLink, User
from plugins.accounts.sessions import COOKIE
from tests.conftest import act, dispose
from tests.mailbox import Mailbox
from tests.plugins.story import on_sqlite, react, read, refused

PASSWORD = "correct battery horse"
SITE = "https://courses.test"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def app(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """An app with a public address; and with a mail server, where the test asks for one."""
    told: dict[str, Any] = {"public_url": SITE}
    if "mailbox" in request.fixturenames:
        port = request.getfixturevalue("mailbox").port
        told |= {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_tls": "off"}
    app = create_app(settings.model_copy(update=told))
    yield app
    app.extensions["coursewire"].stop()
    dispose(app)


def run(app: Flask, *args: str) -> str:
    told = app.test_cli_runner().invoke(args=["accounts", *args])
    assert told.exit_code == 0, told.output
    return told.output


def link_in(text: str) -> str:
    """The address of the first link in *text*, without the site."""
    found = re.search(rf"{SITE}(/\S+)", text)
    assert found is not None, text
    return found[1]


def token_of(link: str) -> str:
    return link.partition("?link=")[2]


def hashes(app: Flask) -> list[str]:
    with app.app_context(), reading() as session:
        return list(session.scalars(select(AccountLink.token_hash)))


def test_who_is_invited_chooses_a_name_and_a_password_and_is_signed_in(
    app: Flask, anonymous: FlaskClient
) -> None:
    link = link_in(run(app, "invite", "Ada@example.test", "--author"))
    page = anonymous.get(link)
    assert page.status_code == 200
    assert "ada@example.test" in page.get_data(as_text=True)

    accepted = act(
        anonymous,
        "accounts/accept-invitation",
        link=token_of(link),
        name="Ada Lovelace",
        password=PASSWORD,
    )

    assert accepted["message"] == "Welcome, Ada Lovelace."
    assert read(anonymous, "accounts/me")["name"] == "Ada Lovelace"
    act(anonymous, "courses/add", title="Engines")
    other = app.test_client()
    act(other, "accounts/sign-in", email="ada@example.test", password=PASSWORD)


def test_only_the_hash_of_a_link_is_stored(app: Flask) -> None:
    link = token_of(link_in(run(app, "reset-link", "owner@example.test")))

    assert hashes(app) == [sha256(link.encode()).hexdigest()]


def test_a_reset_ends_every_session_and_every_other_link(
    app: Flask, owner: FlaskClient, anonymous: FlaskClient
) -> None:
    first, second = (
        token_of(link_in(run(app, "reset-link", "owner@example.test"))) for _ in range(2)
    )

    act(anonymous, "accounts/reset-password", link=first, password=PASSWORD)

    assert owner.get("/q/accounts/me").status_code == 401
    assert anonymous.get_cookie(COOKIE) is None, "who has the link still has to sign in"
    for link in (first, second):
        problem = refused(anonymous, "accounts/reset-password", 422, link=link, password=PASSWORD)
        assert problem["title"] == "A link of no use"
    act(anonymous, "accounts/sign-in", email="owner@example.test", password=PASSWORD)


def test_opening_a_link_does_not_use_it_up(app: Flask, anonymous: FlaskClient) -> None:
    link = link_in(run(app, "reset-link", "owner@example.test"))

    for _ in range(3):
        page = anonymous.get(link)
        assert page.status_code == 200
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] == "same-origin", "no other site sees the address"
        assert (
            set(re.findall(r'(?:src|href|action)="(?!/)[^"#]', page.get_data(as_text=True)))
            == set()
        )

    act(anonymous, "accounts/reset-password", link=token_of(link), password=PASSWORD)
    assert anonymous.get(link).status_code == 410


def test_of_two_who_use_a_link_at_once_one_has_it(app: Flask) -> None:
    link = token_of(link_in(run(app, "reset-link", "owner@example.test")))
    passwords = ["correct battery horse", "another battery horse"]
    answers: list[int] = []

    def use(password: str) -> None:
        body = {"link": link, "password": password}
        answer = app.test_client().post("/a/accounts/reset-password", json=body)
        answers.append(answer.status_code)

    users = [threading.Thread(target=use, args=(password,)) for password in passwords]
    for user in users:
        user.start()
    for user in users:
        user.join()

    assert sorted(answers) == [200, 422]
    worked = [
        app.test_client()
        .post("/a/accounts/sign-in", json={"email": "owner@example.test", "password": password})
        .status_code
        for password in passwords
    ]
    assert sorted(worked) == [200, 422]


def test_a_link_that_is_too_old_is_of_no_use(app: Flask, anonymous: FlaskClient) -> None:
    link = link_in(run(app, "reset-link", "owner@example.test"))
    with app.app_context(), transaction():
        db.session.execute(update(AccountLink).values(expires_at=now() - timedelta(seconds=1)))

    assert anonymous.get(link).status_code == 410
    refused(anonymous, "accounts/reset-password", 422, link=token_of(link), password=PASSWORD)


@on_sqlite
def test_a_link_is_for_one_thing_and_signed_by_us(app: Flask, anonymous: FlaskClient) -> None:
    reset = token_of(link_in(run(app, "reset-link", "owner@example.test")))
    forged = URLSafeTimedSerializer("another key", salt="coursewire.link.reset").dumps("x")

    for link in (reset, str(forged), "", "nonsense", "\ud800"):
        assert (
            anonymous.get(
                "/invitation", query_string={"link": link.encode("utf-8", "replace").decode()}
            ).status_code
            == 410
        )
        problem = refused(
            anonymous,
            "accounts/accept-invitation",
            422,
            link=link.encode("utf-8", "replace").decode(),
            name="Eve",
            password=PASSWORD,
        )
        assert problem["title"] == "A link of no use"


@on_sqlite
def test_a_password_that_is_refused_leaves_the_link_good(
    app: Flask, anonymous: FlaskClient
) -> None:
    link = token_of(link_in(run(app, "reset-link", "owner@example.test")))

    problem = refused(anonymous, "accounts/reset-password", 422, link=link, password="short")

    assert problem["errors"]["password"].startswith("Use 12 characters or more.")
    act(anonymous, "accounts/reset-password", link=link, password=PASSWORD)


@on_sqlite
def test_disabling_an_account_ends_its_links(app: Flask, anonymous: FlaskClient) -> None:
    link = link_in(run(app, "reset-link", "owner@example.test"))

    run(app, "disable", "owner@example.test")

    assert anonymous.get(link).status_code == 410
    assert hashes(app) == []


@on_sqlite
def test_who_has_an_account_is_not_invited_again(app: Flask) -> None:
    told = app.test_cli_runner().invoke(args=["accounts", "invite", "owner@example.test"])

    assert told.exit_code != 0
    assert "owner@example.test has an account already." in told.output


@on_sqlite
def test_an_invitation_can_be_printed_again(app: Flask, anonymous: FlaskClient) -> None:
    first, second = (link_in(run(app, "invite", "ada@example.test")) for _ in range(2))

    assert first != second
    assert [anonymous.get(link).status_code for link in (first, second)] == [200, 200]
    assert (
        refused(anonymous, "accounts/sign-in", 422, email="ada@example.test", password="")["title"]
        == "Not signed in"
    )


def test_a_forgotten_password_is_answered_alike_for_everybody(
    app: Flask, anonymous: FlaskClient, mailbox: Mailbox
) -> None:
    run(app, "disable", "viewer@example.test")

    answers = [
        act(anonymous, "accounts/ask-for-link", email=email)
        for email in ("owner@example.test", "nobody@example.test", "viewer@example.test")
    ]
    react(app)

    assert {answer["message"] for answer in answers} == {
        "If this address has an account, a mail with a link is on its way to it."
    }
    assert len({tuple(answer) for answer in answers}) == 1
    assert [str(mail["To"]) for mail in mailbox.mails] == ["owner@example.test"]


def test_the_mailed_link_works(app: Flask, anonymous: FlaskClient, mailbox: Mailbox) -> None:
    act(anonymous, "accounts/ask-for-link", email="Owner@example.test")
    react(app)

    (mail,) = mailbox.mails
    assert mail["Subject"] == "Choose a new password for Coursewire"
    link = link_in(mail.get_content())
    assert anonymous.get(link).status_code == 200
    act(anonymous, "accounts/reset-password", link=token_of(link), password=PASSWORD)


@on_sqlite
def test_the_host_that_a_browser_names_never_stands_in_a_mail(
    app: Flask, anonymous: FlaskClient, mailbox: Mailbox
) -> None:
    anonymous.post(
        "/a/accounts/ask-for-link",
        json={"email": "owner@example.test"},
        headers={"Host": "evil.test", "X-Forwarded-Host": "evil.test"},
    )
    react(app)

    assert all("evil.test" not in mail.as_string() for mail in mailbox.mails)


def test_a_mail_that_the_server_does_not_take_is_sent_later(
    app: Flask, anonymous: FlaskClient, mailbox: Mailbox
) -> None:
    mailbox.refusals = 1

    act(anonymous, "accounts/ask-for-link", email="owner@example.test")
    react(app)
    with app.app_context(), transaction():
        db.session.execute(update(OutboxReaction).values(due_at=now()))
    react(app)

    (mail,) = mailbox.mails
    assert anonymous.get(link_in(mail.get_content())).status_code == 200
    with app.app_context(), reading() as session:
        assert session.scalar(select(func.count()).select_from(OutboxReaction)) == 0


@on_sqlite
def test_an_invitation_is_mailed_too(app: Flask, mailbox: Mailbox) -> None:
    said = run(app, "invite", "ada@example.test")
    react(app)

    assert "A link is on its way to ada@example.test, too." in said
    (mail,) = mailbox.mails
    assert mail["Subject"] == "You are invited to Coursewire"
    assert link_in(mail.get_content()).startswith("/invitation?link=")


def test_an_owner_invites_by_mail_who_has_no_account(
    app: Flask, owner: FlaskClient, anonymous: FlaskClient, mailbox: Mailbox
) -> None:
    said = act(owner, "courses/set-member", course_id=1, email="Ada@example.test", role="editor")
    react(app)

    assert said["message"].startswith("ada@example.test is an editor of “Photography basics”.")
    assert said["message"].endswith("An invitation is on its way.")
    members = {m["email"]: m["invited"] for m in read(owner, "courses/members/1")}
    assert (members["ada@example.test"], members["owner@example.test"]) == (True, False)
    (mail,) = mailbox.mails
    link = token_of(link_in(mail.get_content()))
    act(anonymous, "accounts/accept-invitation", link=link, name="Ada", password=PASSWORD)
    act(anonymous, "chapters/add", course_id=1, title="Engines")
    members = {m["name"]: m["invited"] for m in read(owner, "courses/members/1")}
    assert members["Ada"] is False


@on_sqlite
def test_nobody_is_flooded_with_mail(app: Flask, anonymous: FlaskClient, mailbox: Mailbox) -> None:
    for email in ("owner@example.test", "nobody@example.test"):
        for _ in range(5):
            act(anonymous, "accounts/ask-for-link", email=email)
        refused(anonymous, "accounts/ask-for-link", 429, email=email)


@on_sqlite
def test_a_site_without_mail_says_so(app: Flask, anonymous: FlaskClient) -> None:
    page = anonymous.get("/forgot-password").get_data(as_text=True)

    assert "This site sends no mail." in page
    problem = refused(anonymous, "accounts/ask-for-link", 422, email="owner@example.test")
    assert problem["detail"].startswith("This site sends no mail.")


@on_sqlite
def test_a_reset_lets_this_browser_try_whatever_strangers_do(
    app: Flask, anonymous: FlaskClient
) -> None:
    """Strangers may use up what strangers may try; a link brings their owner past that."""
    stranger = app.test_client()
    wrong = {"email": "owner@example.test", "password": "wrong"}
    for _ in range(10):
        refused(stranger, "accounts/sign-in", 422, **wrong)
    refused(anonymous, "accounts/sign-in", 429, **wrong)
    link = token_of(link_in(run(app, "reset-link", "owner@example.test")))
    act(anonymous, "accounts/reset-password", link=link, password=PASSWORD)

    act(anonymous, "accounts/sign-in", email="owner@example.test", password=PASSWORD)


@on_sqlite
def test_without_a_public_address_the_command_says_what_to_put_before_the_link(
    app: Flask,
) -> None:
    runtime = app.extensions["coursewire"]
    runtime.settings = runtime.settings.model_copy(update={"public_url": ""})

    said = run(app, "reset-link", "owner@example.test")

    assert "\n  /reset-password?link=" in said
    assert "set COURSEWIRE_PUBLIC_URL" in said
    with app.app_context(), reading() as session:
        assert (
            session.scalar(select(User.invited).where(User.email == "owner@example.test")) is False
        )


def test_a_mail_is_in_the_language_that_its_reader_chose(
    app: Flask, mailbox: Mailbox, viewer: FlaskClient, anonymous: FlaskClient
) -> None:
    act(viewer, "accounts/choose-language", language="de")

    for email in ("viewer@example.test", "editor@example.test"):
        act(anonymous, "accounts/ask-for-link", email=email)
    react(app)

    german, english = mailbox.mails
    assert german["Subject"] == "Neues Passwort für Coursewire wählen"
    assert "Der Link gilt einmal, innerhalb von zwei Stunden." in german.get_content()
    assert link_in(german.get_content()).startswith("/reset-password?link=")
    assert english["Subject"] == "Choose a new password for Coursewire"
