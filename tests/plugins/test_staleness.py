"""Whatever a write changes for anybody, it names: no screen stays as it was.

Every key of every query is read before and after every action, as every user, with what that user
may do with it. What differs must have been named by the action's events: the key itself, a prefix
of it, or the access of that user.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from sqlalchemy import select

from core import Access, Me, NotFound, now, reading
from core.keys import prefixes
from core.queries import Key
from core.reads import data_of, run_query
from core.writes import run_action
from plugins.accounts.models import AccountSession
from tests.conftest import act
from tests.plugins.story import COURSE, Story, add_videos, react, read
from tests.servers import wait_until

WEBM = Path(__file__).parents[2] / "plugins" / "media" / "demo" / "rule-of-thirds.webm"

Shown = dict[str, tuple[dict[int, Access], Any]]
"""By key: what each user may do with it, and what it shows to those who may."""


class Watch:
    """Every screen of everybody."""

    def __init__(self, app: Flask, story: Story) -> None:
        self.app = app
        self.story = story
        self.registry = app.extensions["coursewire"].registry
        members = {m["role"]: m for m in story.read(f"courses/members/{COURSE}")}
        self.people = [
            Me(m["user_id"], m["name"], m["email"], False, 0, now()) for m in members.values()
        ]
        names = ("course_id", "chapter_id", "media_id", "session_id")
        self.ids: dict[str, list[int]] = {name: [] for name in names}

    def ids_now(self) -> dict[str, list[int]]:
        """Every id that a key may hold; those of before stay, for what was removed."""
        courses = [row["id"] for row in self.story.read("courses/list")]
        chapters = [c["id"] for id_ in courses for c in self.story.read(f"chapters/list/{id_}")]
        with self.app.app_context(), reading() as session:
            sessions = list(session.scalars(select(AccountSession.id)))
        found = {
            "session_id": sessions,
            "course_id": courses,
            "chapter_id": chapters,
            "media_id": [row["media_file_id"] for row in self.story.read("media/list")["rows"]],
        }
        self.ids = {name: sorted({*self.ids[name], *found[name]}) for name in found}
        return self.ids

    def keys(self) -> Iterator[Key]:
        """Every key of every query, and every page of those with options."""
        ids = self.ids_now() | {"me": [me.user_id for me in self.people]}
        for query in self.registry.queries:
            choices = [ids[parameter.name] for parameter in query.required]
            for params in itertools.product(*choices):
                yield query.key(*params)
                if query.options:
                    yield query.key(*params, search="a", sort="title")

    def show(self) -> Shown:
        """Every key, as it is now."""
        keys = list(self.keys())
        with self.app.app_context(), reading():
            return {key.text: (self._accesses(key), self._data(key)) for key in keys}

    def unnamed(self, action: str, me: Me, **arguments: Any) -> set[tuple[str, int]]:
        """Run the action; returns what changed for whom without being named."""
        plugin, _, name = action.partition("/")
        found = self.registry.find_action(plugin, name)
        before = self.show()
        with self.app.test_request_context():
            g.coursewire_me = me
            named = set(run_action(found, found.arguments_from_json(arguments), me).stale)
        after = self.show()
        common = before.keys() & after.keys()
        assert any(before[text] != after[text] for text in common), f"{action} changed nothing"
        return {
            (text, me.user_id)
            for text in common
            for me in self.people
            if self._missed(text, me.user_id, before[text], after[text], named)
        }

    def _missed(self, text: str, user_id: int, before: Any, after: Any, named: set[str]) -> bool:
        if f"access:{user_id}" in named:
            return False
        old, new = before[0][user_id], after[0][user_id]
        if old > new and after[1] is not None:
            return True  # what was granted is remembered, so they see it still
        seen_before, seen_after = (old and before[1]), (new and after[1])
        return (old, seen_before) != (new, seen_after) and not named & {*prefixes(text)}

    def _accesses(self, key: Key) -> dict[int, Access]:
        return {
            me.user_id: self.registry.grant(key.query.guard, me, key.values)
            if key.owner_id in (None, me.user_id)
            else Access.NONE
            for me in self.people
        }

    def _data(self, key: Key) -> Any:
        me = next((me for me in self.people if me.user_id == key.owner_id), self.people[0])
        try:
            result, parts = run_query(key, me)
        except NotFound:
            return None
        return data_of(key, result, parts)


@pytest.fixture
def watch(app: Flask, story: Story) -> Watch:
    story.add_chapter("Basics", "Alpha", "Beta")
    other = Story(app, story.client, story.act("courses/add", title="Another")["id"])
    other.add_chapter("Elsewhere")
    media_id = story.chapter("Basics")["videos"][0]["media_file_id"]
    elsewhere = other.chapter("Elsewhere")["id"]
    story.act("chapters/link-media", chapter_id=elsewhere, media_ids=[media_id])
    return Watch(app, story)


def test_nothing_changes_unnamed(watch: Watch, story: Story) -> None:
    owner = watch.people[0]
    basics, light = story.chapter("Basics"), story.chapter("Light")
    alpha, beta = basics["videos"]
    (loose,) = add_videos(story.client, "A loose video")
    other = story.read("courses/list")[0]["id"]
    detail = story.read(f"courses/detail/{COURSE}")
    was = {name: detail[name] for name in ("title", "description", "status")}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("courses/edit", {"course_id": COURSE, **was, "title": "A new title", "was": was}),
        ("courses/add", {"title": "A third course"}),
        (
            "courses/set-member",
            {"course_id": other, "email": "viewer@example.test", "role": "viewer"},
        ),
        (
            "courses/set-member",
            {"course_id": COURSE, "email": "viewer@example.test", "role": "editor"},
        ),
        (
            "courses/set-member",
            {"course_id": COURSE, "email": "viewer@example.test", "role": "viewer"},
        ),
        ("media/add-url", {"title": "An address", "url": "https://video.test/b.mp4"}),
        (
            "media/rename",
            {
                "media_id": alpha["media_file_id"],
                "title": "A renamed video",
                "was": {"title": "Alpha"},
            },
        ),
        ("chapters/link-media", {"chapter_id": light["id"], "media_ids": [loose]}),
        ("chapters/add", {"course_id": COURSE, "title": "A chapter"}),
        (
            "chapters/rename",
            {"chapter_id": basics["id"], "title": "Bases", "was": {"title": "Basics"}},
        ),
        ("chapters/move", {"chapter_id": basics["id"], "after_chapter_id": None}),
        (
            "chapters/move-media",
            {"link_id": beta["link_id"], "chapter_id": basics["id"], "after_link_id": None},
        ),
        (
            "chapters/move-media",
            {"link_id": beta["link_id"], "chapter_id": light["id"], "after_link_id": None},
        ),
        ("chapters/unlink", {"link_id": alpha["link_id"]}),
        (
            "chapters/relink",
            {
                "course_id": COURSE,
                "links": [
                    {
                        "chapter_id": basics["id"],
                        "media_id": alpha["media_file_id"],
                        "position": 0,
                    }
                ],
            },
        ),
        (
            "chapters/move-several",
            {"course_id": COURSE, "link_ids": [beta["link_id"]], "chapter_id": basics["id"]},
        ),
        (
            "chapters/put-back",
            {
                "course_id": COURSE,
                "places": [{"link_id": beta["link_id"], "chapter_id": light["id"], "position": 0}],
            },
        ),
        ("chapters/unlink-several", {"course_id": COURSE, "link_ids": [beta["link_id"]]}),
        (
            "chapters/restore",
            {
                "course_id": COURSE,
                "title": "Restored",
                "position": 1,
                "media_ids": [alpha["media_file_id"]],
            },
        ),
        ("media/remove", {"media_id": beta["media_file_id"]}),
        ("media/restore", {"media_id": beta["media_file_id"]}),
        ("media/remove-several", {"media_ids": [beta["media_file_id"]]}),
        ("media/restore-several", {"media_ids": [beta["media_file_id"]]}),
        ("media/remove", {"media_id": beta["media_file_id"]}),
        ("media/delete-for-good", {"media_id": beta["media_file_id"]}),
        ("chapters/remove", {"chapter_id": light["id"]}),
        (
            "courses/remove-member",
            {"course_id": COURSE, "user_id": watch.people[2].user_id},
        ),
        ("courses/remove", {"course_id": other}),
        ("courses/remove", {"course_id": COURSE}),
    ]

    for action, arguments in steps:
        assert watch.unnamed(action, owner, **arguments) == set(), (action, arguments)


def test_an_upload_names_what_it_changes_at_each_step(
    app: Flask, watch: Watch, story: Story, owner: FlaskClient
) -> None:
    me = watch.people[0]
    content = WEBM.read_bytes()
    start = {"name": "film.webm", "size_bytes": len(content), "again": True}
    assert not watch.unnamed("media/start-upload", me, **start)
    ticket = story.act("media/start-upload", **start)
    chapter = story.chapter("Basics")["id"]
    link = {"chapter_id": chapter, "media_ids": [ticket["media_file_id"]]}
    assert not watch.unnamed("chapters/link-media", me, **link)
    for number in range(-(-len(content) // ticket["part_bytes"])):
        at = number * ticket["part_bytes"]
        part = content[at : at + ticket["part_bytes"]]
        owner.put(f"/media/uploads/{ticket['upload_id']}/parts/{number}", data=part)

    arguments = {"upload_id": ticket["upload_id"]}
    assert not watch.unnamed("media/complete-upload", me, **arguments)
    assert story.chapter("Basics")["videos"][-1]["status"] == "ready"

    replaced = {**start, "name": "other.webm", "media_id": ticket["media_file_id"]}
    assert not watch.unnamed("media/start-upload", me, **replaced)
    again = story.act("media/start-upload", **replaced)
    assert not watch.unnamed("media/cancel-upload", me, upload_id=again["upload_id"])


def test_reordering_names_what_it_changes(watch: Watch, story: Story) -> None:
    owner = watch.people[0]
    basics = story.chapter("Basics")
    chapters = [chapter["id"] for chapter in story.chapters()][::-1]
    links = [video["link_id"] for video in basics["videos"]][::-1]
    twice = [basics["videos"][0]["media_file_id"]]
    story.act("chapters/link-media", chapter_id=story.chapter("Light")["id"], media_ids=twice)

    assert not watch.unnamed("chapters/reorder", owner, course_id=COURSE, chapter_ids=chapters)
    assert not watch.unnamed(
        "chapters/reorder-media", owner, chapter_id=basics["id"], link_ids=links
    )
    assert not watch.unnamed("chapters/remove", owner, chapter_id=basics["id"])


def test_access_that_goes_with_a_link_is_named(watch: Watch, story: Story) -> None:
    beta = story.chapter("Basics")["videos"][1]

    assert not watch.unnamed("chapters/unlink", watch.people[0], link_id=beta["link_id"])


def test_viewers_see_a_video_as_long_as_it_is_linked(
    app: Flask, story: Story, viewer: FlaskClient
) -> None:
    runtime = app.extensions["coursewire"]
    runtime.start()
    wait_until(lambda: runtime.hub.stamp, "stamp of the hub")
    story.add_chapter("Basics", "Alpha")
    alpha = story.chapter("Basics")["videos"][0]
    path = f"/q/media/detail/{alpha['media_file_id']}"
    assert viewer.get(path).status_code == 200

    story.act("chapters/unlink", link_id=alpha["link_id"])

    wait_until(lambda: viewer.get(path).status_code == 404, "loss of access")


def test_the_recount_after_a_removed_course_is_named_too(
    app: Flask, watch: Watch, story: Story, owner: FlaskClient
) -> None:
    used = next(row for row in read(owner, "media/list")["rows"] if row["title"] == "Beta")
    act(owner, "courses/remove", course_id=COURSE)
    stamp = owner.get("/q/media/list").headers["Live-Stamp"]

    react(app)

    again = owner.get(f"/q/media/usage/{used['media_file_id']}")
    assert again.get_json()["use_count"] == 0
    assert int(again.headers["Live-Stamp"].split("-")[1]) > int(stamp.split("-")[1])
