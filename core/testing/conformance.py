"""Conformance: no query of any plugin stays as it was after an action that changed it unnamed.

Hypothesis makes up sequences of a plugin's actions. Around each, every key that can be asked is
read, as everybody; what differs must have been named by an event, as itself, by a prefix, or as the
access of the one who sees it.
"""

import itertools
import sqlite3
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from flask import g
from pydantic import BaseModel

from core.access import Access, Me
from core.actions import Action
from core.database import db, reading
from core.errors import Conflict, Problem
from core.freshness.advice import advise
from core.freshness.blame import readers_of
from core.freshness.questions import KeyQuestion
from core.freshness.writes import Fact, Write
from core.keys import access_key, prefixes
from core.parameters import Parameter, plain_type
from core.plugin import Plugin
from core.queries import Key
from core.reads import data_of, make_bodies, run_query
from core.testing.site import Client, Site
from core.transactions import Work
from core.writes import run_action

Values = Mapping[str, Callable[[], Iterable[Any]]]
"""By the name of a parameter: what it may be, asked anew before each action."""

_MOST_KEYS = 2_000


def conforms(
    site: Site,
    plugin: Plugin,
    people: Sequence[Client],
    *,
    values: Values | None = None,
    examples: int = 25,
    steps: int = 6,
) -> dict[str, int]:
    """Prove that what the actions of *plugin* change, for whichever query of any plugin, is named.

    *people* have signed in; they act and look, in turn. Ids (``course_id``, ``note_id``) are taken
    from the events that are emitted, from what the keys show, and from *values*. Every example
    begins with the data that the site has now. Raises `AssertionError` with the shortest sequence
    of actions that leaves a screen stale, and the line to write. Actions that take files are left
    out.

    Returns how often each action was carried out; one that was never is tried as much again, as
    every other step. If it is still refused each time, that proves nothing: give *values* for what
    it takes.
    """
    from hypothesis import HealthCheck, Phase, given, settings  # noqa: PLC0415  only who tests has it
    from hypothesis import strategies as st  # noqa: PLC0415

    actions = [action for action in plugin.actions if not action.takes_upload]
    if not actions:
        raise AssertionError(f"The plugin '{plugin.name}' has no action that could be tried.")
    signed_in = _users_of(people)
    site.settle()
    start = _Start(site)
    done = dict.fromkeys((action.name for action in actions), 0)
    taken: list[_Step] = []

    def begin() -> _Trial:
        start.restore()
        return _Trial(site, plugin, signed_in, values or {})

    def attempt(choice: Sequence[Action[..., Any]]) -> None:
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def sequence(data: Any) -> None:
            trial = begin()
            taken.clear()
            for _ in range(data.draw(st.integers(1, steps))):
                action = data.draw(st.sampled_from(choice))
                me = data.draw(st.sampled_from(signed_in))
                taken.append(_Step(action, me, data.draw(_arguments(action, trial.pool()))))
                done[action.name] += trial.take(taken[-1])

        sequence()

    try:
        with warnings.catch_warnings():
            # It takes what the site's threads do meanwhile (jitter) for a doing of its own.
            warnings.filterwarnings("ignore", "Do not use the `random` module")
            attempt(actions)
            for action in actions:
                if not done[action.name]:
                    attempt([action] * len(actions) + actions)
    except AssertionError as failed:
        raise _shortest(taken, begin, failed) from None
    finally:
        start.restore()
        start.forget()
    if not any(done.values()):
        raise AssertionError(
            f"Every action of '{plugin.name}' was refused each time, which proves nothing. Give "
            'values={"note_id": …} for what they take, or sign in people who may act.'
        )
    return done


def _users_of(people: Sequence[Client]) -> list[Me]:
    users = [client.me for client in people]
    signed_in = [me for me in users if me is not None]
    if not signed_in or len(signed_in) < len(users):
        raise AssertionError("conforms() needs people who have signed in: clients of the site.")
    return signed_in


@dataclass(frozen=True)
class _Step:
    """Somebody does something; what they may not do, the others try in turn."""

    action: Action[..., Any]
    me: Me
    arguments: Mapping[str, Any]


def _shortest(
    steps: Sequence[_Step], begin: Callable[[], "_Trial"], failed: AssertionError
) -> AssertionError:
    """What the shortest part of *steps* fails with. Hypothesis would need minutes: an example is
    slow here, and most of what it tries is no sequence at all.
    """
    kept = list(steps)
    for step in kept[:-1]:
        shorter = [each for each in kept if each is not step]
        trial = begin()
        try:
            for each in shorter:
                trial.take(each)
        except AssertionError as still:
            kept, failed = shorter, still
    return failed


