"""The database of a run: courses with chapters and videos, and everybody who works on them."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from flask import Flask
from sqlalchemy import delete, insert

import core
from core.access import Access, Me
from core.current import current_runtime
from core.database import db, reading, writing
from core.migrations import upgrade_all
from core.outbox import OutboxEvent
from core.reads import make_bodies
from core.settings import Settings
from plugins.accounts.models import AccountSession, User
from plugins.accounts.sessions import COOKIE
from plugins.chapters.models import Chapter
from plugins.courses.models import Course, CourseMember
from plugins.media.models import Media
from tests.chaos.browser import Seat, key_of
from tests.chaos.history import GONE, TITLE, digest_of

POSTS = ("post1", "post2", "post3", "post4")
"""Chapters that stay where they are, for the hand to be moved between."""

_FIRST_USER = 1000


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    user_id: int
    cookie: str

    @property
    def email(self) -> str:
        """With which they are made a member."""
        return f"user{self.user_id}@example.test"


@dataclass(frozen=True)
class People:
    """Who takes part: owners write, the others watch."""

    courses: int
    videos: int
    owners: Sequence[Person]
    """One for each course; owner *n* owns course *n* + 1."""
    swingers: Sequence[Person]
    """One for each course, whose role in it changes."""
    seats: Sequence[Seat]


def settle(app: Flask, courses: int, videos: int, browsers: int) -> People:
    """Migrate and fill the database of *app*."""
    upgrade_all(app)
    tokens = [secrets.token_urlsafe(24) for _ in range(2 * courses + browsers)]
    persons = [Person(_FIRST_USER + n, f"{COOKIE}={token}") for n, token in enumerate(tokens)]
    owners, swingers = persons[:courses], persons[courses : 2 * courses]
    watchers = persons[2 * courses :]
    with app.app_context(), writing() as session:
        session.execute(insert(User), [_user(person) for person in persons])
        session.execute(
            insert(AccountSession),
            [_session(person, token) for person, token in zip(persons, tokens, strict=True)],
        )
        session.execute(insert(Media), [_video(n) for n in range(1, videos + 1)])
        for course in range(1, courses + 1):
            title = TITLE.format(register=f"k{course}", value="v0")
            session.add(Course(id=course, title=title, description=title, status="published"))
            session.flush()
            members = {owners[course - 1].user_id: "owner", swingers[course - 1].user_id: "viewer"}
            for number, person in enumerate(watchers):
                if number % courses == course - 1:
                    members[person.user_id] = "viewer" if _is_viewer(number, courses) else "editor"
            session.execute(
                insert(CourseMember),
                [
                    {"course_id": course, "user_id": user_id, "role": role}
                    for user_id, role in members.items()
                ],
            )
            session.execute(insert(Chapter), _chapters(course))
        session.execute(delete(OutboxEvent))
    seats = [
        _seat(number, person, number % courses + 1, _is_viewer(number, courses))
        for number, person in enumerate(watchers)
    ]
    seats += [
        Seat(f"swinger{n + 1}", p.user_id, p.cookie, {
            key_of("chapters", "outline", n + 1): "json",
            key_of("courses", "detail", n + 1): "json",
            key_of("courses", "list", p.user_id): "json",
        })
        for n, p in enumerate(swingers)
    ]  # fmt: skip
    return People(courses, videos, owners, swingers, seats)


@contextmanager
def open_database(url: str, folder: Path) -> Iterator[Flask]:
    """The app in this process, never started: for its models, queries and guards."""
    settings = Settings(
        secret_key="chaos",
        database_url=url,
        redis_url="redis://127.0.0.1:1/0",  # nobody there, so nothing kept is ever asked for
        upload_dir=folder / "uploads",
        database_timeout_s=20,
    )
    app = core.create_app(settings)
    try:
        yield app
    finally:
        app.extensions["coursewire"].stop()
        with app.app_context():
            db.engine.dispose()


def truth(app: Flask, seat: Seat) -> dict[str, tuple[str, bytes]]:
    """Of each key of *seat*: what it shows by the database alone, as a digest and a body."""
    found = {}
    with app.app_context(), app.test_request_context():
        runtime = current_runtime()
        me = Me(seat.user_id, "", "", staff=False, session_id=0, expires_at=core.now())
        for text, form in seat.keys.items():
            key = runtime.registry.parse_key(text)
            with reading():
                access = runtime.registry.grant(key.query.guard, me, key.values)
            if access is Access.NONE or key.is_anothers(me):
                found[text] = (GONE, b"")
                continue
            bodies = make_bodies(app, key, me)
            body = (bodies.fragments[access] if form == "html" else bodies.json).content
            found[text] = (digest_of(body), body)
    return found


def _is_viewer(number: int, courses: int) -> bool:
    return number // courses % 3 == 2


def _seat(number: int, person: Person, course: int, viewer: bool) -> Seat:
    """Half of them read fragments, as our pages do; the others JSON, as programs do."""
    form = "html" if number % 2 else "json"
    shown = key_of("chapters", "outline" if viewer else "list", course)
    keys = {
        shown: form,
        key_of("courses", "detail", course): "json" if number % 4 == 0 else "html",
        key_of("courses", "list", person.user_id): form,
    }
    if not viewer and number % 7 == 0:
        keys[key_of("media", "list")] = form
    if not viewer and number % 5 == 0:
        keys[key_of("courses", "members", course)] = "json"
    return Seat(f"browser{number}", person.user_id, person.cookie, keys)


def _user(person: Person) -> dict[str, object]:
    return {
        "id": person.user_id,
        "email": person.email,
        "name": f"User {person.user_id}",
        "password_hash": "!",
        "staff": False,
        "author": False,
        "disabled": False,
    }


def _session(person: Person, token: str) -> dict[str, object]:
    return {
        "token_hash": sha256(token.encode()).hexdigest(),
        "user_id": person.user_id,
        "expires_at": core.now() + timedelta(days=1),
        "agent": "chaos",
    }


def _video(number: int) -> dict[str, object]:
    title = TITLE.format(register=f"m{number}", value="v0")
    return {
        "title": title,
        "title_folded": title,
        "source": "url",
        "url": f"https://videos.example.test/{number}.mp4",
    }


def _chapters(course: int) -> list[dict[str, object]]:
    names = [*POSTS, "hand"]
    return [
        {
            "course_id": course,
            "title": TITLE.format(register=f"c{course}_{name}", value="v0"),
            "position": position,
        }
        for position, name in enumerate(names)
    ]
