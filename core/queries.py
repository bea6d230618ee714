"""Queries: how a namespace is read, who may read it, and what makes it stale."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar
from urllib.parse import quote, urlencode

from pydantic import TypeAdapter

from core.access import Me
from core.errors import Fault, InvalidKey, SetupError
from core.events import Event
from core.guards import Guard
from core.keys import KeyParts, Scalar, key_text, split_key
from core.languages import SOURCE
from core.parameters import Parameter, parameters_of, return_type_of
from core.staleness import Answer, E, Staleness

if TYPE_CHECKING:
    from core.plugin import Plugin

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Key:
    """A key of a known query, with its typed values.

    ``values`` holds every parameter by name, options at their defaults included; where the query
    takes a `Me`, it holds that user's id. ``language`` is that of its fragments; it is no part of
    the key, only of what is kept of it.
    """

    query: "Query[..., Any]"
    values: Mapping[str, Scalar]
    language: str = SOURCE

    def in_language(self, language: str) -> "Key":
        """The same key, shown in *language*."""
        return self if language == self.language else replace(self, language=language)

    @cached_property
    def parts(self) -> KeyParts:
        """The tuple form, options that are at their defaults left out."""
        query = self.query
        required = tuple(self.values[parameter.name] for parameter in query.required)
        options = {
            parameter.name: self.values[parameter.name]
            for parameter in query.options
            if self.values[parameter.name] != parameter.default
        }
        head = (query.plugin, query.path_name, *required)
        return (*head, options) if options else head

    @cached_property
    def text(self) -> str:
        """The text form."""
        return key_text(self.parts)

    @cached_property
    def kept_as(self) -> str:
        """What its bodies are called where they are kept: each language has its own."""
        return self.text if self.language == SOURCE else f"{self.text} {self.language}"

    @property
    def path(self) -> str:
        """The path and query string below ``/q/``."""
        segments = [segment for segment in self.parts if not isinstance(segment, Mapping)]
        path = "/".join(quote(str(segment), safe="") for segment in segments)
        return f"{path}?{urlencode(self.option_pairs)}" if self.option_pairs else path

    @property
    def option_pairs(self) -> list[tuple[str, str]]:
        """The options as the query string spells them, sorted, those at their defaults left out."""
        options = self.parts[-1]
        if not isinstance(options, Mapping):
            return []
        return [(name, _option_text(value)) for name, value in sorted(options.items())]

    @property
    def owner_id(self) -> int | None:
        """The id of the one user whose key this is; ``None`` when it is anybody's."""
        for parameter in self.query.required:
            if parameter.is_me:
                return int(self.values[parameter.name])
        return None

    def is_anothers(self, me: Me | None) -> bool:
        """Whether this key is one other user's, so that its guard is not even asked."""
        return self.owner_id is not None and (me is None or me.user_id != self.owner_id)


