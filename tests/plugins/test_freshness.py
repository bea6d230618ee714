"""The freshness guard raises no false alarm: whatever the first-party plugins do, it finds nothing.

Actions are drawn at random, right and wrong ones, by several people at once, while screens are
read before and between; the guard judges every suspect.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core import Settings, create_app
from tests.conftest import act, dispose
from tests.core.conftest import runtime_of
from tests.plugins.story import COURSE, on_sqlite
from tests.servers import wait_until

ACTIONS = int(os.environ.get("FRESHNESS_ACTIONS", "300"))
"""How many actions; `make alarms` says 10000."""
SEED = int(os.environ.get("FRESHNESS_SEED", "0"))
UNHURRIED = dict.fromkeys(
    ("actions_per_user", "actions_per_address", "searches_per_user"), 1_000_000
)
"""Nobody here is a person: what bounds how fast one may go would only end the test."""
AT_ONCE = 20
"""So many actions are made before the guard is waited for."""


@dataclass
class World:
    """An app whose guard is strict, its people, and what has answered so far."""

    app: Flask
    people: dict[str, FlaskClient]
    done: int = 0
    refused: int = 0
    uploads: list[str] = field(default_factory=list)

    def look(self, person: str) -> None:
        """Read every screen of the course."""
        found: dict[str, Any] = {}
        for path in (
            "courses/list",
            f"courses/detail/{COURSE}",
            f"courses/members/{COURSE}",
            f"chapters/list/{COURSE}",
            f"chapters/outline/{COURSE}",
            "media/list",
            "media/list?search=a",
            "media/uploads",
        ):
            found[path] = self.read(person, path)
        for chapter in (found[f"chapters/list/{COURSE}"] or [])[:3]:
            self.read(person, f"chapters/picker/{chapter['id']}")
        for video in (found["media/list"] or {"rows": []})["rows"][:4]:
            self.read(person, f"media/detail/{video['media_file_id']}")
            self.read(person, f"media/usage/{video['media_file_id']}")

    def read(self, person: str, path: str) -> Any:
        response = self.people[person].get(f"/q/{path}", follow_redirects=True)
        assert response.status_code in (200, 401, 404), response.text
        return response.get_json() if response.status_code == 200 else None

    def do(self, person: str, action: str, **arguments: Any) -> None:
        response = self.people[person].post(f"/a/{action}", json=arguments)
        assert response.status_code < 500, (action, arguments, response.text)
        if action == "media/start-upload" and response.status_code == 200:
            upload_id = response.get_json()["result"]["upload_id"]
            self.uploads.append(upload_id)
            self.people[person].put(f"/media/uploads/{upload_id}/parts/0", data=b"no media!")
        self.done += response.status_code == 200
        self.refused += response.status_code != 200


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    app = create_app(settings.model_copy(update={"freshness": "strict", **UNHURRIED}))
    runtime_of(app).start()
    wait_until(lambda: runtime_of(app).hub.settled, "hub")
    people = {role: app.test_client() for role in ("owner", "editor", "viewer")}
    for role, client in people.items():
        act(client, "accounts/sign-in", email=f"{role}@example.test", password="demo")
    yield World(app, people)
    runtime_of(app).stop()
    dispose(app)


def step(world: World, draw: random.Random) -> None:
    """One random action of one random person, about what the owner sees now."""
    paths = ("courses/list", f"courses/detail/{COURSE}", f"chapters/list/{COURSE}", "media/list")
    shown = {path: world.read("owner", path) for path in paths}
    person = draw.choice(["owner", "owner", "editor", "viewer"])
    if draw.random() < 0.25:
        world.look(person)
    chapters = shown[f"chapters/list/{COURSE}"] or []
    media = [row["media_file_id"] for row in shown["media/list"]["rows"]]
    trashed = world.read("owner", "media/list?show=trash")["rows"]
    trash = [row["media_file_id"] for row in trashed]
    links = [(c["id"], v) for c in chapters for v in c["videos"]]
    title = f"{draw.choice(['Alpha', 'Beta', 'Gamma'])} {draw.randrange(1000)}"
    choices: list[tuple[str, dict[str, Any]]] = [
        ("chapters/add", {"course_id": COURSE, "title": title}),
        (
            "courses/set-member",
            {
                "course_id": COURSE,
                "email": f"{draw.choice(['editor', 'viewer'])}@example.test",
                "role": draw.choice(["editor", "viewer"]),
            },
        ),
    ]
    if len(media) < 20:
        choices += [("media/add-url", {"title": title, "url": "https://video.test/a.mp4"})] * 2
    others = [course["id"] for course in shown["courses/list"] if course["id"] != COURSE]
    if len(others) < 3:
        choices.append(("courses/add", {"title": title}))
    else:
        choices.append(("courses/remove", {"course_id": draw.choice(others)}))
    detail = shown[f"courses/detail/{COURSE}"]
    was = {name: detail[name] for name in ("title", "description", "status")}
    choices.append(("courses/edit", {"course_id": COURSE, **was, "title": title, "was": was}))
    if chapters:
        chapter = draw.choice(chapters)
        ids = [c["id"] for c in chapters]
        draw.shuffle(ids)
        choices += [
            (
                "chapters/rename",
                {
                    "chapter_id": chapter["id"],
                    "title": title,
                    "was": {"title": chapter["title"]},
                },
            ),
            ("chapters/reorder", {"course_id": COURSE, "chapter_ids": ids}),
            (
                "chapters/link-media",
                {
                    "chapter_id": chapter["id"],
                    "media_ids": draw.sample(media, min(2, len(media))),
                },
            ),
        ] * 2
        if len(chapters) > 4:
            choices += [("chapters/remove", {"chapter_id": chapter["id"]})] * 3
    if media:
        row = draw.choice(shown["media/list"]["rows"])
        choices += [
            (
                "media/rename",
                {
                    "media_id": row["media_file_id"],
                    "title": title,
                    "was": {"title": row["title"]},
                },
            ),
            ("media/remove", {"media_id": row["media_file_id"]}),
            ("media/restore", {"media_id": draw.choice(trash or media)}),
            ("media/remove-several", {"media_ids": [row["media_file_id"]]}),
            ("media/delete-for-good", {"media_id": draw.choice(trash or media)}),
        ]
    choices += [
        ("media/start-upload", {"name": f"{title}.mp4", "size_bytes": 9, "again": True}),
        ("media/complete-upload", {"upload_id": draw.choice(world.uploads or ["none"])}),
        ("media/cancel-upload", {"upload_id": draw.choice(world.uploads or ["none"])}),
    ]
    if links:
        _, link = draw.choice(links)
        target = draw.choice(chapters)
        choices += [
            ("chapters/unlink", {"link_id": link["link_id"]}),
            (
                "chapters/move-media",
                {"link_id": link["link_id"], "chapter_id": target["id"], "after_link_id": None},
            ),
        ] * 2
    action, arguments = draw.choice(choices)
    world.do(person, action, **arguments)


@on_sqlite
def test_correct_actions_raise_no_false_alarm(world: World) -> None:
    guard = runtime_of(world.app).freshness
    draw = random.Random(SEED)

    while world.done < ACTIONS:
        for _ in range(AT_ONCE):
            step(world, draw)
        assert guard.wait(60), "the judgements did not end"
        assert [str(found) for found in guard.findings] == [], f"FRESHNESS_SEED={SEED}"

    verdicts = guard.report().verdicts
    print(f"{world.done} actions, {world.refused} refused, {verdicts}")
    assert verdicts.get("unchanged", 0) > world.done, verdicts
    assert not verdicts.get("undecided"), verdicts
    assert world.done > world.refused
