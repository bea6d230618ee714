"""Sessions: where one is signed in, what ends it, and how one's own account is changed."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from core import Me, db, now, reading, transaction
from core.outbox import OutboxEvent
from core.testing import Site
from core.testing.site import Client
from plugins.accounts.devices import device_of
from plugins.accounts.models import AccountSession
from plugins.accounts.sessions import COOKIE
from tests.conftest import act
from tests.plugins.story import on_sqlite, read, refused

A_PAGE = {"Sec-Fetch-Dest": "document"}
MOZILLA = "Mozilla/5.0"
FIREFOX = f"{MOZILLA} (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
PASSWORD = "correct battery horse"


def sign_in(site: Site, role: str = "owner") -> Client:
    client = site.client()
    client.act("accounts/sign-in", email=f"{role}@example.test", password="demo")
    return client


def me_of(client: Client) -> Me:
    assert client.me is not None
    return client.me


def key_of(client: Client) -> str:
    """What the client's account page shows."""
    return f"accounts:sessions:{me_of(client).session_id}"


def make_unseen(app: Flask, since: timedelta) -> None:
    """As if nobody had used any session for so long."""
    with app.app_context(), transaction():
        db.session.execute(update(AccountSession).values(seen_at=now() - since))


def sessions(app: Flask) -> list[Any]:
    with app.app_context(), reading() as session:
        return list(session.scalars(select(AccountSession).order_by(AccountSession.id)))


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (FIREFOX, "Firefox on Linux"),
        (f"{MOZILLA} (iPhone; CPU iPhone OS 18_0 like Mac OS X) {SAFARI}", "Safari on an iPhone"),
        (f"{MOZILLA} (Windows NT 10.0; Win64; x64) {CHROME} Edg/140.0.0.0", "Edge on Windows"),
        (f"{MOZILLA} (Linux; Android 10; K) {CHROME}", "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("", "A browser"),
    ],
)
def test_a_device_is_told_in_plain_words(agent: str, device: str) -> None:
    assert device_of(agent) == device


def test_every_open_list_shows_who_signs_in_and_who_is_signed_out(site: Site) -> None:
    here = sign_in(site)
    site.live.watch(here, key_of(here))

    with site.live.expect_stale(key_of(here)):
        there = sign_in(site)
    shown = here.read(key_of(here))
    assert [row["id"] for row in shown] == [me_of(here).session_id, me_of(there).session_id]
    assert shown[0]["address"] == "127.0.0.1"

    with site.live.expect_stale(key_of(here)):
        here.act("accounts/end-one", session_id=shown[1]["id"])
    assert [row["id"] for row in here.read(key_of(here))] == [me_of(here).session_id]
    assert there.http.get("/q/accounts/me").status_code == 401


def test_all_others_are_ended_and_this_one_stays(site: Site) -> None:
    here, *others = (sign_in(site) for _ in range(3))
    stranger = sign_in(site, "editor")

    here.act("accounts/end-others")

    assert [other.http.get("/q/accounts/me").status_code for other in others] == [401, 401]
    assert here.http.get("/q/accounts/me").status_code == 200
    assert stranger.http.get("/q/accounts/me").status_code == 200


def test_the_session_of_another_is_neither_seen_nor_ended(
    owner: FlaskClient, viewer: FlaskClient, app: Flask
) -> None:
    mine, theirs = sessions(app)

    assert viewer.get(f"/q/accounts/sessions/{mine.id}").status_code == 404
    refused(viewer, "accounts/end-one", 404, session_id=mine.id)
    assert refused(viewer, "accounts/end-one", 404, session_id=999_999)["title"]
    assert owner.get("/q/accounts/me").status_code == 200
    assert read(viewer, f"accounts/sessions/{theirs.id}")[0]["id"] == theirs.id


def test_ending_this_session_is_signing_out(app: Flask, owner: FlaskClient) -> None:
    act(owner, "accounts/end-one", session_id=sessions(app)[0].id)

    assert owner.get_cookie(COOKIE) is None
    assert owner.get("/q/accounts/me").status_code == 401


def test_a_session_that_nobody_uses_ends(app: Flask, owner: FlaskClient) -> None:
    make_unseen(app, timedelta(days=6.9))
    assert owner.get("/q/accounts/me").status_code == 200

    make_unseen(app, timedelta(days=7))

    assert owner.get("/q/accounts/me").status_code == 401


