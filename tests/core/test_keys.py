"""Keys: three forms, one canonical spelling."""

import json
from urllib.parse import quote, unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.errors import InvalidKey
from core.keys import MAX_KEY_BYTES, KeyParts, encode_segment, key_text, prefixes, split_key

names = st.from_regex(r"[a-z][a-z_]{0,9}", fullmatch=True)
texts = st.text(min_size=1, max_size=12)
scalars = st.one_of(st.integers(), texts)
options = st.dictionaries(
    names, st.one_of(st.integers(), st.text(max_size=12), st.booleans()), min_size=1, max_size=3
)


@st.composite
def keys(draw: st.DrawFn) -> KeyParts:
    """A namespace, parameters, and sometimes options."""
    head = (draw(names), draw(names), *draw(st.lists(scalars, max_size=3)))
    return (*head, draw(options)) if draw(st.booleans()) else head


@given(keys())
def test_a_key_survives_the_way_to_text_and_back(key: KeyParts) -> None:
    assume(len(key_text(key)) <= MAX_KEY_BYTES)

    segments = split_key(key_text(key))

    expected = [
        json.dumps(part, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if isinstance(part, dict)
        else str(part)
        for part in key
    ]
    assert list(segments) == expected


@given(keys())
def test_the_text_form_holds_nothing_that_a_url_a_header_or_a_frame_would_have_to_escape(
    key: KeyParts,
) -> None:
    text = key_text(key)

    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~-%:")
    assert quote(text, safe="%:") == text


@given(keys(), keys())
def test_two_keys_have_one_text_only_if_their_json_is_one(a: KeyParts, b: KeyParts) -> None:
    same = [str(p) if not isinstance(p, dict) else p for p in a] == [
        str(p) if not isinstance(p, dict) else p for p in b
    ]

    assert (key_text(a) == key_text(b)) == same


@given(st.text(alphabet=":%2Ff7aAé\u2028 /", max_size=20))
def test_a_text_is_either_canonical_or_refused(text: str) -> None:
    try:
        segments = split_key(text)
    except InvalidKey:
        return

    assert ":".join(encode_segment(segment) for segment in segments) == text


@given(keys(), st.data())
def test_another_spelling_of_a_key_is_refused_and_the_right_one_told(
    key: KeyParts, data: st.DataObject
) -> None:
    text = key_text(key)
    assume(len(text) * 3 <= MAX_KEY_BYTES)
    at = data.draw(st.integers(0, len(text) - 1))
    assume(text[at] not in ":%" and text[max(0, at - 1)] != "%" and text[max(0, at - 2)] != "%")
    other = f"{text[:at]}%{ord(text[at]):02X}{text[at + 1 :]}"

    with pytest.raises(InvalidKey) as caught:
        split_key(other)

    assert caught.value.reason == f"write it as “{text}”."
    assert [unquote(part) for part in other.split(":")] == list(split_key(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a segment is empty."),
        ("chapters:", "a segment is empty."),
        (":list", "a segment is empty."),
        ("chapters::42", "a segment is empty."),
        ("chapters:list:4 2", "write it as “chapters:list:4%202”."),
        ("chapters:list:%7b%7D", "write it as “chapters:list:%7B%7D”."),
        ("chapters:list:%34", "write it as “chapters:list:4”."),
        ("chapters:list:é", "write it as “chapters:list:%C3%A9”."),
        ("chapters:list:%", "write it as “chapters:list:%25”."),
        ("chapters:list:%FF", "it is not percent-encoded UTF-8."),
        ("chapters:list:\x00", "write it as “chapters:list:%00”."),
        ("a" * 1025, "it is longer than 1024 bytes."),
        ("é" * 513, "it is longer than 1024 bytes."),
    ],
)
def test_what_is_no_key_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidKey) as caught:
        split_key(text)

    assert caught.value.reason == reason
    assert str(caught.value) == f"“{text[:200]}” is not a key: {reason}"


def test_half_a_character_is_refused_like_other_garbage() -> None:
    with pytest.raises(InvalidKey):
        split_key("chapters:list:\ud800")


def test_the_longest_key_is_accepted() -> None:
    assert split_key("a" * MAX_KEY_BYTES) == ("a" * MAX_KEY_BYTES,)


@given(keys())
def test_a_keys_prefixes_are_those_that_its_tuple_has(key: KeyParts) -> None:
    expected = [key_text(key[:length]) for length in range(len(key), 0, -1)]

    assert list(prefixes(key_text(key))) == expected


@given(keys(), keys())
def test_a_key_prefixes_another_exactly_where_its_segments_begin_it(
    a: KeyParts, b: KeyParts
) -> None:
    first, second = key_text(a), key_text(b)
    segments = first.split(":")

    begins = second.split(":")[: len(segments)] == segments

    assert (first in set(prefixes(second))) == begins


def test_a_longer_number_is_no_continuation_of_a_shorter_one() -> None:
    assert list(prefixes("chapters:list:42")) == ["chapters:list:42", "chapters:list", "chapters"]
    assert "chapters:list:4" not in prefixes("chapters:list:42")
