"""Forged, replayed and fixed sessions, guessed passwords, and names that are not ours."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer

from core import create_app
from plugins.accounts.sessions import COOKIE
from tests.attacks.world import PEOPLE, World
from tests.conftest import act, dispose
from tests.servers import Gunicorn, gunicorn, sqlite_copy


def token_of(client: FlaskClient) -> str:
    found = client.get_cookie(COOKIE)
    assert found is not None
    return str(found.value)


def with_token(app: Flask, token: str) -> FlaskClient:
    client = app.test_client()
    client.set_cookie(COOKIE, token)
    return client


def known(client: FlaskClient) -> bool:
    return client.get("/q/accounts/me").status_code == 200


def signed_in(world: World, who: str = "viewer") -> FlaskClient:
    client = world.app.test_client()
    act(client, "accounts/sign-in", email=f"{who}@example.test", password="demo")
    return client


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token + "=",
        lambda token: token.swapcase(),
        lambda _: "1",
        lambda _: "' OR 1=1 --",
        lambda _: "a" * 4_000,
        lambda token: URLSafeTimedSerializer("a key for tests").dumps({"user_id": 1}),
    ],
)
def test_a_token_that_nobody_gave_signs_nobody_in(
    world: World, forge: Callable[[str], str]
) -> None:
    token = token_of(signed_in(world))

    assert known(with_token(world.app, token))
    assert not known(with_token(world.app, forge(token)))


def test_a_token_is_worth_nothing_after_signing_out_even_when_replayed(world: World) -> None:
    client = signed_in(world)
    token = token_of(client)

    act(client, "accounts/sign-out")

    assert not known(with_token(world.app, token))


def test_a_token_that_the_attacker_planted_is_not_the_session_after_signing_in(
    world: World,
) -> None:
    attacker = signed_in(world, "outsider")
    planted = token_of(attacker)
    victim = with_token(world.app, planted)

    act(victim, "accounts/sign-in", email="owner@example.test", password="demo")

    assert token_of(victim) != planted
    assert not known(with_token(world.app, planted))


def test_flasks_own_cookie_signs_nobody_in(world: World) -> None:
    client = world.app.test_client()
    forged = {"user_id": 1, "_user_id": "1", "staff": True}
    signer = world.app.session_interface.get_signing_serializer(world.app)  # type: ignore[attr-defined]
    client.set_cookie("session", signer.dumps(forged))

    assert not known(client)


def test_addresses_that_a_browser_makes_up_give_it_no_further_tries(world: World) -> None:
    settings = world.app.config["COURSEWIRE"]
    app = create_app(settings.model_copy(update={"sign_in_tries": 3, "redis_prefix": "spoofed"}))
    headers = ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "X-Client-IP"]

    tries = []
    for n in range(6):
        spoofed = dict.fromkeys(headers, f"198.51.100.{n}")
        body = {"email": "editor@example.test", "password": f"guess {n}"}
        answer = app.test_client().post("/a/accounts/sign-in", json=body, headers=spoofed)
        tries.append(answer.status_code)
    app.extensions["coursewire"].stop()
    dispose(app)

    assert tries == [422, 422, 422, 429, 429, 429]


ELSEWHERE = [
    "//evil.test/",
    "///evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "https://evil.test/",
    "https:evil.test",
    "http:/evil.test",
    "/\t/evil.test",
    "\t//evil.test",
    "javascript:alert(1)",
    "data:text/html,x",
    "//localhost@evil.test/",
    "http://localhost@evil.test/",
    "http://localhost:80@evil.test/",
    "http://localhost.evil.test/",
    "/\r\nLocation: //evil.test",
    "／／evil.test",
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_no_redirect_leaves_the_site(world: World, target: str) -> None:
    member, nobody = world.client("owner"), world.client("anonymous")
    answers = [
        member.get("/sign-in", query_string={"next": target}),
        nobody.post(
            "/a/accounts/sign-in",
            data={"email": "owner@example.test", "password": "demo", "_next": target},
        ),
        member.post("/a/courses/add", data={"title": "A", "_next": target}),
        member.post("/a/courses/add", data={"title": "", "_next": target}),
    ]
    for answer in answers:
        assert answer.status_code in (302, 303)
        parts = urlsplit(answer.location)
        assert (parts.scheme, parts.netloc) == ("", ""), answer.location
        assert answer.location.startswith("/")
        assert not answer.location.startswith(("//", "/\\"))


def test_no_route_redirects_to_what_its_address_names(world: World) -> None:
    for path in (
        "//evil.test/..",
        "/%2f%2fevil.test",
        "/courses//evil.test",
        "/media/..//evil.test",
    ):
        for who in PEOPLE:
            answer = world.client(who).get(path)
            location = answer.headers.get("Location", "/")

            assert urlsplit(location).netloc in ("", "localhost"), (path, location)


def test_a_name_that_is_not_ours_is_refused_and_probes_are_not(world: World) -> None:
    settings = world.app.config["COURSEWIRE"].model_copy(
        update={"allowed_hosts": ("courses.test", ".learn.test")}
    )
    app = create_app(settings)
    client = app.test_client()

    def status(host: str, path: str = "/sign-in") -> int:
        return client.get(path, headers={"Host": host}).status_code

    found = {
        host: status(host)
        for host in (
            "courses.test",
            "courses.test:8000",
            "a.learn.test",
            "evil.test",
            "xlearn.test",
        )
    }
    probes = [status("10.0.0.7", path) for path in ("/healthz", "/readyz")]
    stream = status("evil.test", "/live?key=courses:list:1")
    app.extensions["coursewire"].stop()
    dispose(app)

    assert list(found.values()) == [200, 200, 200, 400, 400]
    assert probes == [200, 200]
    assert stream == 400


@pytest.fixture
def server(tmp_path: Path, filled_sqlite: Path, valkey: str) -> Any:
    environment = {
        "DATABASE_URL": sqlite_copy(filled_sqlite, tmp_path),
        "REDIS_URL": valkey,
        "COURSEWIRE_UPLOAD_DIR": str(tmp_path / "var" / "uploads"),
        "WEB_CONCURRENCY": "1",
    }
    with gunicorn(tmp_path, **environment) as running:
        yield running


@pytest.mark.parametrize(
    ("header", "never"),
    [
        ("X-Forwarded-Proto: https", b"Strict-Transport-Security"),
        ("X-Forwarded-Host: evil.test", b"evil.test"),
        ("X-Forwarded-Prefix: /evil", b"/evil"),
        ("SCRIPT_NAME: /evil", b"/evil"),
        ("Script-Name: /evil", b"/evil"),
    ],
)
def test_a_header_of_proxies_is_nothing_where_no_proxy_is_trusted(
    server: Gunicorn, header: str, never: bytes
) -> None:
    there = urlsplit(server.url)
    with socket.create_connection((there.hostname, there.port), timeout=10) as connection:
        request = f"GET /courses HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{header}\r\n\r\n"
        connection.sendall(request.encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert answer.startswith((b"HTTP/1.1 303", b"HTTP/1.1 400"))
    assert never not in answer


HTTPS = "https://localhost"


def test_over_https_every_cookie_is_one_that_no_other_host_can_plant(world: World) -> None:
    client = world.app.test_client()
    person = {"email": "owner@example.test", "password": "demo"}
    answers = [
        client.post("/a/accounts/sign-in", data=person, base_url=HTTPS),
        client.post("/a/accounts/choose-language", json={"language": "en"}, base_url=HTTPS),
        client.get("/media?view=list", base_url=HTTPS),
    ]

    cookies = [each for answer in answers for each in answer.headers.getlist("Set-Cookie")]

    names = {each.partition("=")[0].removeprefix("__Host-") for each in cookies}
    assert names >= {COOKIE, "coursewire_device", "live_floor", "lang", "coursewire_library_view"}
    for each in cookies:
        fields = set(each.split("; ")[1:])
        assert each.startswith("__Host-")
        assert fields >= {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}, each
        assert "Domain" not in each
    assert client.get("/q/accounts/me", base_url=HTTPS).status_code == 200


def test_over_https_a_cookie_under_the_plain_name_is_nobodys(world: World) -> None:
    """A page of a sibling domain could set it, to be written to in the attacker's account."""
    client = with_token(world.app, token_of(world.client("owner")))

    plain = client.get("/q/accounts/me")
    planted = client.get("/q/accounts/me", base_url=HTTPS)

    assert (plain.status_code, planted.status_code) == (200, 401)


def test_where_all_cookies_are_for_https_they_are_so_behind_a_proxy_that_says_nothing(
    world: World,
) -> None:
    settings = world.app.config["COURSEWIRE"]
    app = create_app(settings.model_copy(update={"secure_cookies": "always"}))
    client = app.test_client()
    person = {"email": "owner@example.test", "password": "demo"}

    answer = client.post("/a/accounts/sign-in", json=person)
    app.extensions["coursewire"].stop()
    dispose(app)

    cookies = answer.headers.getlist("Set-Cookie")
    assert answer.status_code == 200
    assert all(each.startswith("__Host-") and "Secure" in each for each in cookies)
