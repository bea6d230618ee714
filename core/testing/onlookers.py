"""The onlookers: everybody who has signed in, and what each of them is shown by every key."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from core.access import Access, Me
from core.database import reading
from core.errors import Problem
from core.plugin import Plugin
from core.queries import Key
from core.reads import data_of, run_query
from core.testing.site import Site
from core.testing.strategies import Known

Values = Mapping[str, Callable[[], Iterable[Any]]]
"""By the name of a parameter: what it may be, asked anew before each action."""

_MOST_KEYS = 2_000


class Onlookers:
    """*people* look at every key that can be asked, and learn from what they see what else can be.

    What they learn is kept by the name of a parameter, of any query or of an action of *plugin*.
    """

    def __init__(self, site: Site, plugin: Plugin, people: Sequence[Me], values: Values) -> None:
        self._site = site
        self._registry = site.runtime.registry
        self._names = {p.name for q in self._registry.queries for p in q.required if not p.is_me}
        self._names |= {p.name for a in plugin.actions for p in a.fields if p.annotation is int}
        self.people = people
        self._values = values
        self._ids: dict[str, dict[Any, int]] = {}
        self._looks = 0

    def known(self) -> dict[str, Known]:
        """What is known of each parameter's name; what was removed stays, to be asked for."""
        with self._site.app.app_context():
            for name, find in self._values.items():
                self._ids.setdefault(name, {}).update(dict.fromkeys(find(), self._looks))
        return {
            name: Known(list(seen), [value for value in seen if seen[value] == self._looks])
            for name, seen in self._ids.items()
        }

    def _keys(self) -> Iterator[Key]:
        pool = self.known()
        for query in self._registry.queries:
            choices: list[Sequence[Any]] = [
                [me.user_id for me in self.people] if p.is_me else pool.get(p.name, Known()).ever
                for p in query.required
            ]
            for params in itertools.islice(itertools.product(*choices), _MOST_KEYS):
                yield query.key(*params)

    def look(self) -> dict[str, "Shown"]:
        """Every key that can be asked now. What shows ids lets further keys be asked."""
        shown: dict[str, Shown] = {}
        self._looks += 1
        with self._site.app.app_context():
            while True:
                new = [key for key in self._keys() if key.text not in shown]
                if not new:
                    return shown
                with reading():
                    for key in new:
                        shown[key.text] = self._read(key)
                for key in new:
                    self.learn(shown[key.text].data)

    def _read(self, key: Key) -> "Shown":
        owner = next((me for me in self.people if me.user_id == key.owner_id), None)
        data, again = self._data(key, owner), self._data(key, owner)
        if data != again:
            raise AssertionError(
                f"'{key.text}' shows something else each time it is read:\n"
                f"  {data!r}\n  {again!r}\n"
                "A query is a function of its parameters and the database, never of the clock or "
                "of chance."
            )
        seen = {
            me.user_id: not key.is_anothers(me)
            and self._registry.grant(key.query.guard, me, key.values) >= Access.VIEW
            for me in self.people
        }
        return Shown(data, seen)

    def _data(self, key: Key, me: Me | None) -> Any:
        try:
            result, parts = run_query(key, me or self.people[0])
        except Problem:
            return None
        return data_of(key, result, parts)

    def learn(self, data: Any) -> None:
        """Take every member that is called like a parameter of a query as one of its values."""
        for name, value in _members(data):
            if name in self._names and isinstance(value, int | str):
                self._ids.setdefault(name, {})[value] = self._looks


class Shown:
    """What a key shows, and who may see it."""

    def __init__(self, data: Any, seen: Mapping[int, bool]) -> None:
        self.data = data
        self._seen = seen

    def to(self, me: Me) -> Any:
        """What it shows to *me*; ``None`` for nothing."""
        return self.data if self._seen[me.user_id] else None


def _members(data: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict):
        for name, value in data.items():
            yield name, value
            yield from _members(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _members(value)
