"""How often a password may be guessed, by whom, and who is not kept out by that."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core import Limit, Settings, TooMany, create_app, network_of
from plugins.accounts.sessions import COOKIE
from plugins.accounts.tries import DEVICE_COOKIE
from tests.conftest import dispose, settings_for
from tests.core.conftest import own_redis  # noqa: F401  a fixture
from tests.servers import RedisServer

MakeSite = Callable[..., Flask]
WORDS = "Too many wrong passwords. Wait a few minutes, then try again, or reset your password."


@pytest.fixture
def sqlite_settings(tmp_path: Path, valkey: str, filled_sqlite: Path) -> Settings:
    """Settings of a copy of the demonstration data."""
    shutil.copytree(filled_sqlite, tmp_path / "var")
    return settings_for(f"sqlite:///{tmp_path / 'var' / 'db.sqlite3'}", valkey, tmp_path / "var")


@pytest.fixture
def make_site(sqlite_settings: Settings) -> Iterator[MakeSite]:
    """Makes the app with few tries, behind one proxy."""
    made: list[Flask] = []

    def make(**chosen: Any) -> Flask:
        few = {"sign_in_tries": 2, "trusted_proxies": 1, **chosen}
        made.append(create_app(sqlite_settings.model_copy(update=few)))
        return made[-1]

    yield make
    for app in made:
        app.extensions["coursewire"].stop()
        dispose(app)


def sign_in(
    client: FlaskClient,
    email: str = "owner",
    password: str = "demo",  # noqa: S107  the demonstration password
    address: str = "192.0.2.1",
) -> int:
    """Try to sign in, from *address* as the proxy tells it; the status."""
    response = client.post(
        "/a/accounts/sign-in",
        json={"email": f"{email}@example.test", "password": password},
        headers={"X-Forwarded-For": address},
    )
    if response.status_code == 429:
        assert response.get_json()["detail"] == WORDS
        assert 1 <= int(response.headers["Retry-After"]) <= 3600
    return response.status_code


def test_after_too_many_wrong_passwords_even_the_right_one_waits(make_site: MakeSite) -> None:
    client = make_site().test_client()

    wrong = [sign_in(client, password="x") for _ in range(3)]

    assert wrong == [422, 422, 429]
    assert sign_in(client) == 429
    assert sign_in(client, "editor") == 200  # another account, from the same place


def test_an_account_that_does_not_exist_is_limited_alike(make_site: MakeSite) -> None:
    client = make_site().test_client()

    assert [sign_in(client, "nobody") for _ in range(3)] == [422, 422, 429]


def test_signing_in_rightly_is_no_failure(make_site: MakeSite) -> None:
    app = make_site(sign_in_tries_per_address=2, sign_in_tries_per_account=2)

    assert [sign_in(app.test_client()) for _ in range(5)] == [200] * 5


def test_who_guesses_elsewhere_does_not_keep_the_owner_out(make_site: MakeSite) -> None:
    app = make_site(sign_in_tries_per_account=3)
    owner = app.test_client()
    assert sign_in(owner) == 200
    owner.delete_cookie(COOKIE)

    guesses = [
        sign_in(app.test_client(), password="x", address=f"198.51.100.{n}") for n in range(5)
    ]

    assert guesses == [422, 422, 422, 429, 429]
    assert sign_in(app.test_client()) == 429  # a browser that this account never was used on
    assert sign_in(owner) == 200


def test_a_known_browser_has_a_limit_of_its_own(make_site: MakeSite) -> None:
    owner = make_site().test_client()
    sign_in(owner)

    tries = [sign_in(owner, password="x", address=f"198.51.100.{n}") for n in range(3)]

    assert tries == [422, 422, 429]


def test_a_browser_known_for_one_account_is_a_stranger_to_another(make_site: MakeSite) -> None:
    app = make_site(sign_in_tries_per_account=1)
    editor = app.test_client()
    sign_in(editor, "editor")

    assert [sign_in(editor, password="x") for _ in range(2)] == [422, 429]


@pytest.mark.parametrize("cookie", ["", "made up", "WyJhIixbImIiXV0.aa.bb"])
def test_a_made_up_device_is_a_stranger(make_site: MakeSite, cookie: str) -> None:
    app = make_site(sign_in_tries_per_account=1)
    client = app.test_client()
    client.set_cookie(DEVICE_COOKIE, cookie)

    assert [sign_in(client, password="x") for _ in range(2)] == [422, 429]


def test_the_address_is_the_one_that_the_trusted_proxy_saw(make_site: MakeSite) -> None:
    app = make_site(sign_in_tries_per_address=1, sign_in_tries=1)
    client = app.test_client()

    first = sign_in(client, "a", address="203.0.113.9, 192.0.2.1")
    second = sign_in(client, "b", address="203.0.113.10, 192.0.2.1")

    assert (first, second) == (422, 429)


def test_without_a_trusted_proxy_nobody_chooses_an_address(make_site: MakeSite) -> None:
    client = make_site(trusted_proxies=0).test_client()

    wrong = [sign_in(client, password="x", address=f"203.0.113.{n}") for n in range(3)]

    assert wrong == [422, 422, 429]


def test_a_form_without_javascript_is_told_in_words(make_site: MakeSite) -> None:
    client = make_site(sign_in_tries=1).test_client()
    form = {"email": "owner@example.test", "password": "x", "_next": "/sign-in"}
    client.post("/a/accounts/sign-in", data=form)

    page = client.post("/a/accounts/sign-in", data=form, follow_redirects=True)

    assert page.request.path == "/sign-in"
    assert WORDS in page.get_data(as_text=True)


def test_all_workers_count_together_and_without_redis_each_counts_for_itself(
    make_site: MakeSite,
    own_redis: RedisServer,  # noqa: F811
) -> None:
    first, second = (make_site(redis_url=own_redis.url).test_client() for _ in range(2))

    assert [sign_in(c, password="x") for c in (first, second, first)] == [422, 422, 429]
    own_redis.kill()
    assert [sign_in(first, password="x") for _ in range(3)] == [422, 422, 429]
    assert [sign_in(second, password="x") for _ in range(3)] == [422, 422, 429]


def test_redis_learns_no_address_and_no_e_mail(make_site: MakeSite) -> None:
    app = make_site()
    sign_in(app.test_client(), password="x")

    redis = app.extensions["coursewire"].bus.client
    names = list(redis.scan_iter("*:tries:*"))

    assert len(names) >= 3
    assert not any("owner" in name or "192.0" in name for name in names)


def test_tries_at_once_are_counted_before_they_are_made(make_site: MakeSite) -> None:
    throttle = make_site().extensions["coursewire"].throttle
    limit = Limit("door", 2, 60)

    tries = [throttle.take("No.", (limit, "ada")) for _ in range(2)]
    with pytest.raises(TooMany):
        throttle.take("No.", (limit, "ada"))
    tries[0].give_back()
    throttle.count(limit, "ada", -1)

    throttle.take("No.", (limit, "ada"))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002"),
        ("2001:db8:1:2::1", "2001:0db8:0001:0002"),
        ("unix:", "unix:"),
    ],
)
def test_one_customer_of_a_provider_is_one_network(address: str, network: str) -> None:
    assert network_of(address) == network
