"""The chart: who hears what, and which screens show it; made of what the plugins declared."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flask import Flask

from core.events import Event
from core.explain.why import BY_NAME
from core.registry import Registry, Source
from core.web.templates import regions


@dataclass(frozen=True)
class Hearer:
    """One rule: ``owner`` is stale on the event, answered ``how``.

    ``namespace`` is what it makes stale (``access`` for a guard), ``plugin`` whose rule it is, and
    ``screens`` the templates and slots that show the namespace.
    """

    owner: str
    plugin: str
    namespace: str
    how: str
    screens: tuple[str, ...]


@dataclass(frozen=True)
class Heard:
    """One event of a plugin, who hears it, and which reactions run after it."""

    event: str
    wire_name: str
    plugin: str
    fields: tuple[str, ...]
    hearers: tuple[Hearer, ...]
    reactions: tuple[str, ...]


@dataclass(frozen=True)
class Chart:
    """Every event, and every namespace with the screens that show it."""

    events: tuple[Heard, ...]
    screens: Mapping[str, tuple[str, ...]]

    def as_json(self) -> dict[str, Any]:
        """In plain JSON types."""
        return {"events": [asdict(event) for event in self.events], "screens": dict(self.screens)}

    def find(self, name: str) -> Heard | None:
        """The event that is called so, in Python or on the wire."""
        for heard in self.events:
            if name in (heard.event, heard.wire_name):
                return heard
        return None

    def near(self, name: str) -> list[str]:
        """The wire names that look like *name*."""
        return difflib.get_close_matches(name, [heard.wire_name for heard in self.events], 3, 0.4)


def chart_of(app: Flask, registry: Registry) -> Chart:
    """The chart of *app*."""
    screens = _screens(app, registry)
    events = tuple(
        _heard(registry, plugin.name, event, screens)
        for plugin in registry.plugins
        for event in plugin.events
    )
    return Chart(events, screens)


def as_text(chart: Chart, only: Sequence[str] = ()) -> str:
    """The chart in lines, plugin by plugin; *only* those events (wire names), if any are given."""
    return "\n".join(_lines(chart, only))


def _lines(chart: Chart, only: Sequence[str]) -> Iterator[str]:
    plugin = ""
    for heard in chart.events:
        if only and heard.wire_name not in only:
            continue
        if heard.plugin != plugin:
            yield from ([""] if plugin else [])
            plugin = heard.plugin
            yield plugin
        yield f"  {heard.event}({', '.join(heard.fields)})   {heard.wire_name}"
        width = max([len(hearer.owner) for hearer in heard.hearers] or [0])
        for hearer in heard.hearers:
            how = hearer.how if hearer.how == BY_NAME else f"{hearer.how}()"
            shown = f"   on {', '.join(hearer.screens)}" if hearer.screens else ""
            yield f"    → {hearer.owner:{width}}   {how}{shown}"
        for reaction in heard.reactions:
            yield f"    ⇢ {reaction}   a reaction, after the commit"
        if not heard.hearers and not heard.reactions:
            yield "    nobody hears it"


def _heard(
    registry: Registry, plugin: str, event: type[Event], screens: Mapping[str, tuple[str, ...]]
) -> Heard:
    return Heard(
        event.__name__,
        event.wire_name,
        plugin,
        tuple(event.model_fields),
        tuple(_hearer(source, screens) for source in registry.sources_of(event)),
        tuple(reaction.label for reaction in registry.reactions_to(event)),
    )


def _hearer(source: Source, screens: Mapping[str, tuple[str, ...]]) -> Hearer:
    namespace = source.query.namespace if source.query is not None else "access"
    return Hearer(
        source.label, source.staleness.plugin, namespace, source.how, screens.get(namespace, ())
    )


def _screens(app: Flask, registry: Registry) -> dict[str, tuple[str, ...]]:
    """By namespace: the templates with a region of it, and the slots that it fills."""
    variables = {f"{query.plugin}_{query.name}": query for query in registry.queries}
    found: dict[str, dict[str, None]] = {query.namespace: {} for query in registry.queries}
    for template, variable, _ in regions(app, registry):
        if variable in variables:
            found[variables[variable].namespace][template] = None
    for slot, fills in registry.fills.items():
        for fill in fills:
            found[fill.query.namespace][f"slot {slot}"] = None
    return {namespace: tuple(screens) for namespace, screens in found.items()}
