"""Deltas: the new body is made of the old one exactly, or the whole is sent."""

import json

from hypothesis import given
from hypothesis import strategies as st

from core.bodies import Body
from core.deltas import LONG_BYTES, Delta, Deltas, delta_of

LINES = st.lists(st.sampled_from(["", "a", "b", "<li>", "é", "😀", "\r"]), max_size=30)


def applied(held: str, delta: Delta) -> str:
    """What a browser makes of it (core/static/live/delta.js)."""
    lines, made = held.split("\n"), []
    for part in delta:
        made += [part] if isinstance(part, str) else lines[part[0] : part[0] + part[1]]
    return "\n".join(made)


@given(LINES, LINES)
def test_a_delta_makes_the_new_text_of_the_old_one(old: list[str], new: list[str]) -> None:
    before, after = "\n".join(old), "\n".join(new)

    assert applied(before, delta_of(before, after)) == after


def test_one_changed_line_is_one_line() -> None:
    old = [f"row {number}" for number in range(2_000)]
    new = [*old[:700], "renamed", *old[701:]]

    assert delta_of("\n".join(old), "\n".join(new)) == [[0, 700], "renamed", [701, 1_299]]


def test_what_moved_is_found() -> None:
    old = [f"row {number}" for number in range(10)]

    moved = delta_of("\n".join(old), "\n".join([*old[5:], *old[:5]]))

    assert moved == [[5, 5], [0, 5]]


def body(*lines: str) -> Body:
    return Body("\n".join([*lines, *(f"line {number}" for number in range(10_000))]).encode())


def test_only_who_holds_one_known_long_body_gets_a_delta() -> None:
    deltas, old, new = Deltas(), body("old"), body("new")
    deltas.remember(old)

    assert json.loads(deltas.between({old.tag}, new) or b"") == ["new", [1, 10_000]]
    assert deltas.between({"unknown"}, new) is None
    assert deltas.between({old.tag, "unknown"}, new) is None
    assert deltas.between(set(), new) is None
    assert deltas.between({old.tag}, Body(b"short")) is None
    assert deltas.between({old.tag}, Body(b"x\n" * LONG_BYTES)) is None


def test_the_least_recently_sent_go_first() -> None:
    bodies = [body(str(number)) for number in range(4)]
    deltas = Deltas(most_bytes=2 * len(bodies[0].content))
    for each in bodies[:2]:
        deltas.remember(each)
    deltas.remember(bodies[0])
    deltas.remember(bodies[2])

    assert deltas.between({bodies[0].tag}, bodies[3]) is not None
    assert deltas.between({bodies[1].tag}, bodies[3]) is None