@on_sqlite
def test_opening_a_page_is_use_and_what_the_page_reads_by_itself_is_not(
    app: Flask, owner: FlaskClient
) -> None:
    make_unseen(app, timedelta(hours=1))

    owner.get("/q/courses/list", follow_redirects=True)
    owner.get("/courses", headers={"Sec-Fetch-Dest": "empty"})
    assert now() - sessions(app)[0].seen_at > timedelta(minutes=59)

    owner.get("/courses", headers=A_PAGE, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    seen = sessions(app)[0]
    assert now() - seen.seen_at < timedelta(minutes=1)
    assert seen.address == "192.0.2.7"


@on_sqlite
def test_use_is_written_down_once_in_a_while(app: Flask, owner: FlaskClient) -> None:
    make_unseen(app, timedelta(minutes=14))

    owner.get("/courses", headers=A_PAGE)

    assert now() - sessions(app)[0].seen_at > timedelta(minutes=13)


def test_a_list_of_sessions_follows_their_use_and_their_end(site: Site) -> None:
    here, there = sign_in(site), sign_in(site)
    make_unseen(site.app, timedelta(hours=1))
    here.read(key_of(here))
    with site.app.app_context(), transaction():
        over = update(AccountSession).where(AccountSession.id == me_of(there).session_id)
        db.session.execute(over.values(expires_at=now()))

    with site.live.expect_stale(key_of(here)):
        here.http.get("/courses", headers=A_PAGE)

    assert [row["id"] for row in here.read(key_of(here))] == [me_of(here).session_id]


def test_a_session_that_a_release_before_began_goes_on(app: Flask, owner: FlaskClient) -> None:
    with app.app_context(), transaction():
        db.session.execute(update(AccountSession).values(seen_at=None, address=None))

    (mine,) = sessions(app)
    (shown,) = read(owner, f"accounts/sessions/{mine.id}")

    assert (shown["seen_at"], shown["address"]) == (shown["began_at"], "")


def test_another_name_shows_at_once(site: Site) -> None:
    owner = sign_in(site)
    site.live.watch(owner, "courses:members:1")

    with site.live.expect_stale("courses:members:1", f"accounts:me:{me_of(owner).user_id}"):
        owner.act("accounts/rename", name=" Olivia\tOwner ")

    assert "Olivia Owner" in [row["name"] for row in owner.read("courses:members:1")]


def test_another_password_ends_every_session_and_gives_this_browser_a_new_one(
    app: Flask, owner: FlaskClient
) -> None:
    other = app.test_client()
    act(other, "accounts/sign-in", email="owner@example.test", password="demo")
    before = owner.get_cookie(COOKIE)

    act(owner, "accounts/change-password", password="demo", new_password=PASSWORD)

    after = owner.get_cookie(COOKIE)
    assert before is not None
    assert after is not None
    assert after.value != before.value
    assert owner.get("/q/accounts/me").status_code == 200
    assert other.get("/q/accounts/me").status_code == 401
    thief = app.test_client()
    thief.set_cookie(COOKIE, before.value)
    assert thief.get("/q/accounts/me").status_code == 401
    refused(other, "accounts/sign-in", 422, email="owner@example.test", password="demo")
    act(other, "accounts/sign-in", email="owner@example.test", password=PASSWORD)


@on_sqlite
@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ("wrong", PASSWORD, "password", "This is not your password."),
        ("demo", "short", "new_password", "Use 12 characters or more."),
        ("demo", "owner@example.test", "new_password", "This says little but your own name"),
    ],
)
def test_a_password_is_changed_by_who_knows_it_to_a_good_one(
    owner: FlaskClient, old: str, new: str, field: str, said: str
) -> None:
    problem = refused(owner, "accounts/change-password", 422, password=old, new_password=new)

    assert problem["errors"][field].startswith(said)
    assert owner.get("/q/accounts/me").status_code == 200


@on_sqlite
def test_a_signed_in_thief_cannot_guess_the_password_for_long(owner: FlaskClient) -> None:
    wrong = {"password": "wrong", "new_password": PASSWORD}
    for _ in range(10):
        refused(owner, "accounts/change-password", 422, **wrong)

    refused(owner, "accounts/change-password", 429, **wrong)


@on_sqlite
def test_a_cookie_planted_before_the_sign_in_is_nobody_after_it(
    app: Flask, anonymous: FlaskClient
) -> None:
    anonymous.set_cookie(COOKIE, "planted")

    act(anonymous, "accounts/sign-in", email="owner@example.test", password="demo")

    thief = app.test_client()
    thief.set_cookie(COOKIE, "planted")
    assert thief.get("/q/accounts/me").status_code == 401


@on_sqlite
def test_the_account_page_shows_name_password_and_sessions(owner: FlaskClient) -> None:
    page = owner.get("/account").get_data(as_text=True)

    assert 'value="Olive Owner"' in page
    assert 'action="/a/accounts/change-password"' in page
    assert "This browser" in page


def test_the_first_admin_is_made_as_often_as_a_release_runs(
    app: Flask, anonymous: FlaskClient
) -> None:
    def run(*args: str) -> str:
        told = app.test_cli_runner().invoke(
            args=["accounts", "create-admin", *args], env={"COURSEWIRE_PASSWORD": PASSWORD}
        )
        assert told.exit_code == 0, told.output
        return told.output

    assert run("Ada@example.test") == "ada@example.test is one of the staff.\n"
    act(anonymous, "accounts/sign-in", email="ada@example.test", password=PASSWORD)
    assert read(anonymous, "accounts/me")["staff"] is True
    assert run("ada@example.test") == "ada@example.test is one of the staff.\n"
    assert anonymous.get("/q/accounts/me").status_code == 200, "nothing changed"
    assert run("owner@example.test") == "owner@example.test is one of the staff.\n"
    act(anonymous, "accounts/sign-in", email="owner@example.test", password="demo")
    assert read(anonymous, "accounts/me")["staff"] is True


def test_an_admin_without_a_password_chooses_one_by_a_link(
    app: Flask, anonymous: FlaskClient
) -> None:
    def run() -> str:
        return (
            app.test_cli_runner()
            .invoke(
                args=["accounts", "create-admin", "ada@example.test"],
                env={"COURSEWIRE_PASSWORD": ""},
            )
            .output
        )

    link = run().splitlines()[2].strip()
    assert "/invitation?link=" in link
    assert run() == "ada@example.test is one of the staff.\n", "a second run prints no link"

    assert anonymous.get(link).status_code == 200
    act(
        anonymous,
        "accounts/accept-invitation",
        link=link.partition("link=")[2],
        name="Ada",
        password=PASSWORD,
    )
    assert read(anonymous, "accounts/me")["staff"] is True


def test_using_a_session_leaves_nothing_to_be_published(app: Flask, owner: FlaskClient) -> None:
    make_unseen(app, timedelta(hours=1))

    owner.get("/courses", headers=A_PAGE)

    with app.app_context(), reading() as session:
        assert session.scalar(select(func.count()).select_from(OutboxEvent)) == 0