class _Start:
    """The database as it is now."""

    def __init__(self, site: Site) -> None:
        self._site = site
        if not site.runtime.settings.database_url.startswith("sqlite:///"):
            raise AssertionError("conforms() needs a site on SQLite, as the fixture `site` is.")
        self._kept = sqlite3.connect(":memory:")
        with self._theirs() as database:
            database.backup(self._kept)

    def restore(self) -> None:
        """Make the database again what it was, under SQLite's own locks."""
        self._site.settle()
        with self._theirs() as database:
            self._kept.backup(database)

    def forget(self) -> None:
        """Let the copy go, and every memory of what was tried."""
        self._kept.close()
        self._site.runtime.bus.reset("refresh", "conformance")
        self._site.settle()

    @contextmanager
    def _theirs(self) -> Iterator[sqlite3.Connection]:
        with self._site.app.app_context():
            db.session.remove()
            with db.engine.connect() as connection:
                database: Any = connection.connection.driver_connection
                yield database


class _Trial:
    """One sequence of actions, and what everybody sees between them."""

    def __init__(self, site: Site, plugin: Plugin, people: Sequence[Me], values: Values) -> None:
        self._site = site
        self._plugin = plugin
        self._registry = site.runtime.registry
        self._people = people
        self._values = values
        self._ids: dict[str, dict[Any, int]] = {}
        self._looks = 0
        self._steps: list[str] = []
        self._now: dict[str, _Shown] = {}

    def pool(self) -> "dict[str, _Known]":
        """What is known of each parameter's name; what was removed stays, to be asked for."""
        with self._site.app.app_context():
            for name, find in self._values.items():
                self._ids.setdefault(name, {}).update(dict.fromkeys(find(), self._looks))
        return {
            name: _Known(list(seen), [value for value in seen if seen[value] == self._looks])
            for name, seen in self._ids.items()
        }

    def take(self, step: _Step) -> bool:
        """Run its action, and look at every key before and after; whether it was not refused."""
        action, arguments = step.action, step.arguments
        before = self._now or self._show()
        mark = self._site.live.mark()
        shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        work, carried_out, came_of_it = Work(), False, ""
        for person in sorted(self._people, key=lambda each: each is not step.me):
            try:
                with self._site.app.test_request_context():
                    g.coursewire_me = person  # an action may ask who is asking, as over HTTP
                    work = self._carry_out(action, arguments, person)
            except Problem as problem:
                came_of_it = f"{person.name}: refused, {problem.status}"
                if problem.status not in (403, 404):
                    break
            else:
                carried_out, came_of_it = True, person.name
                break
        self._steps.append(f"{action.name}({shown}) as {came_of_it}")
        for event in work.events:
            self._learn(event.model_dump())
        # What a reaction changes is named by the reaction's own events.
        told = self._site.live.told_since(mark)
        named = {*work.stale, *(key for each in told for key in each.notice.keys)}
        after = self._now = self._show()
        for text in before.keys() & after.keys():
            for person in self._people:
                self._compare(text, person, before[text], after[text], named, action, work)
        return carried_out

    def _carry_out(self, action: Action[..., Any], arguments: Mapping[str, Any], me: Me) -> Work:
        """Run *action*; once more with what it says is there now, if it started from something
        else: the values of ``theirs`` as ``was``, an order of the list that it names, backwards.
        """
        try:
            return _noting(self._site, action, arguments, me)
        except Conflict as conflict:
            now = {**conflict.fields, "was": conflict.fields.get("theirs")}
            now = {name: value for name, value in now.items() if name in arguments and value}
            if not now:
                raise
            orders = {name: value[::-1] for name, value in now.items() if isinstance(value, list)}
            body = action.body_type.model_validate(arguments).model_dump(mode="json")
            again = action.arguments_from_json({**body, **now, **orders})
            return _noting(self._site, action, again, me)

    def _compare(
        self,
        text: str,
        me: Me,
        before: "_Shown",
        after: "_Shown",
        named: set[str],
        action: Action[..., Any],
        work: Work,
    ) -> None:
        if access_key(me.user_id) in named or named & set(prefixes(text)):
            return
        old, new = before.to(me), after.to(me)
        if old != new and old is not None:
            raise AssertionError(self._text(text, me, old, new, action, work))

    def _text(
        self, text: str, me: Me, old: Any, new: Any, action: Action[..., Any], work: Work
    ) -> str:
        key = self._registry.parse_key(text)
        question = KeyQuestion(key, me, lambda k, who: make_bodies(self._site.app, k, who))
        readers = readers_of(self._registry, question)
        different = {""}
        if isinstance(old, dict) and isinstance(new, dict):
            different = {name for name in old if old[name] != new.get(name)}
        reader = next((r for r in readers if {r.part} == different), readers[0])
        facts = tuple(Fact.of(event) for event in work.events)
        write = Write(
            f"action '{action.label}'", facts, frozenset(), frozenset(), frozenset(work.stale), ""
        )
        steps = "".join(f"\n    {step}" for step in self._steps)
        emitted = ", ".join(fact.name for fact in facts) or "no event"
        stale = ", ".join(sorted(work.stale)) or "nothing"
        return (
            f"'{text}' was changed by {action.label}, and nothing named it.\n"
            f"  Steps:{steps}\n"
            f"  {me.name} saw: {old!r}\n"
            f"  and would see: {new!r}\n"
            f"  It emitted {emitted}, which named {stale}.\n"
            f"  Write: {advise(reader, question, write)}"
        )

    def _keys(self) -> Iterator[Key]:
        pool = self.pool()
        for query in self._registry.queries:
            choices: list[Sequence[Any]] = [
                [me.user_id for me in self._people] if p.is_me else pool.get(p.name, _Known()).ever
                for p in query.required
            ]
            for params in itertools.islice(itertools.product(*choices), _MOST_KEYS):
                yield query.key(*params)

    def _show(self) -> dict[str, "_Shown"]:
        """Every key that can be asked now. What shows ids lets further keys be asked."""
        shown: dict[str, _Shown] = {}
        self._looks += 1
        with self._site.app.app_context():
            while True:
                new = [key for key in self._keys() if key.text not in shown]
                if not new:
                    return shown
                with reading():
                    for key in new:
                        shown[key.text] = self._look(key)
                for key in new:
                    self._learn(shown[key.text].data)

    def _look(self, key: Key) -> "_Shown":
        owner = next((me for me in self._people if me.user_id == key.owner_id), None)
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
            for me in self._people
        }
        return _Shown(data, seen)

    def _data(self, key: Key, me: Me | None) -> Any:
        try:
            result, parts = run_query(key, me or self._people[0])
        except Problem:
            return None
        return data_of(key, result, parts)

    def _learn(self, data: Any) -> None:
        """Take every member that is called like a parameter of a query as one of its values."""
        names = {p.name for q in self._registry.queries for p in q.required if not p.is_me}
        names |= {p.name for a in self._plugin.actions for p in a.fields if p.annotation is int}
        for name, value in _members(data):
            if name in names and isinstance(value, int | str):
                self._ids.setdefault(name, {})[value] = self._looks


