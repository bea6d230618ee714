"""Secrets: what must never be said is marked, everything is done, and all that was said is read."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from itsdangerous import BadSignature

from core import Settings, create_app
from core.current import current_runtime
from core.signing import signer
from tests.servers import ROOT, gunicorn, redis_server, sqlite_copy, wait_until

MARKED = {
    "SECRET_KEY": "marked-secret-key",
    "COURSEWIRE_SECRET_KEY_FALLBACKS": "marked-old-key,marked-older-key",
    "COURSEWIRE_SMTP_PASSWORD": "marked-smtp-password",
    "COURSEWIRE_OIDC_CLIENT_SECRET": "marked-client-secret",
    "COURSEWIRE_METRICS_TOKEN": "marked-metrics-token",
}
REDIS_PASSWORD = "marked-redis-password"
NEW_PASSWORD = "marked battery horse"
PAGES = [
    "/", "/courses", "/courses/1", "/courses/1/members", "/account", "/media", "/sign-in",
    "/sign-in/provider", "/sign-in/provider/back?code=marked-code&state=x", "/status", "/nowhere",
    "/forgot-password", "/reset-password?link=marked-link", "/invitation?link=marked-link",
    "/q/courses/list", "/q/courses/members/1", "/q/nothing", "/openapi.json", "/healthz", "/readyz",
    "/live/traces", "/live/map", "/live/findings", "/live?key=nonsense", "/metrics",
]  # fmt: skip


def accounts(environment: dict[str, str], *arguments: str) -> str:
    told = subprocess.run(
        [sys.executable, "-m", "flask", "accounts", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return told.stdout


def test_nothing_secret_is_said_in_any_answer_or_log(tmp_path: Path, filled_sqlite: Path) -> None:
    with redis_server("valkey") as redis:
        with redis.client() as admin:
            admin.config_set("requirepass", REDIS_PASSWORD)
        environment = {
            **MARKED,
            "DATABASE_URL": sqlite_copy(filled_sqlite, tmp_path),
            "REDIS_URL": redis.url.replace("unix://", f"unix://:{REDIS_PASSWORD}@"),
            "WEB_CONCURRENCY": "1",
            "COURSEWIRE_ACCESS_LOG": "-",
            "COURSEWIRE_LOG_LEVEL": "debug",
            "COURSEWIRE_PUBLIC_URL": "https://courses.test",
            "COURSEWIRE_SMTP_HOST": "127.0.0.1",
            "COURSEWIRE_SMTP_PORT": "1",
            "COURSEWIRE_SMTP_USER": "courses",
            "COURSEWIRE_OIDC_ISSUER": "http://127.0.0.1:1",
            "COURSEWIRE_OIDC_CLIENT_ID": "coursewire",
        }
        with gunicorn(tmp_path, **environment) as server:
            made = accounts(environment, "create-admin", "ada@example.test")
            link = re.search(r"link=(\S+)", made)
            assert link is not None, made
            with httpx.Client(base_url=server.url, timeout=20) as client:
                said, own = _do_everything(client, link[1])
                redis.kill()
                said += [_text(client.get("/courses")), _text(client.get("/readyz"))]
            wait_until(lambda: "mail_the_link" in server.log.read_text(), "a mail that failed")
        said.append(server.log.read_text())

    secrets = [*MARKED.values(), *MARKED["COURSEWIRE_SECRET_KEY_FALLBACKS"].split(",")]
    secrets += [REDIS_PASSWORD, NEW_PASSWORD, "marked-code", "marked-wrong", link[1], *own]
    told = [
        (secret, _around(text, secret)) for text in said for secret in secrets if secret in text
    ]
    assert told == []


def _do_everything(client: httpx.Client, link: str) -> tuple[list[str], list[str]]:
    """What was answered, and the cookies, which are secrets too."""
    bodies: list[dict[str, Any]] = [
        {"email": "ada@example.test", "password": "marked-wrong"},
        {"email": "ada@example.test", "password": 7},
        {"email": "ada@example.test", "pass": "marked-wrong"},
    ]
    said = [_text(client.post("/a/accounts/sign-in", json=body)) for body in bodies]
    said.append(_text(client.post("/a/accounts/sign-in", content=b"{marked-wrong")))
    accepted = client.post(
        "/a/accounts/accept-invitation",
        json={"link": link, "name": "Ada", "password": NEW_PASSWORD},
    )
    assert accepted.status_code == 200, accepted.text
    said.append(_text(accepted))
    for accept in ("text/html", "application/json"):
        said += [_text(client.get(page, headers={"Accept": accept})) for page in PAGES]
    said.append(_text(client.get(f"/invitation?link={link}")).replace(link, "its own"))
    asked = client.post("/a/accounts/ask-for-link", json={"email": "owner@example.test"})
    assert asked.status_code == 200, asked.text
    token = client.get("/metrics", headers={"Authorization": "Bearer marked-metrics-token"})
    assert token.status_code == 200
    return [*said, _text(asked), _text(token)], [v for v in client.cookies.values() if len(v) > 30]


def _text(answer: httpx.Response) -> str:
    """All that an answer says, but for the cookies that it sets."""
    headers = [f"{name}: {value}" for name, value in answer.headers.items() if name != "set-cookie"]
    return "\n".join([*headers, answer.text])


def _around(text: str, secret: str) -> str:
    at = text.index(secret)
    return text[max(0, at - 200) : at + 100]


def test_settings_tell_no_secret_when_they_are_printed_or_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in MARKED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:marked-database@127.0.0.1/x")
    assert "marked" not in repr(Settings())

    monkeypatch.setenv("COURSEWIRE_OIDC_ISSUER", "https://provider.test")
    with pytest.raises(
        ValueError, match="oidc_issuer needs oidc_client_id and public_url"
    ) as wrong:
        Settings()
    assert "marked" not in str(wrong.value)


def test_an_old_key_is_believed_and_signs_nothing(settings: Settings) -> None:
    def texts(**keys: Any) -> Iterator[Any]:
        app = create_app(settings.model_copy(update=keys))
        with app.app_context():
            yield signer("proof")
            current_runtime().stop()

    for old in texts(secret_key="old"):
        signed = old.dumps("before")
    for rotated in texts(secret_key="new", secret_key_fallbacks=("older", "old")):
        assert rotated.loads(signed) == "before"
        anew = rotated.dumps("after")
    for done in texts(secret_key="new"):
        assert done.loads(anew) == "after", "the new key signs"
        with pytest.raises(BadSignature):
            done.loads(signed)


def test_no_file_of_the_repository_holds_a_key() -> None:
    files = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    keys = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|AKIA[0-9A-Z]{16}|gh[pousr]_\w{36}")

    guilty = [
        name
        for name in files
        if (ROOT / name).is_file() and keys.search((ROOT / name).read_text(errors="replace"))
    ]

    assert guilty == []
