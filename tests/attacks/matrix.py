"""The table of who is answered what, `matrix.txt`, and how it is asked."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from core.actions import Action
from core.queries import Query
from tests.attacks.world import PEOPLE, World, arguments_for, post

FILE = Path(__file__).with_name("matrix.txt")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
OK = "ok"
"""In the table: the guard lets them in. What the action then says is not its matter."""

_PLACE = re.compile(r"<(?:[^<>]*:)?(\w+)>")
_REFUSED = (401, 403, 404, 405)


@dataclass(frozen=True)
class Row:
    """One line: a method and a route, a query's namespace, or an action's name; and six answers."""

    kind: str
    name: str
    query_string: str
    expected: tuple[str, ...]

    @property
    def label(self) -> str:
        """What the row is found by."""
        return f"{self.kind} {self.name}"


def rows() -> dict[str, Row]:
    """The lines of the table by their first two words."""
    found: dict[str, Row] = {}
    for line in FILE.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        kind, address, *expected = line.split()
        name, _, query_string = address.partition("?")
        row = Row(kind, name, query_string, tuple(expected))
        assert row.label not in found, f"{FILE.name} lists {row.label} twice"
        assert len(expected) == len(PEOPLE), f"{FILE.name}: {row.label} needs {len(PEOPLE)} answers"
        found[row.label] = row
    return found


def needed(world: World) -> Iterator[Row]:
    """A row, without answers, for each route, query and action that the app has."""
    for rule in world.app.url_map.iter_rules():
        for method in sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"}):
            yield Row(method, rule.rule, "", ())
    registry = world.app.extensions["coursewire"].registry
    for query in registry.queries:
        yield Row("QUERY", query.namespace, "", ())
    for action in registry.actions:
        yield Row("ACTION", action.label, "", ())


def answers(world: World, row: Row) -> tuple[str, ...]:
    """What *world* answers each of its people now."""
    if row.kind == "QUERY":
        query = _named(world.app.extensions["coursewire"].registry.queries, "namespace", row.name)
        return tuple(_asked(world, "GET", path_of(query, world.mine), who) for who in PEOPLE)
    if row.kind == "ACTION":
        action = _named(world.app.extensions["coursewire"].registry.actions, "label", row.name)
        return tuple(_acted(world, action, who) for who in PEOPLE)
    return tuple(_asked(world, row.kind, address_of(row, world.mine), who) for who in PEOPLE)


def path_of(query: Query[..., Any], ids: Mapping[str, int | str]) -> str:
    """The address of the key of *query* about *ids*; without the user where it is one's own."""
    segments = [str(ids[p.name]) for p in query.required if not p.is_me]
    return "/".join(["/q", query.plugin, query.path_name, *segments])


def address_of(row: Row, ids: Mapping[str, int | str]) -> str:
    """The address of *row*, its placeholders filled with *ids*."""
    missing = [name for name in _PLACE.findall(row.name) if name not in ids]
    assert not missing, (
        f"{row.name}: nothing stands for <{'>, <'.join(missing)}>. Add an example to EXAMPLES in "
        "tests/attacks/world.py."
    )
    path = _PLACE.sub(lambda place: str(ids[place[1]]), row.name)
    return f"{path}?{row.query_string.format(**ids)}" if row.query_string else path


def ask(world: World, method: str, address: str, who: str) -> TestResponse:
    """Ask as people's browsers do for pages, and programs for everything else."""
    page = method in ("GET", "HEAD") and not address.startswith("/q/")
    accept = "text/html" if page else "application/json"
    return world.client(who).open(address, method=method, headers={"Accept": accept})


def _asked(world: World, method: str, address: str, who: str) -> str:
    with ask(world, method, address, who) as answer:
        return str(answer.status_code)


def _acted(world: World, action: Action[..., Any], who: str) -> str:
    status = post(world.client(who), action, arguments_for(action, world.mine))
    assert status < 500, f"{action.label} as {who}: {status}"
    if status in _REFUSED:
        return str(status)
    world.restore()
    return OK


def _named(declared: Any, attribute: str, name: str) -> Any:
    return next(each for each in declared if getattr(each, attribute) == name)


def line_of(row: Row, found: tuple[str, ...]) -> str:
    """*row* as it stands in the table."""
    address = f"{row.name}?{row.query_string}" if row.query_string else row.name
    return f"{row.kind:<7}{address:<52} " + " ".join(f"{each:<9}" for each in found).rstrip()
