"""What is forbidden and what is not there: the same answer, by the same way."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from core.actions import Action
from core.queries import Query
from tests.attacks.matrix import path_of
from tests.attacks.test_courses_apart import NOBODYS, OF_A_COURSE, declared, names_of
from tests.attacks.world import World, arguments_for, post

STRANGERS = ("outsider", "viewer")


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that are sent to the database meanwhile, without their values."""
    sent: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def asked_for(world: World, who: str, path: str) -> list[str]:
    """What the database is asked for one read, in a browser that has read nothing before."""
    client = world.client(who)
    with statements() as sent:
        assert client.get(path).status_code == 404
    return sent


@pytest.mark.parametrize("who", STRANGERS)
def test_a_read_of_what_is_forbidden_asks_the_database_what_one_of_nothing_does(
    world: World, who: str
) -> None:
    """So neither the answer nor its time tells whether it is there."""
    nowhere = dict.fromkeys(world.theirs, NOBODYS)
    differing, asked = [], 0
    for query in declared("queries", world):
        named: Query[..., Any] = query
        if not any(p.name in OF_A_COURSE | {"media_id"} for p in named.required if not p.is_me):
            continue

        there, absent = (
            asked_for(world, who, path_of(named, ids)) for ids in (world.theirs, nowhere)
        )

        asked += 1
        if there != absent:
            differing.append(f"{named.namespace}: {there}, not {absent}")

    assert differing == []
    assert asked >= 6


@pytest.mark.parametrize("who", STRANGERS)
def test_a_write_to_what_is_forbidden_asks_the_database_what_one_to_nothing_does(
    world: World, who: str
) -> None:
    nobodys = {**world.mine, **{name: NOBODYS for name in world.mine if name in OF_A_COURSE}}
    differing, asked = [], 0
    for action in declared("actions", world):
        acted: Action[..., Any] = action
        if not {p.name for p in acted.guard.needed} & set(names_of(acted)):
            continue
        sent = []
        for ids in (world.theirs, nobodys):
            body = arguments_for(acted, ids)
            client = world.client(who)
            with statements() as found:
                assert post(client, acted, body) == 404, acted.label
            sent.append(found)

        asked += 1
        if sent[0] != sent[1]:
            differing.append(f"{acted.label}: {sent[0]}, not {sent[1]}")

    assert differing == []
    assert asked >= 10
