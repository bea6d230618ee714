"""Positions stay dense, and orders stay what people made them, whatever they do."""

from collections.abc import Iterator
from itertools import count
from typing import Any, ClassVar

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from plugins.chapters.positions import placed, without
from tests.conftest import act
from tests.plugins.story import Story, add_videos

orders = st.lists(st.integers(0, 50), unique=True, min_size=1)


@given(orders, st.data())
def test_a_move_keeps_everything_and_the_order_of_the_rest(
    order: list[int], data: st.DataObject
) -> None:
    moving = data.draw(st.sampled_from(order))
    after = data.draw(st.sampled_from([None, *without(order, moving)]))

    moved = placed(order, moving, after)

    assert sorted(moved) == sorted(order)
    assert without(moved, moving) == without(order, moving)
    at = moved.index(moving)
    assert (moved[at - 1] if at else None) == after


@given(orders, st.integers(51, 60))
def test_a_move_behind_what_is_not_there_is_an_error(order: list[int], absent: int) -> None:
    with pytest.raises(ValueError, match="list"):
        placed(order, order[0], absent)


class TwoEditors(RuleBasedStateMachine):
    """Two people edit one course; each acts on what they saw last, which may be old.

    The model is what a course is to people: titles in order. Every action either does what it says
    to the model or is refused, and then changes nothing.
    """

    app: ClassVar[Flask]
    people: ClassVar[list[FlaskClient]]
    media: ClassVar[list[int]]
    names: ClassVar[Iterator[int]] = count()
    shown: dict[int, dict[int, int]]

    @initialize()
    def begin(self) -> None:
        title = f"Course {next(self.names)}"
        self.course_id = act(self.people[0], "courses/add", title=title)["result"]["id"]
        act(
            self.people[0],
            "courses/set-member",
            course_id=self.course_id,
            email="editor@example.test",
            role="editor",
        )
        self.story = Story(self.app, self.people[0], self.course_id)
        self.model: dict[int, list[int]] = {}
        self.seen: list[dict[int, list[int]]] = [{}, {}]
        for media in (self.media[:4], self.media[2:]):
            chapter = self.add(0)
            self.do(0, "link-media", chapter_id=chapter, media_ids=media)
            self.model[chapter] = list(media)
        for who in (0, 1):
            self.look(who)

    @rule(who=st.integers(0, 1))
    def look(self, who: int) -> None:
        self.seen[who] = {chapter: list(media) for chapter, media in self.model.items()}

    @rule(who=st.integers(0, 1))
    def add_chapter(self, who: int) -> None:
        self.add(who)

    def add(self, who: int) -> int:
        added: int = self.do(who, "add", course_id=self.course_id, title="Chapter")["id"]
        self.model[added] = []
        return added

    @rule(who=st.integers(0, 1), data=st.data())
    def move(self, who: int, data: st.DataObject) -> None:
        if not self.seen[who]:
            return
        moving = data.draw(st.sampled_from(list(self.seen[who])))
        after = data.draw(st.sampled_from([None, *without(list(self.seen[who]), moving)]))
        possible = moving in self.model and (after is None or after in self.model)
        done = self.do(who, "move", possible, chapter_id=moving, after_chapter_id=after)
        if possible:
            self.sort(placed(list(self.model), moving, after))
            assert done == list(self.model)

    @rule(who=st.integers(0, 1), data=st.data())
    def reorder(self, who: int, data: st.DataObject) -> None:
        if not self.seen[who]:
            return
        order = data.draw(st.permutations(list(self.seen[who])))
        possible = set(order) == set(self.model)
        self.do(who, "reorder", possible, course_id=self.course_id, chapter_ids=order)
        if possible:
            self.sort(order)

    @rule(who=st.integers(0, 1), data=st.data())
    def remove(self, who: int, data: st.DataObject) -> None:
        if not self.seen[who]:
            return
        chapter = data.draw(st.sampled_from(list(self.seen[who])))
        self.do(who, "remove", chapter in self.model, chapter_id=chapter)
        self.model.pop(chapter, None)

    @rule(who=st.integers(0, 1), data=st.data())
    def link(self, who: int, data: st.DataObject) -> None:
        if not self.seen[who]:
            return
        chapter = data.draw(st.sampled_from(list(self.seen[who])))
        chosen = data.draw(st.lists(st.sampled_from(self.media), min_size=1, max_size=4))
        possible = chapter in self.model
        done = self.do(who, "link-media", possible, chapter_id=chapter, media_ids=chosen)
        if possible:
            there = self.model[chapter]
            wanted = list(dict.fromkeys(chosen))
            assert [outcome["status"] for outcome in done] == [
                "already_linked" if media_id in there else "linked" for media_id in wanted
            ]
            there += [media_id for media_id in wanted if media_id not in there]

    @rule(who=st.integers(0, 1), data=st.data())
    def unlink(self, who: int, data: st.DataObject) -> None:
        if place := self.draw_link(data):
            chapter, media_id = place
            self.do(who, "unlink", link_id=self.link_id(chapter, media_id))
            self.model[chapter].remove(media_id)

    @rule(who=st.integers(0, 1), data=st.data())
    def move_media(self, who: int, data: st.DataObject) -> None:
        if (place := self.draw_link(data)) is None:
            return
        source, media_id = place
        to = data.draw(st.sampled_from(list(self.model)))
        others = without(self.model[to], media_id) if to == source else self.model[to]
        after = data.draw(st.sampled_from([None, *others]))
        possible = to == source or media_id not in self.model[to]
        self.do(
            who,
            "move-media",
            possible,
            link_id=self.link_id(source, media_id),
            chapter_id=to,
            after_link_id=self.link_id(to, after) if after is not None else None,
        )
        if possible:
            self.model[source].remove(media_id)
            self.model[to] = placed(self.model[to], media_id, after)

    @rule(who=st.integers(0, 1), data=st.data())
    def reorder_media(self, who: int, data: st.DataObject) -> None:
        if (place := self.draw_link(data)) is None:
            return
        order = data.draw(st.permutations(self.model[place[0]]))
        links = [self.link_id(place[0], media_id) for media_id in order]
        self.do(who, "reorder-media", chapter_id=place[0], link_ids=links)
        self.model[place[0]] = list(order)

    @invariant()
    def the_course_is_what_people_made_it(self) -> None:
        if not hasattr(self, "story"):
            return
        self.shown = {
            chapter["id"]: {video["media_file_id"]: video["link_id"] for video in chapter["videos"]}
            for chapter in self.story.chapters()
        }
        shown = [(chapter, list(links)) for chapter, links in self.shown.items()]
        assert shown == list(self.model.items())

    def teardown(self) -> None:
        if not hasattr(self, "story"):
            return
        total = dict.fromkeys(self.media, 0)
        for media in self.model.values():
            for media_id in media:
                total[media_id] += 1
        counted = {
            media_id: self.story.read(f"media/usage/{media_id}")["use_count"]
            for media_id in self.media
        }
        assert counted == total
        for chapter in self.model:
            self.do(0, "remove", chapter_id=chapter)

    def do(self, who: int, action: str, possible: bool = True, **arguments: Any) -> Any:
        response = self.people[who].post(f"/a/chapters/{action}", json=arguments)
        assert response.status_code in ((200,) if possible else (404, 409)), response.text
        return response.get_json().get("result")

    def draw_link(self, data: st.DataObject) -> tuple[int, int] | None:
        links = [(chapter, media_id) for chapter, media in self.model.items() for media_id in media]
        return data.draw(st.sampled_from(links)) if links else None

    def link_id(self, chapter_id: int, media_id: int) -> int:
        return self.shown[chapter_id][media_id]

    def sort(self, order: list[int]) -> None:
        self.model = {chapter: self.model[chapter] for chapter in order}


@pytest.mark.slow
def test_two_editors_never_break_a_course(
    app: Flask, owner: FlaskClient, editor: FlaskClient
) -> None:
    TwoEditors.app = app
    TwoEditors.people = [owner, editor]
    TwoEditors.media = add_videos(owner, *"ABCDEF")

    run_state_machine_as_test(
        TwoEditors,
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
