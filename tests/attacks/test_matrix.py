"""Every route, query and action × everybody: `matrix.txt` says who is answered what."""

import pytest

from tests.attacks.matrix import (
    FILE,
    METHODS,
    address_of,
    answers,
    ask,
    line_of,
    needed,
    rows,
)
from tests.attacks.world import PEOPLE, World

TABLE = rows()


def test_whatever_can_be_asked_stands_in_the_table(world: World) -> None:
    missing = [row for row in needed(world) if row.label not in TABLE]

    lines = [line_of(row, answers(world, row)) for row in missing]

    assert not lines, (
        f"Who may ask for this is not written down. Is what is answered now as it must be (to "
        f"{', '.join(PEOPLE)}, in this order)? Then add to {FILE}:\n" + "\n".join(lines)
    )


def test_the_table_lists_nothing_that_is_gone(world: World) -> None:
    there = {row.label for row in needed(world)}

    gone = [label for label in TABLE if label not in there]

    assert not gone, f"Remove from {FILE}, or enable its plugin again: {', '.join(gone)}"


@pytest.mark.parametrize("label", TABLE)
def test_everybody_is_answered_as_the_table_says(world: World, label: str) -> None:
    row = TABLE[label]

    found = answers(world, row)

    assert found == row.expected, (
        f"{label} answers otherwise than {FILE.name} says. If that is meant, its line is now:\n"
        f"{line_of(row, found)}"
    )


def test_a_method_that_a_route_does_not_take_is_refused_to_everybody(world: World) -> None:
    let_through = []
    taken: dict[str, set[str]] = {}
    for rule in world.app.url_map.iter_rules():
        taken.setdefault(rule.rule, set()).update(rule.methods or ())
    for label, row in TABLE.items():
        if row.kind not in METHODS:
            continue
        for method in set(METHODS) - taken[row.name]:
            for who in PEOPLE:
                answer = ask(world, method, address_of(row, world.mine), who)
                if answer.status_code != 405:
                    let_through.append(f"{method} {label}, {who}: {answer.status_code}")

    assert let_through == []


def test_a_head_is_answered_like_its_get_and_without_a_body(world: World) -> None:
    differing = []
    for row in TABLE.values():
        if row.kind != "GET":
            continue
        for who, expected in zip(PEOPLE, row.expected, strict=True):
            with ask(world, "HEAD", address_of(row, world.mine), who) as answer:
                if str(answer.status_code) != expected or answer.get_data():
                    differing.append(f"HEAD {row.name}, {who}: {answer.status_code}")

    assert differing == []
