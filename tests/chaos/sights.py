"""What a body shows: from its bytes to the values of registers (see `history`).

Titles carry the name and the value of their register, ``c3_7.v2``. So JSON and fragments are read
alike, by searching.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_TITLE = re.compile(r"\b(c\d+_\d+|c\d+_hand|c\d+_post\d|k\d+|m\d+)\.(v\d+)\b")
_LINK = re.compile(r'(?:"link_id":|data-key="link-)(\d+)')


@dataclass(frozen=True)
class Sight:
    """What one body shows. Registers whose names begin so, and that it does not show, are not."""

    values: Mapping[str, str]
    whole: tuple[str, ...] = ()
    torn: tuple[str, ...] = ()
    """Registers that it shows with two values at once."""
    doubled: tuple[str, ...] = ()
    """Chapters that stand there twice."""


def look(key: str, form: str, body: bytes) -> Sight:
    """What *body*, read under *key* as *form*, shows."""
    plugin, query, *rest = key.split(":")
    text = body.decode()
    values, torn = _titles(text)
    whole: tuple[str, ...] = ()
    if (plugin, query) == ("courses", "members"):
        members = json.loads(text)
        values = {f"r{rest[0]}_{member['user_id']}": member["role"] for member in members}
        return Sight(values, (f"r{rest[0]}_",))
    if (plugin, query) == ("courses", "list"):
        if form == "json":
            values |= _roles(json.loads(text), rest[0])
        return Sight(values, (), torn)
    if plugin == "chapters" or (plugin == "courses" and form == "json"):
        course = rest[0]
        values |= {f"l{course}_{link}": "there" for link in _LINK.findall(text)}
        values |= _place_of_the_hand(course, values)
        whole = (f"c{course}_", f"l{course}_")
        if form == "json":
            counts = Counter(register for register, _ in _TITLE.findall(text) if register[0] == "c")
            return Sight(values, whole, torn, tuple(name for name, n in counts.items() if n > 1))
    return Sight(values, whole, torn)


def shows(register: str, key: str, form: str) -> bool:
    """Whether a body under *key* shows *register* whenever there is something to show."""
    number = register[1:].partition("_")[0]
    plugin, query, *rest = key.split(":")
    if register[0] == "m":
        return key == "media:list"
    if register[0] == "k":
        return (plugin, query) == ("courses", "list") or key == f"courses:detail:{number}"
    if register[0] == "r":
        return key == f"courses:members:{number}"
    if rest != [number]:
        return False
    return plugin == "chapters" or (query == "detail" and form == "json")


def concerns(register: str, key: str) -> bool:
    """Whether the data behind *key* may change with *register*, shown or not."""
    kind, (course, _, rest) = register[0], register[1:].partition("_")
    if key == "media:list":
        return kind in "ml"  # it tells how often each video is used
    if kind == "m":
        return key.startswith(("chapters:", "courses:detail:"))
    if kind == "r":
        return key in (f"courses:list:{rest}", f"courses:members:{course}")
    return shows(register, key, "json")


def _titles(text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    values: dict[str, str] = {}
    torn = []
    for register, value in _TITLE.findall(text):
        if values.setdefault(register, value) != value:
            torn.append(register)
    return values, tuple(dict.fromkeys(torn))


def _roles(rows: Iterable[Mapping[str, Any]], user: str) -> dict[str, str]:
    found = {}
    for row in rows:
        for register in _titles(str(row["title"]))[0]:
            found[f"r{register[1:]}_{user}"] = str(row["role"])
    return found


def _place_of_the_hand(course: str, values: Mapping[str, str]) -> dict[str, str]:
    order = [name for name in values if name.startswith(f"c{course}_")]
    hand = f"c{course}_hand"
    if hand not in order:
        return {}
    index = order.index(hand)
    return {f"h{course}": order[index - 1] if index else "first"}
