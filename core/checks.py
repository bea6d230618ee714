"""The checks before the first request: every fault of every plugin, in plain words."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from core.errors import Fault
from core.events import Event
from core.guards import Guard
from core.keys import ACCESS
from core.parameters import Parameter, plain_type
from core.plugin import Page, Plugin
from core.queries import Part, Query
from core.staleness import Rule, Staleness


def find_faults(plugins: Sequence[Plugin], broken: Collection[str] = ()) -> list[Fault]:
    """Every mistake in what *plugins* declare; an empty list when the app can start.

    *broken* names plugins whose own faults are known already: to require one is no further fault.
    """
    declared = {event: plugin.name for plugin in plugins for event in plugin.events}
    faults = [*_names(plugins), *_requirements(plugins, broken), *_identity(plugins)]
    for plugin in plugins:
        for query in plugin.queries:
            faults += _query(plugin, query, declared)
        for part in plugin.parts:
            faults += _part(plugin, part, declared)
        for guard in plugin.guards:
            faults += _guard(guard, declared)
        for extension in plugin.guard_extensions:
            faults += _guard(extension.extension, declared)
            faults += _extension(extension.guard, extension.extension)
        for action in plugin.actions:
            faults += _supplies(
                plugin.name, f"Action '{action.label}'", action.parameters, action.guard
            )
        for page in plugin.pages:
            faults += _page(plugin.name, page)
        for reaction in plugin.reactions:
            faults += _known_events(
                plugin.name, f"Reaction '{reaction.label}'", [reaction.event], declared
            )
    return faults


def find_warnings(plugins: Sequence[Plugin]) -> list[Fault]:
    """What is odd but does no harm: an event that nobody hears."""
    heard = {
        rule.event
        for plugin in plugins
        for staleness in plugin.stalenesses
        for rule in staleness.rules
    }
    heard |= {reaction.event for plugin in plugins for reaction in plugin.reactions}
    return [
        Fault(plugin.name, f"Nobody hears {event.__name__}: no query, guard or reaction names it.")
        for plugin in plugins
        for event in plugin.events
        if event not in heard
    ]


def _names(plugins: Sequence[Plugin]) -> Iterator[Fault]:
    for plugin in plugins:
        if plugin.name in (ACCESS, "core"):
            yield Fault(plugin.name, f"The name '{plugin.name}' is core's own. Choose another.")
    kinds: list[tuple[str, Iterable[tuple[str, str]]]] = [
        ("Plugin", ((p.name, p.name) for p in plugins)),
        ("Query", ((p.name, q.namespace) for p in plugins for q in p.queries)),
        ("Action", ((p.name, a.label) for p in plugins for a in p.actions)),
        ("Guard", ((p.name, g.name) for p in plugins for g in p.guards)),
        ("Event", ((p.name, e.wire_name) for p in plugins for e in p.events)),
        ("Reaction", ((p.name, r.label) for p in plugins for r in p.reactions)),
        ("Part", ((p.name, part.staleness.owner) for p in plugins for part in p.parts)),
    ]
    for kind, named in kinds:
        pairs = list(named)
        for name, count in Counter(name for _, name in pairs).items():
            if count > 1:
                owners = sorted({owner for owner, given in pairs if given == name})
                yield Fault(
                    owners[-1],
                    f"{kind} '{name}' is declared {count} times "
                    f"(by {', '.join(owners)}). Names are unique; rename one.",
                )


def _requirements(plugins: Sequence[Plugin], broken: Collection[str]) -> Iterator[Fault]:
    requires = {plugin.name: set(plugin.requires) for plugin in plugins}
    for plugin in plugins:
        for missing in sorted(requires[plugin.name] - requires.keys() - set(broken)):
            yield Fault(
                plugin.name,
                f"It requires the plugin '{missing}', which is not enabled. Add '{missing}' to "
                "COURSEWIRE_PLUGINS.",
            )
    settled: set[str] = set()
    while ready := {n for n, needs in requires.items() if needs <= settled} - settled:
        settled |= ready
    for name, needs in requires.items():
        if name not in settled and needs <= requires.keys() and _reaches(name, name, requires):
            yield Fault(
                name,
                f"It requires {', '.join(sorted(needs))}, which in turn require '{name}'. "
                "Break the circle: move what both need into one of them.",
            )


def _reaches(start: str, goal: str, requires: dict[str, set[str]]) -> bool:
    seen: set[str] = set()
    waiting = list(requires[start])
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            waiting += requires.get(name, ())
    return False


def _identity(plugins: Sequence[Plugin]) -> Iterator[Fault]:
    owners = [plugin.name for plugin in plugins for _ in plugin.identities]
    if len(owners) > 1:
        yield Fault(
            owners[-1],
            f"The identity is supplied {len(owners)} times (by {', '.join(owners)}). "
            "One plugin says who is asking; remove @plugin.identity from the others.",
        )


def _query(
    plugin: Plugin, query: Query[..., Any], declared: dict[type[Event], str]
) -> Iterator[Fault]:
    owner = f"Query '{query.namespace}'"
    yield from _rules(
        plugin, owner, query.function.__name__, query.staleness, query.required, declared
    )
    yield from _supplies(plugin.name, owner, (*query.required, *query.options), query.guard)
    rules = query.staleness.rules
    if not rules and not query.constant:
        yield Fault(
            plugin.name,
            f"{owner} is never stale: it names no event. Add stale_on=[…], or say constant=True.",
        )
    if rules and query.constant:
        yield Fault(plugin.name, f"{owner} is constant=True and has stale_on. Remove one of them.")


def _part(plugin: Plugin, part: Part, declared: dict[type[Event], str]) -> Iterator[Fault]:
    owner = f"Part '{part.name}' of '{part.host.namespace}'"
    yield from _rules(
        plugin, owner, part.function.__name__, part.staleness, part.host.required, declared
    )
    if part.host.plugin not in (*plugin.requires, plugin.name):
        yield Fault(
            plugin.name,
            f"{owner} extends the plugin '{part.host.plugin}'. Add it to requires=[…].",
        )
    fields = getattr(part.host.returns, "model_fields", None)
    if fields is None or part.name in fields:
        why = "is no model" if fields is None else f"has a field '{part.name}' of its own"
        yield Fault(
            plugin.name,
            f"{owner} cannot be added: what '{part.host.namespace}' returns {why}. Choose another "
            "name, or a query that returns a pydantic model.",
        )
    hosts = {parameter.name: parameter for parameter in part.host.required}
    for parameter in part.parameters:
        yield from _same_type(plugin.name, owner, parameter, hosts.get(parameter.name), "its host")
    if not part.staleness.rules:
        yield Fault(plugin.name, f"{owner} is never stale: it names no event. Add stale_on=[…].")


def _guard(guard: Guard, declared: dict[type[Event], str]) -> Iterator[Fault]:
    owner = f"Guard '{guard.name}'"
    for rule in guard.staleness.rules:
        yield from _known_events(guard.plugin, owner, [rule.event], declared)
        if rule.answer is None and "user_id" not in rule.event.model_fields:
            yield Fault(
                guard.plugin,
                f"{owner} is stale on {rule.event.__name__}, which has no field 'user_id'. Add the "
                "field, or say whose access may have changed with "
                f"@{guard.decide.__name__}.stale_on({rule.event.__name__}).",
            )


def _extension(guard: Guard, extension: Guard) -> Iterator[Fault]:
    known = {parameter.name: parameter for parameter in guard.needed}
    for parameter in extension.needed:
        yield from _same_type(
            extension.plugin,
            f"Guard '{extension.name}'",
            parameter,
            known.get(parameter.name),
            f"the guard '{guard.name}' that it extends",
        )


def _rules(
    plugin: Plugin,
    owner: str,
    decorator: str,
    staleness: Staleness,
    required: Sequence[Parameter],
    declared: dict[type[Event], str],
) -> Iterator[Fault]:
    for rule in staleness.rules:
        yield from _known_events(plugin.name, owner, [rule.event], declared)
        if rule.answer is not None:
            yield from _own_answer(plugin, owner, rule)
            continue
        event = rule.event.__name__
        for parameter in required:
            name = "user_id" if parameter.is_me else parameter.name
            field = rule.event.model_fields.get(name)
            if field is None:
                yield Fault(
                    plugin.name,
                    f"{owner} is stale on {event}, which has no field '{name}'. Add the field, or "
                    f"say which keys it makes stale with @{decorator}.stale_on({event}).",
                )
                continue
            wanted = int if parameter.is_me else plain_type(parameter.annotation)
            if field.annotation is not wanted:
                yield Fault(
                    plugin.name,
                    f"{owner} is stale on {event}, whose field '{name}' is "
                    f"{_type_name(field.annotation)}, not {_type_name(wanted)}. Make them the same "
                    f"type, or say which keys it makes stale with @{decorator}.stale_on({event}).",
                )


def _own_answer(plugin: Plugin, owner: str, rule: Rule) -> Iterator[Fault]:
    module = getattr(rule.answer, "__module__", "")
    if not (module + ".").startswith(plugin.import_name + "."):
        yield Fault(
            plugin.name,
            f"{owner} is told by {module} what {rule.event.__name__} makes stale. Only "
            f"'{plugin.name}' may say that: move the function there, or add a part of your own.",
        )


def _known_events(
    plugin: str, owner: str, events: Sequence[type[Event]], declared: dict[type[Event], str]
) -> Iterator[Fault]:
    for event in events:
        if event not in declared:
            yield Fault(
                plugin,
                f"{owner} names {event.__name__}, which no enabled plugin declares. Put "
                "@plugin.event before the class, or enable its plugin.",
            )


def _supplies(
    plugin: str, owner: str, parameters: Sequence[Parameter], guard: Guard
) -> Iterator[Fault]:
    known = {parameter.name: parameter for parameter in parameters}
    for needed in guard.needed:
        if needed.name not in known:
            yield _unsupplied(plugin, owner, needed, guard)
        else:
            yield from _same_type(
                plugin, owner, known[needed.name], needed, f"the guard '{guard.name}'"
            )


def _page(plugin: str, page: Page) -> Iterator[Fault]:
    named = set(re.findall(r"<(?:[^<>]*:)?(\w+)>", page.rule))
    for needed in page.guard.needed:
        if needed.name not in named:
            yield _unsupplied(plugin, f"Page '{page.rule}'", needed, page.guard)


def _unsupplied(plugin: str, owner: str, needed: Parameter, guard: Guard) -> Fault:
    return Fault(
        plugin,
        f"{owner} has the guard '{guard.name}', which needs '{needed.name}'. Add the "
        "parameter, or choose a guard that does without.",
    )


def _same_type(
    plugin: str, owner: str, parameter: Parameter, other: Parameter | None, where: str
) -> Iterator[Fault]:
    if other is None:
        yield Fault(
            plugin, f"{owner} takes '{parameter.name}', which {where} does not have. Rename it."
        )
    elif plain_type(parameter.annotation) is not plain_type(other.annotation):
        yield Fault(
            plugin,
            f"{owner} takes '{parameter.name}' as {_type_name(parameter.annotation)}; {where} has "
            f"it as {_type_name(other.annotation)}. Make them the same type.",
        )


def _type_name(annotation: Any) -> str:
    return getattr(annotation, "__name__", str(annotation))
