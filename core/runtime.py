"""The runtime of one app in one process: what the plugins declared, and the parts that move."""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextvars import Context
from logging import Handler
from typing import Any, Protocol, TypeVar

from flask import Flask

from core.access import Access, Me
from core.build import build_id
from core.bus import Bus
from core.cache import Cache
from core.canary import Canary
from core.cookies import read_cookie
from core.database import now, reading, release_session
from core.deltas import Deltas
from core.entries import Entries
from core.errors import BusUnavailable, Fault, SetupError
from core.flights import Flights
from core.floors import allows_memory, floors_of_request
from core.freshness.guard import FreshnessGuard
from core.freshness.observation import observing
from core.guards import Guard
from core.hub import Hub
from core.keys import access_key
from core.memory import Memory, session_name
from core.pieces import Pieces
from core.plugin import Identity
from core.rates import Rates
from core.reads import make_bodies, render_fragment
from core.registry import Registry
from core.relay import Relay
from core.rounds import Rounds
from core.settings import Settings
from core.shared import Shared
from core.shelves import Shelf
from core.stamps import Stamp
from core.telemetry.logs import follow
from core.telemetry.metrics import Metrics
from core.telemetry.observations import Outbox, look_at
from core.telemetry.reporter import Reporter
from core.telemetry.spans import spans_if_installed
from core.throttle import Throttle

T = TypeVar("T")


class Worker(Protocol):
    """What the runtime asks of the server's worker: whether it still takes requests."""

    alive: bool


class Runtime:
    """Everything of one app; ``app.extensions["coursewire"]``."""

    def __init__(self, app: Flask, settings: Settings, registry: Registry) -> None:
        self.settings = settings
        self.registry = registry
        self.metrics = Metrics()
        self.spans = spans_if_installed()
        self.bus = Bus(settings, metrics=self.metrics)
        self.throttle = Throttle(self.bus)
        self.rates = Rates()
        self.entries = {each.name: Entries(self.bus, each.name) for each in registry.plugins}
        self.relay = Relay(app, self)
        self.hub = Hub(
            self.bus,
            settings,
            self._draining,
            self.relay.owes,
            metrics=self.metrics,
            spans=self.spans,
        )
        build = build_id(registry.plugins)
        shared = Shared(self.bus, self.hub, settings, build)
        self.memory = Memory(self.hub, shared, settings.cache_memory_bytes)
        self.cache = Cache(self.bus, self.hub, self.memory, settings, build, metrics=self.metrics)
        self.deltas = Deltas()
        self.pieces = Pieces(render_fragment)
        self._flights: Flights[Any] = Flights()
        self.freshness = FreshnessGuard(
            app, self, lambda key, me: Context().run(make_bodies, app, key, me)
        )
        self.telemetry = Reporter(self.metrics, self.bus, Outbox(app, self.metrics).measure)
        self.telemetry.every_report(self.hub.sightings.settle)
        self.rounds = Rounds(app, registry.rounds)
        self.canary = Canary(app, self, self.rounds.stopping)
        look_at(self, app, self.metrics, build)
        self._worker: Worker | None = None
        self._started = False

    def start(self, worker: Worker | None = None) -> None:
        """Start the hub and the sweeper of this process; repeated calls change nothing.

        *worker* tells of draining: once it is not ``alive``, every stream says ``bye``.
        """
        if self._started:
            return
        if not self.settings.secret_key:
            text = "SECRET_KEY is not set. Set it to a long random text, the same on every worker."
            raise SetupError([Fault("core", text)])
        self._started = True
        self._worker = worker
        self.freshness.start()
        self.hub.start()
        self.relay.start()
        self.telemetry.start()
        self.rounds.start()
        for plugin in self.registry.plugins:
            for run in plugin.starts:
                run(self.settings)

    def drain(self) -> None:
        """Send every browser to another worker."""
        self.hub.drain()

    def stop(self) -> None:
        """Stop what `start` started, and close the connections to Redis."""
        if self._started:
            self._started = False
            self.rounds.stop()
            self.freshness.stop()
            self.hub.stop()
            self.relay.stop()
            self.telemetry.stop()
        self.bus.close()

    def log_to(self, handlers: Sequence[Handler], access: Sequence[Handler], level: int) -> None:
        """Log where the server does; see `core.telemetry.logs.follow`."""
        follow(self, handlers, access, level)

    @property
    def shared_questions(self) -> int:
        """How often one answer about a session or a guard served several requests."""
        return self._flights.shared

    def identify(self) -> Me | None:
        """Who sent the request at hand, in the words of the plugin that knows."""
        for identity in self.registry.identities:
            token = read_cookie(identity.cookie)
            return self._owner_of(token, identity) if token else None
        return None

    def grant(self, guard: Guard, me: Me | None, values: Mapping[str, Any]) -> Access:
        """What *me* may do by *guard*: remembered, or read in a transaction of its own."""
        asked = tuple(values[parameter.name] for parameter in guard.needed)
        name = (guard, me and (me.user_id, me.staff), asked)

        def remembered() -> Access | None:
            return None if me is None else self._remembered(self.memory.answers, name)

        def read() -> Access:
            known = remembered()
            return known if known is not None else self._read_grant(guard, me, values, name)

        known = remembered()
        return known if known is not None else self._share(name, read)

    def _read_grant(
        self, guard: Guard, me: Me | None, values: Mapping[str, Any], name: Hashable
    ) -> Access:
        heard, began = self.hub.heard, time.monotonic()
        with observing() as sight, reading():
            access = self.registry.grant(guard, me, values)
        if me is not None and access is not Access.NONE:
            # What was refused may be granted without an event; only what is lost must have one.
            self.memory.answers.put(name, access, (access_key(me.user_id),), heard)
            needed = {parameter.name: values[parameter.name] for parameter in guard.needed}
            self.freshness.saw_grant(guard, me, needed, access, sight, heard, began)
        return access

    def _owner_of(self, token: str, identity: Identity) -> Me | None:
        name = session_name(token)

        def remembered() -> Me | None:
            me = self._remembered(self.memory.sessions, name)
            return me if me is not None and me.expires_at > now() else None

        def read() -> Me | None:
            known = remembered()
            if known is not None:
                return known
            heard = self.hub.heard
            with reading():
                me = identity.load(token)
            if me is not None:
                self.memory.sessions.put(name, me, (access_key(me.user_id),), heard)
            return me

        return remembered() or self._share(name, read)

    def _share(self, name: Hashable, read: Callable[[], T]) -> T:
        """What *read* returns, or that of another request which asks the same just now.

        A browser that comes back reads all its keys at once, and opens its stream. Only requests
        with the same floors share: what is new enough for one need not be for the other.
        """
        release_session()
        found: T = self._flights.share((name, floors_of_request()), read)
        return found

    def _remembered(self, shelf: Shelf[T], name: Hashable) -> T | None:
        """What is remembered, unless the one who asks has done something newer."""
        heard = self.hub.stamp
        if heard is None or not allows_memory(heard):
            return None
        return shelf.get(name)

    def read_stamp(self) -> Stamp | None:
        """The stamp of a read that begins now; ``None`` while Redis is away.

        The hub answers out of its memory.
        """
        heard = self.hub.stamp
        if heard is not None:
            return heard
        try:
            return self.bus.stamp()
        except BusUnavailable:
            return None

    def _draining(self) -> bool:
        return self._worker is not None and not self._worker.alive