class Query(Generic[P, R]):
    """The function behind a namespace, with its guard and its staleness.

    Calling it runs the function alone, in the session at hand. `core.reads` reads a key with its
    guard, its parts and its stamp.
    """

    def __init__(
        self,
        plugin: str,
        name: str,
        function: Callable[P, R],
        guard: Guard,
        stale_on: Sequence[type[Event]],
        *,
        constant: bool,
        template: str | None,
    ) -> None:
        self.plugin = plugin
        self.name = name
        self.namespace = f"{plugin}.{name}"
        self.path_name = name.replace("_", "-")
        self.function = function
        self.guard = guard
        self.constant = constant
        self.template = template or f"{plugin}/{name}.html"
        self.staleness = Staleness(self.namespace, plugin, stale_on)
        self.returns = return_type_of(function)
        parameters = parameters_of(function)
        self.required = tuple(p for p in parameters if p.required)
        self.options = tuple(p for p in parameters if not p.required)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function in the session at hand; no guard, no parts, no cache."""
        return self.function(*args, **kwargs)

    @cached_property
    def result_type(self) -> TypeAdapter[R]:
        """The type of the result, which makes its JSON and its schema."""
        return TypeAdapter(self.returns)

    def key(self, *args: Any, **options: Any) -> Key:
        """The key of these parameters; a `Me` may be given as itself or as the user's id.

        Raises `TypeError` for missing or unknown parameters, and pydantic's `ValidationError` (a
        `ValueError`) for values of another type than declared.
        """
        if len(args) > len(self.required):
            raise TypeError(
                f"{self.namespace} takes {len(self.required)} parameters, got {len(args)}"
            )
        given: dict[str, Any] = {
            parameter.name: arg for parameter, arg in zip(self.required, args, strict=False)
        }
        given |= options
        known = {parameter.name for parameter in (*self.required, *self.options)}
        if unknown := given.keys() - known:
            raise TypeError(f"{self.namespace} has no parameter {', '.join(sorted(unknown))}")
        values: dict[str, Scalar] = {}
        for parameter in self.required:
            if parameter.name not in given:
                raise TypeError(f"{self.namespace} needs '{parameter.name}'")
            value = given[parameter.name]
            values[parameter.name] = parameter.checked(
                value.user_id if isinstance(value, Me) else value
            )
        for parameter in self.options:
            values[parameter.name] = parameter.checked(given.get(parameter.name, parameter.default))
        return Key(self, values)

    def from_segments(self, segments: Sequence[str], text: str) -> Key:
        """The key that the decoded *segments* after the namespace spell.

        Raises `InvalidKey`, naming *text*.
        """
        count = len(self.required)
        if len(segments) not in (count, count + 1):
            raise InvalidKey(text, f"{self.namespace} takes {count} parameters.")
        values: dict[str, Any] = {}
        for parameter, segment in zip(self.required, segments, strict=False):
            try:
                values[parameter.name] = parameter.from_text(segment)
            except ValueError:
                raise InvalidKey(text, f"“{parameter.name}” is not spelled right.") from None
        if len(segments) > count:
            values |= self._options_from(segments[count], text)
        try:
            key = self.key(**values)
        except (TypeError, ValueError) as error:
            raise InvalidKey(text, f"its options do not fit: {_first_line(error)}.") from None
        return key

    def prefix_text(self, params: Sequence[Scalar]) -> str:
        """The text form of the key, or the prefix of keys, that *params* name.

        Raises `TypeError` for what begins no key of this namespace: it would name nobody's screen.
        """
        try:
            checked = [
                p.checked(v) for p, v in zip(self.required[: len(params)], params, strict=True)
            ]
        except (TypeError, ValueError):
            names = ", ".join(parameter.name for parameter in self.required)
            raise TypeError(
                f"{params!r} begins no key of {self.namespace}; that takes a tuple ({names})"
            ) from None
        return key_text((self.plugin, self.path_name, *checked))

    def stale_on(self, event: type[E]) -> Callable[[Answer[E]], Answer[E]]:
        """Says in code which keys *event* makes stale: the function yields `Params`."""
        return self.staleness.answers(event)

    def part(
        self,
        name: str,
        plugin: "Plugin",
        *,
        stale_on: Sequence[type[Event]] = (),
        template: str | None = None,
    ) -> Callable[[Callable[..., Any]], "Part"]:
        """Lets *plugin* add a field to this query's result; who owns the part owns its staleness.

        The part takes required parameters of this query, by name. With a *template* it also adds
        to the fragment, where the host's template says ``render_parts()``.
        """

        def register(function: Callable[..., Any]) -> Part:
            part = Part(self, name, plugin.name, function, stale_on, template)
            plugin.add_part(part)
            return part

        return register

    def fill(
        self, slot: str, plugin: "Plugin", *, order: int = 0, frame: str | None = None
    ) -> None:
        """Shows this query as a region in a page's *slot*, which supplies its parameters.

        *frame* is a template that places the region itself, among what belongs around it: a search
        form, say. It is given the slot's parameters, and nothing of it is shown to those who may
        not view the key.
        """
        plugin.add_fill(Fill(slot, self, order, frame))

    def _options_from(self, segment: str, text: str) -> dict[str, Any]:
        try:
            options = json.loads(segment)
        except ValueError:
            raise InvalidKey(text, "its last segment is not a JSON object.") from None
        if not isinstance(options, dict) or not options:
            raise InvalidKey(text, "its last segment is not a JSON object with options.")
        names = {parameter.name for parameter in self.options}
        if unknown := options.keys() - names:
            raise InvalidKey(text, f"{self.namespace} has no option “{min(unknown)}”.")
        return options


class Part:
    """A field of another plugin's query; its staleness names the host's keys."""

    def __init__(
        self,
        host: Query[..., Any],
        name: str,
        plugin: str,
        function: Callable[..., Any],
        stale_on: Sequence[type[Event]],
        template: str | None,
    ) -> None:
        self.host = host
        self.name = name
        self.plugin = plugin
        self.function = function
        self.template = template
        self.staleness = Staleness(f"{host.namespace}+{name}", plugin, stale_on)
        self.returns = return_type_of(function)
        self.parameters: tuple[Parameter, ...] = parameters_of(function)

    @cached_property
    def result_type(self) -> TypeAdapter[Any]:
        """The type of the part, which makes its JSON and its schema."""
        return TypeAdapter(self.returns)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function in the session at hand."""
        return self.function(*args, **kwargs)

    def stale_on(self, event: type[E]) -> Callable[[Answer[E]], Answer[E]]:
        """Says in code which of the host's keys *event* makes stale: it yields `Params`."""
        return self.staleness.answers(event)


@dataclass(frozen=True)
class Fill:
    """A query shown in the slot of a page."""

    slot: str
    query: Query[..., Any]
    order: int
    frame: str | None = None


def parse_key(text: str, find: Callable[[str, str], Query[..., Any] | None]) -> Key:
    """The typed key that the text form spells; *find* looks a query up by plugin and path name.

    Raises `InvalidKey` for an unknown namespace, parameters that do not fit, and every spelling
    but the canonical one.
    """
    segments = split_key(text)
    query = find(segments[0], segments[1]) if len(segments) > 1 else None
    if query is None:
        raise InvalidKey(text, "no plugin has this namespace.")
    key = query.from_segments(segments[2:], text)
    if key.text != text:
        raise InvalidKey(text, f"write it as “{key.text}”.")
    return key


def refuse_when_frozen(plugin: str, frozen: bool, what: str) -> None:
    """Raises `SetupError` when *plugin* registers *what* after an app has started with it."""
    if frozen:
        text = f"{what} was registered after the app had started. Register it at import time."
        raise SetupError([Fault(plugin, text)])


def _option_text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
