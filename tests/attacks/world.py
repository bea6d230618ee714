"""Two courses of different people, and everybody who might knock: from nobody to the staff."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from sqlalchemy import select
from werkzeug.datastructures import FileStorage

from core import Settings, create_app, db, reading
from core.actions import Action, Upload
from core.migrations import upgrade_all
from core.parameters import plain_type
from plugins.accounts.models import AccountSession, User
from tests.conftest import act, dispose
from tests.plugins.story import add_videos, read

PEOPLE = ("anonymous", "outsider", "viewer", "editor", "owner", "staff")
"""Who asks: nobody, one without any course, three members of the course, and the site's staff."""

NEIGHBOUR = "neighbour"
"""Who owns the other course, and is no member of the first."""

EXAMPLES: dict[str, int | str] = {
    "plugin": "courses",
    "name": "list",
    "rest": "1",
    "filename": "coursewire.css",
    "trace": "0123456789abcdef",
    "number": 0,
    "url": "https://video.test/a.mp4",
    "email": "viewer@example.test",
    "fingerprint": "",
    "language": "en",
}
"""What stands for parameters of addresses and actions that name nothing of a course."""

SEVERAL = {"chapter_ids": "chapter_id", "link_ids": "link_id", "media_ids": "media_id"}
"""Parameters that take a list, and of which ids."""

Ids = Mapping[str, int | str]


@dataclass
class World:
    """The app, its people, and the ids of the two courses by the parameters that take them."""

    app: Flask
    folder: Path
    cookies: dict[str, str] = field(default_factory=dict)
    """What the browser of each of the people sends along."""
    mine: dict[str, int | str] = field(default_factory=dict)
    """The demonstration course's, whose owner, editor and viewer are among the people."""
    theirs: dict[str, int | str] = field(default_factory=dict)
    """The neighbour's."""

    def client(self, who: str) -> FlaskClient:
        """A new browser of *who*; what it learns or forgets is not there for the next."""
        client = self.app.test_client()
        for each in filter(None, self.cookies[who].split("; ")):
            name, _, value = each.partition("=")
            client.set_cookie(name, value)
        return client

    def keep(self) -> None:
        """From now on `restore` brings back what the database holds now."""
        dispose(self.app)
        shutil.copy(self.folder / "db.sqlite3", self.folder / "kept.sqlite3")

    def restore(self) -> None:
        """Make the database what it was."""
        dispose(self.app)
        for rest in self.folder.glob("db.sqlite3-*"):
            rest.unlink()
        shutil.copy(self.folder / "kept.sqlite3", self.folder / "db.sqlite3")


@contextmanager
def world_of(settings: Settings, folder: Path) -> Iterator[World]:
    """A world on a copy of the demonstration data in *folder*."""
    app = create_app(settings.model_copy(update={"plugins": (*settings.plugins, "audit")}))
    world = World(app, folder)
    try:
        upgrade_all(app)
        _add_people(app)
        for who in (*PEOPLE, NEIGHBOUR):
            client = app.test_client()
            if who != "anonymous":
                act(client, "accounts/sign-in", email=f"{who}@example.test", password="demo")
                client.delete_cookie("live_floor")
            world.cookies[who] = client.get("/healthz").request.headers.get("Cookie", "")
        _add_courses(world)
        world.keep()
        yield world
    finally:
        app.extensions["coursewire"].stop()
        dispose(app)


def _add_people(app: Flask) -> None:
    with app.app_context():
        owner = db.session.scalars(select(User).where(User.email == "owner@example.test")).one()
        db.session.add_all(
            User(
                email=f"{who}@example.test",
                name=f"The {who}",
                password_hash=owner.password_hash,
                author=who == NEIGHBOUR,
                staff=who == "staff",
            )
            for who in ("outsider", "staff", NEIGHBOUR)
        )
        db.session.commit()
        db.session.remove()


def _add_courses(world: World) -> None:
    owner, neighbour = world.client("owner"), world.client(NEIGHBOUR)
    course_id = act(neighbour, "courses/add", title="The neighbour's course")["result"]["id"]
    for title in ("Theirs", "Theirs too"):
        chapter = act(neighbour, "chapters/add", course_id=course_id, title=title)["result"]
        videos = add_videos(neighbour, f"{title}, a", f"{title}, b")
        act(neighbour, "chapters/link-media", chapter_id=chapter["id"], media_ids=videos)
    for client, ids, number in ((owner, world.mine, 1), (neighbour, world.theirs, course_id)):
        first, second, *_ = read(client, f"chapters/list/{number}")
        video, other = first["videos"]
        upload = act(
            client,
            "media/start-upload",
            name="a.mp4",
            size_bytes=100,
            last_modified_ms=0,
            fingerprint="",
            title="On its way",
        )["result"]
        ids.update(EXAMPLES)
        ids.update(
            {
                "upload_id": upload["upload_id"],
                "course_id": number,
                "chapter_id": first["id"],
                "after_chapter_id": second["id"],
                "link_id": video["link_id"],
                "after_link_id": other["link_id"],
                "before_link_id": other["link_id"],
                "media_id": video["media_file_id"],
                "user_id": read(client, "accounts/me")["user_id"],
                "session_id": _session_of(world, read(client, "accounts/me")["user_id"]),
            }
        )


def _session_of(world: World, user_id: int) -> int:
    with world.app.app_context(), reading() as session:
        ids = select(AccountSession.id).where(AccountSession.user_id == user_id)
        return session.scalars(ids).one()


def arguments_for(action: Action[..., Any], ids: Ids) -> dict[str, Any]:
    """A body that *action* takes, about *ids*."""
    return {p.name: example(p.name, p.annotation, ids) for p in action.fields}


def post(client: FlaskClient, action: Action[..., Any], arguments: Mapping[str, Any]) -> int:
    """Send *action*, with a file where it takes one; the status."""
    address = f"/a/{action.plugin}/{action.path_name}"
    uploads = [p.name for p in action.parameters if p.annotation is Upload]
    if not uploads:
        return client.post(address, json=arguments).status_code
    content = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0" * 64
    files = {name: FileStorage(BytesIO(content), "a.mp4") for name in uploads}
    form = {name: value for name, value in arguments.items() if value is not None}
    return client.post(
        address, data={**form, **files}, headers={"Accept": "application/json"}
    ).status_code


def example(name: str, annotation: Any, ids: Ids) -> Any:
    """A value of *annotation* for the parameter or field *name*."""
    if name in ids:
        return ids[name]
    if name in SEVERAL:
        return [ids[SEVERAL[name]]]
    plain = plain_type(annotation)
    inner = get_args(plain)
    if get_origin(plain) in (Literal, Union, UnionType):
        return inner[-1] if get_origin(plain) is Literal else None
    if get_origin(plain) is list:
        return [example(name, inner[0], ids)]
    if isinstance(plain, type) and issubclass(plain, BaseModel):
        return {
            each: example(each, info.annotation, ids)
            for each, info in plain.model_fields.items()
            if info.default is PydanticUndefined
        }
    return {int: 1, bool: False}.get(plain, "A text")
