"""A site for tests: an app with a database and a Redis of its own, and clients of it."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from core.access import Me
from core.app import create_app
from core.database import db, reading
from core.demo import fill_if_empty
from core.errors import InvalidKey
from core.migrations import upgrade_all
from core.outbox import OutboxEvent, OutboxReaction
from core.plugin import Plugin
from core.runtime import Runtime
from core.settings import Settings
from core.testing.live import Live

_DEADLINE_S = 20.0
_LOOK_S = 0.005


class Refused(AssertionError):
    """An action or a query was not answered with 200; ``problem`` is what came instead."""

    def __init__(self, what: str, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        detail = problem.get("detail") or "without a reason"
        errors = "".join(f"\n  {name}: {text}" for name, text in problem.get("errors", {}).items())
        super().__init__(f"{what} was answered {status}: {detail}{errors}")


class Client:
    """A browser's cookies, and the two things that a program does: act and read."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._runtime: Runtime = app.extensions["coursewire"]
        self.http: FlaskClient = app.test_client()
        """For everything else: pages, forms, headers."""

    @property
    def me(self) -> Me | None:
        """Who has signed in with it; ``None`` when nobody has."""
        for identity in self._runtime.registry.identities:
            cookie = self.http.get_cookie(identity.cookie)
            if cookie is not None:
                with self._app.app_context(), reading():
                    return identity.load(cookie.value)
        return None

    def act(self, action: str, **arguments: Any) -> Any:
        """Run *action*, such as ``notes/add``; returns its result. Raises `Refused`."""
        answer = self.http.post(f"/a/{action}", json=arguments)
        body = answer.get_json(silent=True) or {}
        if answer.status_code != 200:
            raise Refused(f"POST /a/{action}", answer.status_code, body)
        return body["result"]

    def read(self, key: str) -> Any:
        """What *key*, such as ``notes:list:1``, shows. Raises `Refused`, also for no such key."""
        try:
            path = self._runtime.registry.parse_key(key).path
        except InvalidKey as error:
            raise Refused(key, 400, {"detail": str(error)}) from None
        answer = self.http.get(f"/q/{path}")
        if answer.status_code != 200:
            raise Refused(f"GET /q/{path}", answer.status_code, answer.get_json(silent=True) or {})
        return answer.get_json()


class Site:
    """One running worker, on real parts, with demonstration data; the freshness guard is strict.

    ``app`` is the Flask app, ``runtime`` its moving parts, ``live`` says what became stale.
    """

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.runtime: Runtime = app.extensions["coursewire"]
        self.live = Live(self.runtime, self.settle)

    def client(self) -> Client:
        """A browser that nobody has signed in with. Sign in as people do, with an action::

        editor = site.client()
        editor.act("accounts/sign-in", email="editor@example.test", password="demo")
        """
        return Client(self.app)

    def settle(self, deadline_s: float = _DEADLINE_S) -> None:
        """Wait until all that was written is published, and heard, and every reaction has run.

        Raises `AssertionError` when that takes longer than *deadline_s*.
        """
        until = time.monotonic() + deadline_s
        while not self._is_settled():
            if time.monotonic() > until:
                raise AssertionError(
                    f"After {deadline_s:g} s something written is not published, or a reaction has "
                    "not run: look into the log for one that fails."
                )
            time.sleep(_LOOK_S)

    def assert_fresh(self, deadline_s: float = _DEADLINE_S) -> None:
        """Fail if anything that was read on this site was changed by a write that did not name it.

        Raises `AssertionError` with every finding of the freshness guard, and what to write.
        """
        self.settle(deadline_s)
        guard = self.runtime.freshness
        if not guard.wait(deadline_s):
            raise AssertionError(f"The freshness guard was not done after {deadline_s:g} s.")
        if guard.findings:
            raise AssertionError("\n\n".join(map(str, guard.findings)))

    def stop(self) -> None:
        """End what runs, and close every connection."""
        self.runtime.stop()
        with self.app.app_context():
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()

    def _is_settled(self) -> bool:
        with self.app.app_context(), reading() as session:
            for table in (OutboxEvent, OutboxReaction):
                if session.scalar(select(table.id).where(table.parked_at.is_(None)).limit(1)):
                    return False
        heard = self.runtime.hub.stamp
        return heard is not None and heard.reaches(self.runtime.bus.stamp())


def settings_of(
    folder: Path, redis_url: str, plugins: Sequence[str | Plugin], **chosen: Any
) -> Settings:
    """Settings of a site in *folder*; *chosen* are any others."""
    values: dict[str, Any] = {
        "secret_key": "a key for tests",
        "plugins": tuple(plugin for plugin in plugins if isinstance(plugin, str)),
        "database_url": f"sqlite:///{folder / 'site.sqlite3'}",
        "redis_url": redis_url,
        "redis_prefix": f"test-{uuid4().hex[:12]}",
        "upload_dir": folder / "uploads",
        "freshness": "strict",
        "inspector": "open",
        "sweep_s": 0.1,
        "canary_s": 0,
    }
    return Settings(**{**values, **chosen})


def prepare(folder: Path, redis_url: str, plugins: Sequence[str | Plugin]) -> None:
    """Make the database in *folder*: every migration, and the demonstration data."""
    app = _app(settings_of(folder, redis_url, plugins), plugins)
    upgrade_all(app)
    fill_if_empty(app)
    Site(app).stop()


def start(folder: Path, redis_url: str, plugins: Sequence[str | Plugin], **chosen: Any) -> Site:
    """Start a site on the database in *folder*, which `prepare` made there or elsewhere."""
    app = _app(settings_of(folder, redis_url, plugins, **chosen), plugins)
    site = Site(app)
    site.runtime.start()
    if not site.runtime.hub.loaded.wait(_DEADLINE_S):
        site.stop()
        raise AssertionError(f"Redis at {redis_url} did not answer within {_DEADLINE_S:g} s.")
    site.settle()
    return site


def _app(settings: Settings, plugins: Sequence[str | Plugin]) -> Flask:
    return create_app(settings, [plugin for plugin in plugins if isinstance(plugin, Plugin)])
