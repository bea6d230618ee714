"""The registry: what all plugins of one app declared, put together and frozen."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from core.access import Access, Me
from core.actions import Action
from core.events import Event
from core.explain.why import BY_NAME, Named
from core.freshness.observation import as_part
from core.guards import Guard
from core.keys import access_key
from core.listeners import Listener
from core.plugin import Identity, Plugin
from core.queries import Fill, Key, Part, Query, parse_key
from core.reactions import Reaction
from core.rounds import Round
from core.staleness import Rule, Staleness

_KEYS_KEPT = 1_000


@dataclass(frozen=True)
class Source:
    """One read that an event makes stale: a query (also by one of its parts), or a guard."""

    rule: Rule
    staleness: Staleness
    query: Query[..., Any] | None

    @property
    def in_code(self) -> bool:
        """Whether it is answered by a function, which may read the database."""
        return self.rule.answer is not None

    @property
    def label(self) -> str:
        """The read, as explanations call it."""
        owner = self.staleness.owner
        return owner if self.query is not None else f"guard {owner}"

    @property
    def how(self) -> str:
        """The name of the function that answers, or `BY_NAME`."""
        return self.rule.answer.__name__ if self.rule.answer is not None else BY_NAME

    def answer(self, event: Event) -> Named:
        """What it says that *event* makes stale."""
        return Named(self.label, self.how, tuple(dict.fromkeys(self.keys(event))))

    def keys(self, event: Event) -> Iterator[str]:
        """The text forms of the keys, or prefixes of keys, that *event* makes stale."""
        if self.rule.answer is not None:
            for params in self.rule.answer(event):
                yield self._key(params)
        elif self.query is None:
            yield access_key(event.user_id)  # type: ignore[attr-defined]  # checked at start
        else:
            yield self.query.prefix_text(
                [
                    getattr(event, "user_id" if parameter.is_me else parameter.name)
                    for parameter in self.query.required
                ]
            )

    def _key(self, params: Any) -> str:
        if self.query is not None:
            return self.query.prefix_text(params)
        if not isinstance(params, int):
            raise TypeError(
                f"{params!r} is no user's id; '{self.staleness.owner}' answers with ids"
            )
        return access_key(params)


class Registry:
    """Everything the plugins of one app declared; read-only."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.plugins = tuple(plugins)
        self.events: Mapping[str, type[Event]] = {
            event.wire_name: event for plugin in plugins for event in plugin.events
        }
        self.queries: tuple[Query[..., Any], ...] = tuple(
            query for plugin in plugins for query in plugin.queries
        )
        self.actions: tuple[Action[..., Any], ...] = tuple(
            action for plugin in plugins for action in plugin.actions
        )
        self.reactions: tuple[Reaction, ...] = tuple(
            reaction for plugin in plugins for reaction in plugin.reactions
        )
        self.rounds: tuple[Round, ...] = tuple(each for plugin in plugins for each in plugin.rounds)
        self.listeners: tuple[Listener, ...] = tuple(
            listener for plugin in plugins for listener in plugin.listeners
        )
        self.identities: tuple[Identity, ...] = tuple(
            identity for plugin in plugins for identity in plugin.identities
        )
        self._queries = {(query.plugin, query.path_name): query for query in self.queries}
        self._parse_key = lru_cache(_KEYS_KEPT)(lambda text: parse_key(text, self.find_query))
        self._actions = {(action.plugin, action.path_name): action for action in self.actions}
        self._parts: dict[int, list[Part]] = defaultdict(list)
        self._extensions: dict[int, list[Guard]] = defaultdict(list)
        self._fills: dict[str, list[Fill]] = defaultdict(list)
        self._sources: dict[type[Event], list[Source]] = defaultdict(list)
        for plugin in plugins:
            self._put_together(plugin)

    def _put_together(self, plugin: Plugin) -> None:
        for query in plugin.queries:
            self._listen(query.staleness, query)
        for part in plugin.parts:
            self._parts[id(part.host)].append(part)
            self._listen(part.staleness, part.host)
        for guard in plugin.guards:
            self._listen(guard.staleness, None)
        for extension in plugin.guard_extensions:
            self._extensions[id(extension.guard)].append(extension.extension)
            self._listen(extension.extension.staleness, None)
        for fill in plugin.fills:
            self._fills[fill.slot].append(fill)

    def _listen(self, staleness: Staleness, query: Query[..., Any] | None) -> None:
        for rule in staleness.rules:
            self._sources[rule.event].append(Source(rule, staleness, query))

    def find_query(self, plugin: str, path_name: str) -> Query[..., Any] | None:
        """The query of this namespace, or ``None``."""
        return self._queries.get((plugin, path_name))

    def find_action(self, plugin: str, path_name: str) -> Action[..., Any] | None:
        """The action of this path, or ``None``."""
        return self._actions.get((plugin, path_name))

    def parse_key(self, text: str) -> Key:
        """The typed key that *text* spells; raises `InvalidKey`. Keys asked for often are kept."""
        return self._parse_key(text)

    def parts_of(self, query: Query[..., Any]) -> Sequence[Part]:
        """The parts that plugins added to *query*, in the order of the plugins."""
        return self._parts.get(id(query), ())

    def fills_of(self, slot: str) -> Sequence[Fill]:
        """The queries shown in *slot*, in their order."""
        return sorted(self._fills.get(slot, ()), key=lambda fill: fill.order)

    @property
    def fills(self) -> Mapping[str, Sequence[Fill]]:
        """The queries shown in each slot."""
        return self._fills

    def extensions_of(self, guard: Guard) -> Sequence[Guard]:
        """What may grant more than *guard* does."""
        return self._extensions.get(id(guard), ())

    def sources_of(self, event: type[Event]) -> Sequence[Source]:
        """The reads that *event* makes stale."""
        return self._sources.get(event, ())

    def event_of(self, wire_name: str, payload: dict[str, object]) -> Event | None:
        """The event of a row; ``None`` when a newer or older release wrote it in another shape."""
        kind = self.events.get(wire_name)
        try:
            return kind.model_validate(payload) if kind is not None else None
        except ValidationError:
            return None

    def reactions_to(self, event: type[Event]) -> Iterable[Reaction]:
        """The reactions to *event*."""
        return (reaction for reaction in self.reactions if reaction.event is event)

    def grant(self, guard: Guard, me: Me | None, values: Mapping[str, Any]) -> Access:
        """What *me* may do, extensions included; reads the database in the session at hand."""
        access = guard(me, values)
        for extension in self._extensions.get(id(guard), ()):
            if access is Access.EDIT:
                break
            with as_part(extension.name):
                access = max(access, extension(me, values))
        return access
