"""What a large library costs to read and to change: ``make bench-library``.

A library of 10,000 files, and a course of 200 chapters with 2,000 links, in a SQLite file (or in
the database of ``DATABASE_URL``, which must be empty). Everything is asked of the app itself,
without a server or a network around it. The time is the processor time of the worker, in which
SQLite's is included, so that what else the machine does counts for nothing. Reads are cold, each
after a change of what they show; ``N`` says how often each thing is done. The last line is JSON.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from bench.fanout import say
from core import Settings, create_app
from core.demo import fill_if_empty
from core.migrations import upgrade_all
from tests.conftest import dispose
from tests.plugins.story import statements_of
from tests.plugins.test_statements import CHAPTERS, LIBRARY, LINKS, make_course
from tests.servers import redis_server

LIMIT_MS = 100


@dataclass(frozen=True)
class Cost:
    """What one thing costs: milliseconds (median, worst), statements, and bytes of the answer."""

    name: str
    median_ms: float
    worst_ms: float
    statements: int
    size_bytes: int


@dataclass
class Large:
    """The large library and course, and a browser of its owner."""

    app: Flask
    client: FlaskClient
    course_id: int
    chapter_ids: list[int]
    media_id: int
    link_id: int


def main() -> None:
    """Fill, measure, print."""
    rounds = int(os.environ.get("N", "20"))
    with large_library() as large:
        say(f"{LIBRARY} files, {CHAPTERS} chapters, {LINKS} links; {rounds} rounds\n")
        say(f"{'':34}{'median':>9}{'worst':>9}{'statements':>12}{'answer':>11}")
        costs = [measure(large, name, run, rounds) for name, run in things(large).items()]
        for cost in costs:
            say(
                f"{cost.name:34}{cost.median_ms:>6.1f} ms{cost.worst_ms:>6.1f} ms"
                f"{cost.statements:>12}{cost.size_bytes / 1000:>8.0f} KB"
            )
    slow = [cost.name for cost in costs if cost.median_ms >= LIMIT_MS]
    say(f"\n{LIMIT_MS} ms or more: {', '.join(slow) if slow else 'nothing'}")
    say(json.dumps([asdict(cost) for cost in costs]))


def things(large: Large) -> dict[str, Callable[[int], Any]]:
    """What is asked, each as a function of the round."""
    course, chapter = large.course_id, large.chapter_ids[0]
    html = {"Accept": "text/html"}

    def get(path: str, **options: Any) -> Callable[[int], Any]:
        return lambda _round: large.client.get(path, query_string=options, follow_redirects=True)

    def move(number: int) -> Any:
        link, other = large.link_id, large.chapter_ids[1 + number % (CHAPTERS - 1)]
        return post(
            large, "chapters/move-media", link_id=link, chapter_id=other, after_link_id=None
        )

    def page(path: str) -> Callable[[int], Any]:
        return lambda _round: large.client.get(path, headers=html, follow_redirects=True)

    return {
        "library, first page": get("/q/media/list"),
        "library, page 200 by title": get("/q/media/list", page=200, sort="title"),
        "library, two words searched": get("/q/media/list", search="film 77"),
        "library, filtered": get("/q/media/list", use="unused", kind="video"),
        "a file": get(f"/q/media/detail/{large.media_id}"),
        "where it is used": get(f"/q/media/usage/{large.media_id}"),
        "picker of a chapter": get(f"/q/chapters/picker/{chapter}"),
        "course with its totals": get(f"/q/courses/detail/{course}"),
        "chapters of the course": get(f"/q/chapters/list/{course}"),
        "page of the library": page("/media"),
        "page of the course, to edit": page(f"/courses/{course}/edit"),
        "page of the course, to learn": page(f"/courses/{course}"),
        "a video moves to a chapter": move,
    }


def measure(large: Large, name: str, run: Callable[[int], Any], rounds: int) -> Cost:
    """Do it *rounds* times, each time after something changed that everything shows."""
    taken_ms, size_bytes, counts = [], 0, []
    for number in range(rounds):
        media_id = large.media_id
        title = f"Film {number} of {name}"
        was = large.client.get(f"/q/media/detail/{media_id}").get_json()["title"]
        post(large, "media/rename", media_id=media_id, title=title, was={"title": was})
        with statements_of(large.app) as noted:
            began_s = time.process_time()
            answer = run(number)
            body = answer.get_data()
            taken_ms.append((time.process_time() - began_s) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"{name}: {answer.status_code} {body[:200]!r}")
        counts.append(len(noted))
        size_bytes = len(body)
    return Cost(
        name,
        round(statistics.median(taken_ms), 1),
        round(max(taken_ms), 1),
        max(counts),
        size_bytes,
    )


def post(large: Large, action: str, **arguments: Any) -> Any:
    """Run an action; raises when it is refused."""
    answer = large.client.post(f"/a/{action}", json=arguments)
    if answer.status_code != 200:
        raise RuntimeError(f"{action}: {answer.get_data(as_text=True)}")
    return answer


def fill_course(database_url: str, folder: Path) -> int:
    """Fill an empty database with all of it, for a server to show; returns the course's id."""
    with large_library(database_url, folder) as large:
        return large.course_id


@contextmanager
def large_library(database_url: str = "", folder: Path | None = None) -> Iterator[Large]:
    """An app on a database of its own, with everything in it, and its owner signed in."""
    with ExitStack() as ending:
        folder = folder or Path(ending.enter_context(tempfile.TemporaryDirectory()))
        valkey = ending.enter_context(redis_server("valkey"))
        settings = Settings(
            secret_key="bench",  # noqa: S106  nobody else asks this app
            database_url=database_url
            or os.environ.get("DATABASE_URL")
            or f"sqlite:///{folder / 'db.sqlite3'}",
            redis_url=valkey.url,
            upload_dir=folder / "uploads",
            canary_s=0,
        )
        app = create_app(settings)
        upgrade_all(app)
        fill_if_empty(app)
        ending.callback(dispose, app)
        ending.callback(app.extensions["coursewire"].stop)
        client = app.test_client()
        who = {"email": "owner@example.test", "password": "demo"}
        client.post("/a/accounts/sign-in", json=who)
        me = client.get("/q/accounts/me", follow_redirects=True).get_json()
        course_id, _, media_id = make_course(
            app, me["user_id"], chapters=CHAPTERS, links=LINKS, library=LIBRARY
        )
        chapters = client.get(f"/q/chapters/list/{course_id}").get_json()
        yield Large(
            app,
            client,
            course_id,
            [chapter["id"] for chapter in chapters],
            media_id,
            chapters[0]["videos"][0]["link_id"],
        )


if __name__ == "__main__":
    main()
