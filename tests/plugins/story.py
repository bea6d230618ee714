"""The words that the tests of the plugins are told in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.engine import Engine

from core import db
from tests.conftest import act

COURSE = 1
"""The id of the demonstration course: the first row of an empty table."""


# Most tests run on both databases. SQLite has one writer at a time, so races of rows are
# PostgreSQL's; and where no row is involved, one database is enough.
on_postgresql = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


def read(client: FlaskClient, path: str, **options: Any) -> Any:
    """GET a query as JSON; fails unless it answers 200."""
    response = client.get(f"/q/{path}", query_string=options or None, follow_redirects=True)
    assert response.status_code == 200, response.get_data(as_text=True)
    return response.get_json()


def refused(client: FlaskClient, action: str, status: int, /, **arguments: Any) -> Any:
    """POST an action that is refused with *status*; returns the problem."""
    response = client.post(f"/a/{action}", json=arguments)
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/problem+json"
    return response.get_json()


def add_videos(client: FlaskClient, *titles: str) -> list[int]:
    """Add videos that lie elsewhere; returns their ids."""
    return [
        act(client, "media/add-url", title=title, url="https://video.test/a.mp4")["result"][
            "media_file_id"
        ]
        for title in titles
    ]


def react(app: Flask) -> None:
    """Run the reactions that are due, in the background as ever, and wait for them."""
    with app.app_context():
        while runs := app.extensions["coursewire"].relay.react():
            for run in runs:
                run.join(timeout=30)


@contextmanager
def statements_of(app: Flask) -> Iterator[list[str]]:
    """Notes the SQL statements that run meanwhile."""
    noted: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        noted.append(statement)

    with app.app_context():
        engine: Engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield noted
    finally:
        event.remove(engine, "before_cursor_execute", note)


@dataclass
class Story:
    """One course, as one of its editors sees and changes it."""

    app: Flask
    client: FlaskClient
    course_id: int

    def act(self, action: str, **arguments: Any) -> Any:
        """Run an action; returns its result."""
        return act(self.client, action, **arguments)["result"]

    def read(self, path: str, **options: Any) -> Any:
        """Read a query."""
        return read(self.client, path, **options)

    def chapters(self) -> list[Any]:
        """The chapters with their videos."""
        found = self.read(f"chapters/list/{self.course_id}")
        assert [chapter["position"] for chapter in found] == list(range(len(found)))
        for chapter in found:
            positions = [video["position"] for video in chapter["videos"]]
            assert positions == list(range(len(positions)))
        return found  # type: ignore[no-any-return]

    def chapter(self, title: str) -> Any:
        """The chapter called *title*."""
        return next(chapter for chapter in self.chapters() if chapter["title"] == title)

    def titles(self) -> list[str]:
        """The titles of the chapters, in order."""
        return [chapter["title"] for chapter in self.chapters()]

    def videos(self, chapter_title: str) -> list[str]:
        """The titles of a chapter's videos, in order."""
        return [video["title"] for video in self.chapter(chapter_title)["videos"]]

    def add_chapter(self, title: str, *videos: str) -> int:
        """Add a chapter with new videos; returns its id."""
        chapter_id: int = self.act("chapters/add", course_id=self.course_id, title=title)["id"]
        if videos:
            media_ids = add_videos(self.client, *videos)
            self.act("chapters/link-media", chapter_id=chapter_id, media_ids=media_ids)
        return chapter_id

    def links(self, chapter_title: str) -> dict[str, int]:
        """The ids of a chapter's links, by title."""
        return {v["title"]: v["link_id"] for v in self.chapter(chapter_title)["videos"]}
