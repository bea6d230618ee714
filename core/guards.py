"""Guards: what a user may do with a key."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.access import Access, Me
from core.events import Event
from core.parameters import parameters_of
from core.staleness import E, Staleness

if TYPE_CHECKING:
    from core.plugin import Plugin

Decide = Callable[..., Access]


class Guard:
    """One decision, made by a function of the user and of the key's parameters, by name.

    It may depend on nothing else. It declares every event that takes access away: what it granted
    is remembered until then, and streams that show it end then. An answer to an event yields the
    ids of the users who may have lost access.
    """

    def __init__(
        self, plugin: str, name: str, decide: Decide, stale_on: Sequence[type[Event]] = ()
    ) -> None:
        self.plugin = plugin
        self.name = f"{plugin}.{name}"
        self.decide = decide
        self.staleness = Staleness(self.name, plugin, stale_on)
        self.parameters = parameters_of(decide)
        self.needed = tuple(parameter for parameter in self.parameters if not parameter.is_me)
        """The parameters that a key or an action must supply."""

    @property
    def asks_anonymous(self) -> bool:
        """Whether it is asked for people who are not signed in; they are refused otherwise."""
        mine = [parameter for parameter in self.parameters if parameter.is_me]
        return not mine or mine[0].asks_anonymous

    def __call__(self, me: Me | None, values: Mapping[str, Any]) -> Access:
        """What *me* may do, given the key's *values*; reads the database, without extensions."""
        if me is None and not self.asks_anonymous:
            return Access.NONE
        arguments = {
            parameter.name: me if parameter.is_me else values[parameter.name]
            for parameter in self.parameters
        }
        return self.decide(**arguments)

    def stale_on(
        self, event: type[E]
    ) -> Callable[[Callable[[E], Iterable[int]]], Callable[[E], Iterable[int]]]:
        """Says in code whose access *event* may have changed: the function yields user ids."""
        return self.staleness.answers(event)  # type: ignore[return-value]  # ids, not params

    def extend(
        self, plugin: "Plugin", *, stale_on: Sequence[type[Event]] = ()
    ) -> Callable[[Decide], "Guard"]:
        """Lets *plugin* grant more; the highest answer wins.

        The extension takes parameters of this guard, by name, and is a guard of its own, with its
        own ``stale_on``.
        """

        def register(decide: Decide) -> Guard:
            extension = Guard(plugin.name, decide.__name__, decide, stale_on)
            plugin.add_guard_extension(GuardExtension(self, extension))
            return extension

        return register


@dataclass(frozen=True)
class GuardExtension:
    """*extension* may grant more than *guard* does."""

    guard: Guard
    extension: Guard


def _signed_in(me: Me) -> Access:  # noqa: ARG001  its presence is what the guard asks for
    return Access.EDIT


def _public() -> Access:
    return Access.EDIT


def _staff_only(me: Me) -> Access:
    return Access.EDIT if me.staff else Access.NONE


signed_in = Guard("core", "signed_in", _signed_in)
"""Everything to everybody who is signed in."""

public = Guard("core", "public", _public)
"""Everything to everybody."""

staff_only = Guard("core", "staff_only", _staff_only)
"""Everything to the site's staff, nothing to others."""
