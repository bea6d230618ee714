"""Several writers at once on one course, each at random: nothing is lost, doubled or out of place.

What each of them was told is kept, and must add up: for every video, the links that were made, less
those that were taken out, are the links that are there. Real threads on real databases decide what
meets what; the dice only say what is tried.
"""

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from core import reading
from plugins.chapters.models import ChapterMedia
from tests.plugins.story import Story, add_videos

WRITERS, STEPS, SEEDS = 4, 25, (1, 2)
REFUSALS = {404, 409, 422}
"""What was to be changed is gone, has changed, or went elsewhere: nothing was done."""
WAYS = {"link-media", "unlink", "move-media", "move-several", "reorder", "reorder-media"}


@dataclass
class Writer:
    """Somebody who does what comes to mind, on what they saw last; ``links`` is what they did."""

    client: FlaskClient
    course_id: int
    media_ids: list[int]
    dice: random.Random
    links: Counter[int] = field(default_factory=Counter)
    tried: Counter[tuple[str, bool]] = field(default_factory=Counter)

    def work(self) -> None:
        """Look now and then, and write all the time."""
        for step in range(STEPS):
            if step % 3 == 0:
                self.look()
            self.dice.choice(self.ways)()

    @property
    def ways(self) -> list[Callable[[], None]]:
        """All that somebody can do; moves come to mind twice as often."""
        return [
            *(self.link, self.unlink, self.move, self.move, self.move_several, self.reorder),
            *(self.reorder_videos, self.move_chapter, self.add, self.remove),
        ]

    def look(self) -> None:
        shown = self.client.get(f"/q/chapters/list/{self.course_id}").get_json()
        self.chapters: dict[int, dict[int, int]] = {
            chapter["id"]: {video["link_id"]: video["media_file_id"] for video in chapter["videos"]}
            for chapter in shown
        }

    def link(self) -> None:
        ids = self.dice.sample(self.media_ids, 3)
        for outcome in self.do("link-media", chapter_id=self.chapter(), media_ids=ids) or ():
            self.links[outcome["media_file_id"]] += outcome["status"] == "linked"

    def unlink(self) -> None:
        link_id, media_id = self.video()
        if self.do("unlink", link_id=link_id) is not NOTHING:
            self.links[media_id] -= 1

    def move(self) -> None:
        after = self.dice.choice([None, self.video()[0]])
        self.do(
            "move-media", link_id=self.video()[0], chapter_id=self.chapter(), after_link_id=after
        )

    def move_several(self) -> None:
        ids = list({self.video()[0] for _ in range(3)})
        self.do("move-several", course_id=self.course_id, link_ids=ids, chapter_id=self.chapter())

    def reorder(self) -> None:
        self.look()  # only an order of all that is there is accepted
        ids = self.dice.sample(list(self.chapters), len(self.chapters))
        self.do("reorder", course_id=self.course_id, chapter_ids=ids)

    def reorder_videos(self) -> None:
        self.look()
        holding = [id_ for id_, links in self.chapters.items() if links]
        if holding:
            chapter_id = self.dice.choice(holding)
            links = list(self.chapters[chapter_id])
            ids = self.dice.sample(links, len(links))
            self.do("reorder-media", chapter_id=chapter_id, link_ids=ids)

    def move_chapter(self) -> None:
        self.do("move", chapter_id=self.chapter(), after_chapter_id=self.chapter())

    def add(self) -> None:
        self.do("add", course_id=self.course_id, title="New")

    def remove(self) -> None:
        """What it held is taken out, and brought back as often as not."""
        if len(self.chapters) < 4:
            return
        answer = self.client.post("/a/chapters/remove", json={"chapter_id": self.chapter()})
        if answer.status_code != 200:
            assert answer.status_code in REFUSALS, answer.text
            return
        undo = answer.get_json()["undo"]["arguments"]
        self.links.subtract(undo["media_ids"])
        if self.dice.random() < 0.5 and self.do("restore", **undo) is not NOTHING:
            self.links.update(undo["media_ids"])

    def chapter(self) -> int:
        return self.dice.choice(list(self.chapters))

    def video(self) -> tuple[int, int]:
        """One that they see: its link, and what it links; perhaps one that never was."""
        seen = [pair for links in self.chapters.values() for pair in links.items()]
        return self.dice.choice(seen) if seen else (10**6, self.media_ids[0])

    def do(self, action: str, **arguments: Any) -> Any:
        """What the action returned; `NOTHING` when it was refused."""
        answer = self.client.post(f"/a/chapters/{action}", json=arguments)
        self.tried[action, answer.status_code == 200] += 1
        if answer.status_code == 200:
            return answer.get_json()["result"]
        assert answer.status_code in REFUSALS, answer.text
        return NOTHING


NOTHING: tuple[()] = ()


@pytest.mark.slow
def test_whatever_several_writers_do_at_once_adds_up(
    app: Flask, owner: FlaskClient, client_for: Callable[[Any], FlaskClient]
) -> None:
    clients = [client_for(role) for role in ("owner", "editor") * (WRITERS // 2)]
    media_ids = add_videos(owner, *"ABCDEF")
    tried: Counter[tuple[str, bool]] = Counter()

    for seed in SEEDS:
        course_id = Story(app, owner, 0).act("courses/add", title="Crowded")["id"]
        story = Story(app, owner, course_id)
        story.act("courses/set-member", **member(course_id, "editor"))
        for title in "LMR":
            story.add_chapter(title)
        writers = [
            Writer(client, course_id, media_ids, random.Random(seed * 100 + number))
            for number, client in enumerate(clients)
        ]
        with ThreadPoolExecutor(WRITERS) as pool:
            for running in [pool.submit(writer.work) for writer in writers]:
                running.result()

        shown = story.chapters()  # which checks that the positions are dense
        for chapter in shown:
            linked = [video["media_file_id"] for video in chapter["videos"]]
            assert len(linked) == len(set(linked)), "a video stands twice in a chapter"
        there = Counter(v["media_file_id"] for chapter in shown for v in chapter["videos"])
        net = {id_: sum(w.links[id_] for w in writers) for id_ in media_ids}
        assert net == {id_: there[id_] for id_ in media_ids}
        tried += sum((writer.tried for writer in writers), Counter())

    with app.app_context(), reading() as session:
        rows = session.execute(
            select(ChapterMedia.media_id, func.count()).group_by(ChapterMedia.media_id)
        )
        counted = {media_id: count for media_id, count in rows if media_id in media_ids}
    for media_id in media_ids:
        uses = story.read(f"media/usage/{media_id}")["use_count"]
        assert uses == counted.get(media_id, 0)
    done = {action for action, went_well in tried if went_well}
    assert done >= WAYS, f"never done: {WAYS - done}, of {tried}"


def member(course_id: int, role: str) -> dict[str, Any]:
    return {"course_id": course_id, "email": f"{role}@example.test", "role": role}
