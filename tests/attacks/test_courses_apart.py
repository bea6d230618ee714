"""Ids of other courses, in every query and every action, alone and mixed with one's own."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pytest

from core.actions import Action
from core.queries import Query
from tests.attacks.matrix import path_of
from tests.attacks.world import NEIGHBOUR, SEVERAL, World, arguments_for
from tests.plugins.story import read

OF_A_COURSE = {"course_id", "chapter_id", "link_id", "after_chapter_id", "user_id"}
OF_A_COURSE |= {"after_link_id", "before_link_id", "chapter_ids", "link_ids", "links", "places"}
"""Parameters that name rows of one course. (A video belongs to the library, all editors'.)"""

NOBODYS = 2_000_000_000


def declared(kind: str, world: World) -> tuple[Any, ...]:
    found: tuple[Any, ...] = getattr(world.app.extensions["coursewire"].registry, kind)
    return found


def shown(world: World, who: str, course_id: object) -> list[Any]:
    """Everything of a course, as one of its owners sees it."""
    client = world.client(who)
    paths = ("courses/detail", "courses/members", "chapters/list", "chapters/outline")
    return [read(client, f"{path}/{course_id}") for path in paths]


def names_of(action: Action[..., Any]) -> list[str]:
    return [p.name for p in action.fields if p.name in OF_A_COURSE]


def mixed(
    action: Action[..., Any], world: World, ids: Mapping[str, int | str], names: tuple[str, ...]
) -> dict[str, Any]:
    """A body about the demonstration course, but for the parameters *names*, which are of *ids*."""
    body = arguments_for(action, world.mine)
    other = arguments_for(action, ids)
    return body | {name: other[name] for name in names}


def answer(world: World, action: Action[..., Any], body: dict[str, Any]) -> tuple[int, object]:
    """What the demonstration course's owner is told: the status and, of a refusal, all of it."""
    response = world.client("owner").post(f"/a/{action.plugin}/{action.path_name}", json=body)
    told = response.get_json()
    return response.status_code, told if response.status_code != 200 else told["message"]


def test_every_query_of_another_course_answers_like_one_that_is_not_there(world: World) -> None:
    nowhere = dict.fromkeys(world.theirs, NOBODYS)
    told = []
    for query in declared("queries", world):
        asked: Query[..., Any] = query
        if not any(not p.is_me for p in asked.required):
            continue
        if asked.namespace == "media.usage":  # everybody who edits may see the whole library
            continue
        for who in ("outsider", "viewer", "editor", "owner"):
            if asked.plugin == "media" and who in ("editor", "owner"):
                continue
            client = world.client(who)
            there, absent = (client.get(path_of(asked, ids)) for ids in (world.theirs, nowhere))
            if (there.status_code, there.data) != (404, absent.data):
                told.append(f"{asked.namespace} as {who}: {there.status_code}")
            left = set(there.headers) ^ set(absent.headers)
            if left:
                told.append(f"{asked.namespace} as {who}: differs in {left}")

    assert told == []


def test_no_action_of_a_course_reaches_into_another_or_tells_of_it(world: World) -> None:
    before = shown(world, NEIGHBOUR, world.theirs["course_id"])
    nobodys = {**world.mine, **{name: NOBODYS for name in world.mine if name in OF_A_COURSE}}
    wrong, tried = [], 0
    for action in declared("actions", world):
        names = names_of(action)
        for size in range(1, len(names) + 1):
            for foreign in combinations(names, size):
                if foreign == ("user_id",):
                    continue  # somebody of another course is somebody who may be named here
                tried += 1
                theirs, nothing = (
                    answer(world, action, mixed(action, world, ids, foreign))
                    for ids in (world.theirs, nobodys)
                )
                if theirs != nothing:
                    wrong.append(f"{action.label} with their {foreign}: {theirs}, not {nothing}")
        if shown(world, NEIGHBOUR, world.theirs["course_id"]) != before:
            wrong.append(f"{action.label} changed their course")
        world.restore()

    assert wrong == []
    assert tried > 30


@pytest.mark.parametrize("name", sorted(SEVERAL))
def test_what_the_examples_name_exists(world: World, name: str) -> None:
    """Else the refusals above would prove nothing."""
    listed = read(world.client(NEIGHBOUR), f"chapters/list/{world.theirs['course_id']}")

    found = {
        "chapter_ids": {chapter["id"] for chapter in listed},
        "link_ids": {video["link_id"] for chapter in listed for video in chapter["videos"]},
        "media_ids": {video["media_file_id"] for chapter in listed for video in chapter["videos"]},
    }

    assert world.theirs[SEVERAL[name]] in found[name]
