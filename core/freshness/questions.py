"""Questions whose answers are remembered: what a key shows, and what a guard grants."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from core.access import Access, Me
from core.bodies import Bodies
from core.errors import Problem
from core.freshness.observation import Reads, observing
from core.guards import Guard
from core.keys import access_key
from core.queries import Key

Content: TypeAlias = tuple[Hashable, ...]
"""What is compared: two answers with the same content look the same to everybody."""

GONE: Content = ("gone",)

ReadBodies = Callable[[Key, Me | None], Bodies]
StillShows = Callable[[Guard, Me, Mapping[str, Any]], bool]
Decide = Callable[[Guard, Me | None, Mapping[str, Any]], Access]


@dataclass(frozen=True)
class Seen:
    """One answer: what it is, which tables it was read from, and the bodies where there are any."""

    content: Content
    reads: Reads
    bodies: Bodies | None = None


class Question(Protocol):
    """What may be asked again at any time, in a transaction of its own."""

    @property
    def name(self) -> Hashable:
        """What tells it from every other question."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys whose notices make its answer stale; the first is healed."""

    def ask(self) -> Seen:
        """The answer as of now; raises what reading raises."""

    def is_stale(self, old: Content, new: Content) -> bool:
        """Whether one who was answered *old* would be wrong to go on with it."""


@dataclass(frozen=True)
class KeyQuestion:
    """What *key* shows; ``me`` is its owner, for a key of one user's."""

    key: Key
    me: Me | None
    read: ReadBodies

    @property
    def name(self) -> Hashable:
        """The key, in the language that it was shown in."""
        return self.key.kept_as

    @property
    def keys(self) -> tuple[str, ...]:
        """The key, and for one user's that user's access too."""
        owner = self.key.owner_id
        return (self.key.text,) if owner is None else (self.key.text, access_key(owner))

    def ask(self) -> Seen:
        """Its bodies, or that it is gone."""
        try:
            bodies = self.read(self.key, self.me)
        except Problem:
            return Seen(GONE, {})
        return Seen(content_of(bodies), bodies.reads, bodies)

    def is_stale(self, old: Content, new: Content) -> bool:
        """Any difference shows."""
        return old != new


@dataclass(frozen=True)
class GrantQuestion:
    """What *me* may do by *guard*, given the values of its parameters.

    *still_shows* says whether there is anything left to see: who asks for what is gone may be told
    so by the query as well as by the guard.
    """

    guard: Guard
    me: Me
    values: Mapping[str, Any]
    decide: Decide
    still_shows: StillShows

    @property
    def name(self) -> Hashable:
        """The guard, the user, and what is asked about."""
        return (self.guard, self.me.user_id, tuple(sorted(self.values.items())))

    @property
    def keys(self) -> tuple[str, ...]:
        """The user's access."""
        return (access_key(self.me.user_id),)

    def ask(self) -> Seen:
        """The access."""
        with observing() as sight:
            access = self.decide(self.guard, self.me, self.values)
        if access is Access.NONE and not self.still_shows(self.guard, self.me, self.values):
            return Seen(GONE, sight.reads)
        return Seen((access,), sight.reads)

    def is_stale(self, old: Content, new: Content) -> bool:
        """Only what is lost: what was refused is never remembered."""
        return new != GONE and new < old


def content_of(bodies: Bodies) -> Content:
    """What is compared of *bodies*: their tags."""
    fragments = sorted(bodies.fragments.items())
    return (bodies.json.tag, *(body.tag for _, body in fragments))
