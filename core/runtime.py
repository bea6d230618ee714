"""The runtime of one app in one process: what the plugins declared, and the parts that move."""

from collections.abc import Hashable, Mapping
from typing import Any, Protocol, TypeVar

from flask import Flask, request

from core.access import Access, Me
from core.build import build_id
from core.bus import Bus
from core.cache import Cache
from core.database import now, reading
from core.errors import BusUnavailable, Fault, SetupError
from core.floors import bypasses_memory, floors_of_request
from core.guards import Guard
from core.hub import Hub
from core.keys import access_key
from core.memory import Memory, Shelf, session_name
from core.plugin import Identity
from core.registry import Registry
from core.relay import Relay
from core.settings import Settings
from core.stamps import Stamp

T = TypeVar("T")


class Worker(Protocol):
    """What the runtime asks of the server's worker: whether it still takes requests."""

    alive: bool


class Runtime:
    """Everything of one app; ``app.extensions["coursewire"]``."""

    def __init__(self, app: Flask, settings: Settings, registry: Registry) -> None:
        self.settings = settings
        self.registry = registry
        self.bus = Bus(settings)
        self.relay = Relay(app, self)
        self.hub = Hub(self.bus, settings, self._draining, self.relay.owes)
        self.memory = Memory(self.hub, settings.cache_memory_bytes)
        build = build_id(registry.plugins)
        self.cache = Cache(self.bus, self.hub, self.memory, settings, build)
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
        self.hub.start()
        self.relay.start()

    def drain(self) -> None:
        """Send every browser to another worker."""
        self.hub.drain()

    def stop(self) -> None:
        """Stop what `start` started, and close the connections to Redis."""
        if self._started:
            self._started = False
            self.hub.stop()
            self.relay.stop()
        self.bus.close()

    def identify(self) -> Me | None:
        """Who sent the request at hand, in the words of the plugin that knows."""
        for identity in self.registry.identities:
            token = request.cookies.get(identity.cookie)
            return self._owner_of(token, identity) if token else None
        return None

    def grant(self, guard: Guard, me: Me | None, values: Mapping[str, Any]) -> Access:
        """What *me* may do by *guard*: remembered, or read in a transaction of its own."""
        asked = tuple(values[parameter.name] for parameter in guard.needed)
        name = (guard, me and (me.user_id, me.staff), asked)
        known = None if me is None else self._remembered(self.memory.answers, name)
        if known is not None:
            return known
        heard = self.hub.heard
        with reading():
            access = self.registry.grant(guard, me, values)
        if me is not None and access is not Access.NONE:
            # What was refused may be granted without an event; only what is lost must have one.
            self.memory.answers.put(name, access, (access_key(me.user_id),), heard)
        return access

    def _owner_of(self, token: str, identity: Identity) -> Me | None:
        me = self._remembered(self.memory.sessions, session_name(token))
        if me is None or me.expires_at <= now():
            heard = self.hub.heard
            with reading():
                me = identity.load(token)
            if me is not None:
                keys = (access_key(me.user_id),)
                self.memory.sessions.put(session_name(token), me, keys, heard)
        return me

    def _remembered(self, shelf: Shelf[T], name: Hashable) -> T | None:
        """What is remembered, unless the one who asks has done something newer."""
        heard = self.hub.stamp
        if heard is None or bypasses_memory():
            return None
        if not all(heard.reaches(floor) for floor in floors_of_request()):
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
