"""Requests from other sites, and the headers of every answer."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core import Plugin, Settings, SetupError, create_app
from tests.core.asking import HTML, LIST, problem
from tests.core.conftest import (
    BOOK,
    OWNER,
)


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
    quick_app: Flask, owner: FlaskClient, headers: dict[str, str], status: int
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


@pytest.mark.parametrize(
    "path",
    [
        LIST,
        f"/books/{BOOK}",
        "/nowhere",
        "/healthz",
        "/live",
        "/live/nowhere",
        "/static/coursewire.css",
        "/q/x/y",
    ],
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
    owner.set_cookie("__Host-user", str(OWNER), domain="localhost", secure=True)
    response = owner.post(
        "/a/notes/write", json={"book_id": BOOK, "text": "a"}, base_url="https://localhost"
    )

    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
    cookies = response.headers.getlist("Set-Cookie")
    assert response.status_code == 200
    assert cookies
    assert all(each.startswith("__Host-") and "Secure" in each for each in cookies)


def plugin_with(sources: dict[str, list[str]]) -> Plugin:
    plugin = Plugin("films", __name__)
    plugin.sources(lambda _settings: sources)
    return plugin


def test_a_plugin_adds_the_origins_that_its_pages_load_from() -> None:
    settings = Settings(database_url="sqlite://", plugins=())
    plugin = plugin_with(
        {"connect-src": ["http://127.0.0.1:9000"], "frame-src": ["https://a.test"]}
    )
    app = create_app(settings, plugins=[plugin])

    policy = app.test_client().get("/healthz").headers["Content-Security-Policy"].split("; ")

    assert "connect-src 'self' http://127.0.0.1:9000" in policy
    assert "frame-src 'self' https://a.test" in policy
    assert "script-src 'self'" in policy


NO_PLACE = "It adds a source to 'script-src'. Only connect-src, frame-src, img-src, media-src take"
NO_ORIGIN = "is no source. Write an origin, such as https://files.example."


@pytest.mark.parametrize(
    ("sources", "text"),
    [
        ({"script-src": ["https://a.test"]}, f"{NO_PLACE} further ones."),
        ({"img-src": ["https://a.test; x *"]}, f"“https://a.test; x *” {NO_ORIGIN}"),
        ({"img-src": ["*"]}, f"“*” {NO_ORIGIN}"),
    ],
)
def test_what_is_no_origin_stops_the_start(sources: dict[str, list[str]], text: str) -> None:
    settings = Settings(database_url="sqlite://", plugins=())

    with pytest.raises(SetupError) as stopped:
        create_app(settings, plugins=[plugin_with(sources)])

    assert [str(fault) for fault in stopped.value.faults] == [f"[films] {text}"]
