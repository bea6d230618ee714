"""Stamps: one spelling, and an order only within a generation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidStamp
from core.stamps import Stamp

stamps = st.builds(
    Stamp, st.from_regex(r"[0-9a-f]{12}", fullmatch=True), st.integers(0, 10**18 - 1)
)


@given(stamps)
def test_a_stamp_survives_the_way_to_text_and_back(stamp: Stamp) -> None:
    assert Stamp.parse(str(stamp)) == stamp


def test_a_stamp_is_spelled_generation_hyphen_sequence() -> None:
    assert str(Stamp("3f2a9c01b7de", 41)) == "3f2a9c01b7de-41"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "41",
        "3f2a9c01b7de",
        "3f2a9c01b7de-",
        "3f2a9c01b7de--1",
        "3f2a9c01b7de-041",
        "3f2a9c01b7de-4.1",
        "3f2a9c01b7de-٤١",
        "3f2a9c01b7de-41\n",
        " 3f2a9c01b7de-41",
        "3F2A9C01B7DE-41",
        "3f2a9c01b7d-41",
        "3f2a9c01b7dee-41",
        "3f2a9c01b7de-" + "9" * 19,
        "bypass",
    ],
)
def test_anything_else_is_no_stamp(text: str) -> None:
    with pytest.raises(InvalidStamp) as caught:
        Stamp.parse(text)

    assert str(caught.value) == (
        f"“{text[:80]}” is not a stamp. A stamp is 12 hex digits, a hyphen and a number, such as "
        "3f2a9c01b7de-41."
    )


@given(st.text())
def test_garbage_is_refused_in_no_other_way(text: str) -> None:
    try:
        stamp = Stamp.parse(text)
    except InvalidStamp:
        return

    assert str(stamp) == text


@given(stamps, stamps)
def test_data_answers_a_floor_of_its_own_generation_at_or_below_it(
    data: Stamp, floor: Stamp
) -> None:
    expected = data.generation == floor.generation and data.sequence >= floor.sequence

    assert data.reaches(floor) == expected


@given(stamps)
def test_every_stamp_reaches_itself_and_no_floor(stamp: Stamp) -> None:
    assert stamp.reaches(stamp)
    assert stamp.reaches(None)
    assert not stamp.reaches(Stamp(stamp.generation, stamp.sequence + 1))
