"""The runtime of one app in one process: what the plugins declared, and the parts that move."""

from typing import Protocol

from flask import Flask

from core.access import Me
from core.bus import Bus
from core.database import reading
from core.errors import BadRequest, BusUnavailable, Fault, SetupError
from core.hub import Hub
from core.registry import Registry
from core.relay import Relay
from core.settings import Settings
from core.stamps import Stamp


class Worker(Protocol):
    """What the runtime asks of the server's worker: whether it still takes requests."""

    alive: bool


class Runtime:
    """Everything of one app; ``app.extensions["coursewire"]``."""

    def __init__(self, app: Flask, settings: Settings, registry: Registry) -> None:
        self.settings = settings
        self.registry = registry
        self.bus = Bus(settings)
        self.hub = Hub(self.bus, settings, self._draining)
        self.relay = Relay(app, self)
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
        for load in self.registry.identities:
            with reading():
                return load()
        return None

    def read_stamp(self, floor: Stamp | None = None) -> Stamp | None:
        """The stamp of a read that begins now, at or above *floor*; ``None`` while Redis is away.

        The hub answers out of its memory; only a floor above what it has heard costs a question to
        Redis. Raises `BadRequest` for a floor that Redis itself has not reached.
        """
        heard = self.hub.stamp
        if heard is not None and (floor is None or heard.reaches(floor)):
            return heard
        try:
            stamp = self.bus.stamp()
        except BusUnavailable:
            return None
        if floor is not None and floor.generation == stamp.generation and not stamp.reaches(floor):
            raise BadRequest(
                f"Live-Floor {floor} is above the newest stamp, {stamp}. Send one you were given."
            )
        return stamp

    def _draining(self) -> bool:
        return self._worker is not None and not self._worker.alive
