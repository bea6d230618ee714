"""A plugin: a Flask blueprint with a few more words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, overload

from flask import Blueprint
from flask.typing import ResponseReturnValue

from core.access import Access, Me
from core.actions import Action
from core.current import current_runtime
from core.entries import Entries
from core.events import Event
from core.guards import Decide, Guard, GuardExtension
from core.listeners import Listen, Listener
from core.queries import Fill, Part, Query, refuse_when_frozen
from core.reactions import Reaction
from core.rounds import Round
from core.settings import Settings
from core.staleness import E, Staleness

P = ParamSpec("P")
R = TypeVar("R")
EventType = TypeVar("EventType", bound=type[Event])
View = Callable[..., ResponseReturnValue]
LoadMe = Callable[[str], Me | None]
FindSources = Callable[[Settings], Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Identity:
    """Who is asking: the user whose token is in ``cookie``, if ``load`` finds one."""

    cookie: str
    load: LoadMe


@dataclass(frozen=True)
class Page:
    """A page of a plugin: a route with a guard."""

    rule: str
    view: View
    guard: Guard
    needs: Access


class Plugin(Blueprint):
    """What a plugin package's ``__init__`` makes; its other modules register on it.

    *requires* names the plugins whose public names it imports. Everything is registered at import
    time; what comes after the app has started is a `SetupError`.
    """

    def __init__(self, name: str, import_name: str, *, requires: Sequence[str] = ()) -> None:
        super().__init__(name, import_name)
        self.requires = tuple(requires)
        self.frozen = False
        self.events: list[type[Event]] = []
        self.guards: list[Guard] = []
        self.queries: list[Query[..., Any]] = []
        self.actions: list[Action[..., Any]] = []
        self.parts: list[Part] = []
        self.fills: list[Fill] = []
        self.guard_extensions: list[GuardExtension] = []
        self.reactions: list[Reaction] = []
        self.listeners: list[Listener] = []
        self.rounds: list[Round] = []
        self.pages: list[Page] = []
        self.identities: list[Identity] = []
        self.demos: list[Callable[[], None]] = []
        self.sources_found: list[FindSources] = []
        self.starts: list[Callable[[Settings], None]] = []

    def event(self, event: EventType) -> EventType:
        """Declares *event* as this plugin's own."""
        self._refuse_when_frozen(f"Event {event.__name__}")
        self.events.append(event)
        return event

    @overload
    def guard(self, decide: Decide) -> Guard: ...
    @overload
    def guard(self, *, stale_on: Sequence[type[Event]] = ()) -> Callable[[Decide], Guard]: ...
    def guard(
        self, decide: Decide | None = None, *, stale_on: Sequence[type[Event]] = ()
    ) -> Guard | Callable[[Decide], Guard]:
        """Makes a guard of a function of ``me`` and of parameters, by name.

        Events in *stale_on* need a field ``user_id``: the one whose access may have changed.
        """

        def register(decide: Decide) -> Guard:
            self._refuse_when_frozen(f"Guard '{decide.__name__}'")
            guard = Guard(self.name, decide.__name__, decide, stale_on)
            self.guards.append(guard)
            return guard

        return register(decide) if decide is not None else register

    def query(
        self,
        name: str,
        *,
        guard: Guard,
        stale_on: Sequence[type[Event]] = (),
        constant: bool = False,
        template: str | None = None,
    ) -> Callable[[Callable[P, R]], Query[P, R]]:
        """Makes the namespace ``<plugin>.<name>`` of a pure function of its parameters.

        Parameters without a default are the key's segments, in order; those with one are options.
        ``stale_on`` takes the required parameters from the event, by name (a `Me` from
        ``user_id``). *constant* says that nothing ever makes it stale. *template* is that of the
        fragment, ``<plugin>/<name>.html`` unless told.
        """

        def register(function: Callable[P, R]) -> Query[P, R]:
            self._refuse_when_frozen(f"Query '{self.name}.{name}'")
            query = Query(
                self.name, name, function, guard, stale_on, constant=constant, template=template
            )
            self.queries.append(query)
            return query

        return register

    def action(
        self,
        *,
        guard: Guard,
        needs: Access = Access.EDIT,
        prepare: Callable[..., Any] | None = None,
    ) -> Callable[[Callable[P, R]], Action[P, R]]:
        """Makes ``POST /a/<plugin>/<function-name>`` of a typed function.

        *guard* decides with the function's arguments, by name, in the action's own transaction.
        *prepare* does what is slow before that transaction begins (on SQLite it keeps all other
        writers out): it takes arguments by name, and the function gets its result as ``prepared``.
        """

        def register(function: Callable[P, R]) -> Action[P, R]:
            self._refuse_when_frozen(f"Action '{self.name}.{function.__name__}'")
            action = Action(self.name, function, guard, needs, prepare)
            self.actions.append(action)
            return action

        return register

    def page(
        self, rule: str, *, guard: Guard, needs: Access = Access.VIEW
    ) -> Callable[[View], View]:
        """Makes a page: ``GET`` *rule*, answered after the guard, which decides with the
        arguments of the URL, by name.
        """

        def register(view: View) -> View:
            self._refuse_when_frozen(f"Page '{rule}'")
            self.pages.append(Page(rule, view, guard, needs))
            return view

        return register

    def on(self, event: type[E]) -> Callable[[Callable[[E], None]], Callable[[E], None]]:
        """Makes a reaction: run after the commit, in the background, at least once.

        It runs in a write transaction of its own, may emit, and is tried again when it raises; so
        it must do no harm when it runs twice.
        """

        def register(function: Callable[[E], None]) -> Callable[[E], None]:
            self._refuse_when_frozen(f"Reaction '{function.__name__}'")
            self.reactions.append(Reaction(self.name, event, function))
            return function

        return register

    def on_every(self, function: Listen) -> Listen:
        """Makes *function* a listener: told of every event of every plugin, inside the transaction.

        It gets the events of the transaction and its `Origin`; see `core.listeners`.
        """
        self._refuse_when_frozen(f"Listener '{function.__name__}'")
        self.listeners.append(Listener(self.name, function))
        return function

    def round(self, function: Callable[[], None]) -> Callable[[], None]:
        """Makes a round of *function*: run every five seconds in each worker, in no transaction.

        It looks first whether there is anything to do; see `core.rounds`.
        """
        self._refuse_when_frozen(f"Round '{function.__name__}'")
        self.rounds.append(Round(self.name, function))
        return function

    def identity(self, *, cookie: str) -> Callable[[LoadMe], LoadMe]:
        """Makes a function the one that says whose token the *cookie* holds; one plugin does.

        What it returns is remembered until an event makes the user's access stale: a guard of the
        plugin must be stale on whatever ends a session or disables a user.
        """

        def register(load: LoadMe) -> LoadMe:
            self._refuse_when_frozen("The identity")
            self.identities.append(Identity(cookie, load))
            return load

        return register

    def demo(self, fill: Callable[[], None]) -> Callable[[], None]:
        """Makes *fill* write demonstration data into an empty database, inside a transaction."""
        self._refuse_when_frozen("Demonstration data")
        self.demos.append(fill)
        return fill

    def sources(self, find: FindSources) -> FindSources:
        """Makes *find* say what pages load from elsewhere: origins, by the directive of the
        Content-Security-Policy that they extend (connect-src, frame-src, img-src, media-src).

        It is asked once, when the app is created.
        """
        self._refuse_when_frozen("A source of pages")
        self.sources_found.append(find)
        return find

    def at_start(self, run: Callable[[Settings], None]) -> Callable[[Settings], None]:
        """Makes *run* one of the last things of each worker's start; commands do not run it."""
        self._refuse_when_frozen("What runs at the start")
        self.starts.append(run)
        return run

    def add_part(self, part: Part) -> None:
        """Called by `Query.part`."""
        self._refuse_when_frozen(f"Part '{part.name}' of '{part.host.namespace}'")
        self.parts.append(part)

    def add_fill(self, fill: Fill) -> None:
        """Called by `Query.fill`."""
        self._refuse_when_frozen(f"The filling of slot '{fill.slot}'")
        self.fills.append(fill)

    def add_guard_extension(self, extension: GuardExtension) -> None:
        """Called by `Guard.extend`."""
        self._refuse_when_frozen(f"The extension of guard '{extension.guard.name}'")
        self.guard_extensions.append(extension)

    @property
    def entries(self) -> Entries:
        """What this plugin keeps in Redis for a while, in the app at hand."""
        return current_runtime().entries[self.name]

    @property
    def stalenesses(self) -> Iterator[Staleness]:
        """What makes each of its reads stale."""
        yield from (query.staleness for query in self.queries)
        yield from (part.staleness for part in self.parts)
        yield from (guard.staleness for guard in self.guards)
        yield from (extended.extension.staleness for extended in self.guard_extensions)

    def freeze(self) -> None:
        """Ends registration; called once every plugin is imported and valid."""
        self.frozen = True
        for staleness in self.stalenesses:
            staleness.frozen = True

    def _refuse_when_frozen(self, what: str) -> None:
        refuse_when_frozen(self.name, self.frozen, what)