@dataclass(frozen=True)
class _Known:
    """Values of one parameter: all that were ever seen, and those that somebody is shown now."""

    ever: Sequence[Any] = ()
    now: Sequence[Any] = ()

    def strategy(self) -> Any:
        """One of them; mostly one that is there."""
        from hypothesis import strategies as st  # noqa: PLC0415

        ever = st.sampled_from(self.ever)
        return st.one_of(st.sampled_from(self.now), ever) if self.now else ever


class _Shown:
    """What a key shows, and who may see it."""

    def __init__(self, data: Any, seen: Mapping[int, bool]) -> None:
        self.data = data
        self._seen = seen

    def to(self, me: Me) -> Any:
        """What it shows to *me*; ``None`` for nothing."""
        return self.data if self._seen[me.user_id] else None


def _noting(site: Site, action: Action[..., Any], arguments: Mapping[str, Any], me: Me) -> Work:
    """Run *action* as a request would; returns what its transaction was."""
    found: list[Work] = []
    publish = site.runtime.relay.publish_now

    def note(work: Work, owed: Any) -> None:
        found.append(work)
        publish(work, owed)

    site.runtime.relay.publish_now = note  # type: ignore[method-assign]
    try:
        run_action(action, arguments, me)
    finally:
        site.runtime.relay.publish_now = publish  # type: ignore[method-assign]
    return found[0] if found else Work()


def _arguments(action: Action[..., Any], pool: Mapping[str, _Known]) -> Any:
    """A strategy for the arguments of *action*."""
    from hypothesis import strategies as st  # noqa: PLC0415

    fixed: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for parameter in action.fields:
        (fixed if parameter.required else optional)[parameter.name] = _value(parameter, pool)
    return st.fixed_dictionaries(fixed, optional=optional)


def _value(parameter: Parameter, pool: Mapping[str, _Known]) -> Any:
    """What *parameter* may be: something known by its name, or by its singular for a list."""
    from hypothesis import strategies as st  # noqa: PLC0415

    kind = plain_type(parameter.annotation)
    if known := pool.get(parameter.name):
        return known.strategy()
    each = pool.get(parameter.name.removesuffix("s"))
    if each and get_origin(kind) is list:
        return st.lists(each.strategy(), min_size=1, max_size=3, unique=True)
    return _of_type(parameter.annotation)


def _of_type(annotation: Any) -> Any:
    """Anything of that type; numbers that ids may be, texts that titles may be."""
    from hypothesis import strategies as st  # noqa: PLC0415

    kind = plain_type(annotation)
    inner = get_args(kind)
    if kind is int:
        return st.integers(1, 5)
    if kind is str:
        return st.sampled_from(["A", "Another text", "Ä"])
    if get_origin(kind) is list:
        return st.lists(_of_type(inner[0]), min_size=1, max_size=3, unique_by=repr)
    if get_origin(kind) in (Union, UnionType):
        return st.one_of(*(st.none() if each is type(None) else _of_type(each) for each in inner))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {name: _of_type(field.annotation) for name, field in kind.model_fields.items()}
        return st.builds(kind, **fields)
    return st.from_type(annotation)


def _members(data: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict):
        for name, value in data.items():
            yield name, value
            yield from _members(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _members(value)
