"""Who did what to which course, as the plugin `audit` hears it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from core import Event, Origin, Plugin, Settings, create_app, db, emit, transaction
from core.migrations import upgrade_all
from plugins.accounts.events import AccountChanged
from plugins.audit.listeners import forget
from plugins.audit.models import AuditEntry
from tests.conftest import act, dispose, settings_for
from tests.plugins.story import read, refused
from tests.servers import sqlite_copy


@pytest.fixture
def audited(tmp_path: Path, filled_sqlite: Path, valkey: str) -> Iterator[Flask]:
    """The demonstration data, and the log enabled from now on."""
    settings = settings_for(sqlite_copy(filled_sqlite, tmp_path), valkey, tmp_path / "var")
    with_log = settings.model_copy(update={"plugins": (*settings.plugins, "audit")})
    app = create_app(with_log)
    upgrade_all(app)
    yield app
    app.extensions["coursewire"].stop()
    dispose(app)


def signed_in(app: Flask, who: str) -> FlaskClient:
    client = app.test_client()
    act(client, "accounts/sign-in", email=f"{who}@example.test", password="demo")
    return client


def entries(app: Flask) -> list[AuditEntry]:
    with app.app_context():
        return list(db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)))


def test_an_action_is_noted_with_who_did_what_to_which_course(audited: Flask) -> None:
    owner = signed_in(audited, "owner")

    act(owner, "chapters/add", course_id=1, title="A title that is nobody's business")

    log = read(owner, "audit/course/1")
    assert [row["event"] for row in log["rows"]] == ["chapter-added"]
    row = log["rows"][0]
    assert (row["name"], row["action"], row["course_id"]) == ("Olive Owner", "chapters.add", 1)
    assert list(row["ids"]) == ["chapter_id"]
    assert "business" not in str(log)


def test_every_event_of_every_plugin_is_heard_and_no_text_is_kept(audited: Flask) -> None:
    owner = signed_in(audited, "owner")
    media = act(owner, "media/add-url", title="Secret words", url="https://video.test/a.mp4")
    act(owner, "media/rename", media_id=media["result"]["media_file_id"], title="Other words",
        was={"title": "Secret words"})  # fmt: skip
    act(owner, "courses/set-member", course_id=1, email="viewer@example.test", role="editor")
    act(owner, "accounts/sign-out")

    noted = entries(audited)

    assert {"media-added", "media-renamed", "member-changed", "session-ended"} <= {
        entry.event for entry in noted
    }
    assert "audited" not in {entry.event for entry in noted}
    assert all("words" not in str(entry.ids) for entry in noted)


def test_what_was_refused_or_undone_is_not_noted(audited: Flask) -> None:
    viewer = signed_in(audited, "viewer")

    refused(viewer, "chapters/add", 403, course_id=1, title="No")
    with audited.app_context(), suppress(ZeroDivisionError), transaction():
        emit(AccountChanged(user_id=1))
        raise ZeroDivisionError

    assert {entry.event for entry in entries(audited)} <= {"session-began"}


def test_a_command_is_noted_without_a_user(audited: Flask) -> None:
    audited.test_cli_runner().invoke(args=["accounts", "disable", "viewer@example.test"])

    found = entries(audited)

    assert "account-changed" in {entry.event for entry in found}
    assert {(entry.user_id, entry.action) for entry in found} == {(None, None)}


def test_owners_and_staff_read_the_log_and_nobody_else(audited: Flask) -> None:
    for who, status in (("owner", 200), ("editor", 404), ("viewer", 404)):
        client = signed_in(audited, who)
        assert client.get("/q/audit/course/1").status_code == status, who
        assert client.get("/courses/1/log").status_code == status, who
        assert client.get("/log").status_code == 404, who


def test_the_log_stands_under_the_members_for_owners_alone(audited: Flask) -> None:
    owner, editor = signed_in(audited, "owner"), signed_in(audited, "editor")
    act(owner, "chapters/add", course_id=1, title="One")

    seen, not_seen = (c.get("/courses/1/members").get_data(as_text=True) for c in (owner, editor))

    assert 'key="audit:course:1"' in seen
    assert "Chapter added" in seen
    assert "audit:course" not in not_seen


def test_the_log_is_live_and_told_only_to_those_who_may_read_it(audited: Flask) -> None:
    owner, editor = signed_in(audited, "owner"), signed_in(audited, "editor")

    by_owner = act(owner, "chapters/add", course_id=1, title="One")["stale"]
    by_editor = act(editor, "chapters/add", course_id=1, title="Two")["stale"]

    assert ["audit", "course", 1] in by_owner
    assert not any(key[0] == "audit" for key in by_editor)


def test_the_log_has_pages_and_forgets_what_is_old(audited: Flask) -> None:
    owner = signed_in(audited, "owner")
    for number in range(60):
        act(owner, "chapters/add", course_id=1, title=f"Chapter {number}")

    first, second = (read(owner, "audit/course/1", **page) for page in ({}, {"page": "2"}))
    assert (first["total"], first["pages"], len(first["rows"])) == (60, 2, 50)
    assert len(second["rows"]) == 10
    assert first["rows"][0]["id"] > second["rows"][0]["id"]

    with audited.app_context(), transaction():
        for entry in db.session.scalars(select(AuditEntry)):
            entry.at = entry.at.replace(year=2020)
        db.session.flush()
        forget()
    assert entries(audited) == []


def test_what_listeners_emit_is_told_to_no_listener(
    tmp_path: Path, filled_sqlite: Path, valkey: str
) -> None:
    echo, heard = Plugin("echo", __name__), []

    @echo.event
    class Echoed(Event):
        pass

    @echo.on_every
    def answer(events: Sequence[Event], origin: Origin) -> None:
        heard.append(([event.wire_name for event in events], origin.action, origin.user_id))
        emit(Echoed())

    settings: Settings = settings_for(sqlite_copy(filled_sqlite, tmp_path), valkey, tmp_path)
    app = create_app(settings, [echo])

    owner = signed_in(app, "owner")
    heard.clear()
    act(owner, "chapters/add", course_id=1, title="One")
    app.extensions["coursewire"].stop()
    dispose(app)

    assert heard == [(["chapter-added"], "chapters.add", 1)]
