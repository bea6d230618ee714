"""The canary: a write that is watched all the way, from its commit until its screen shows it.

::

    write ──► outbox ──► Redis ──► hub ──► a stream of this worker ──► read again ──► seen
      └─ committed                                                                      │
         └──────────────────────────── the canary's lag ───────────────────────────────┘

1. It watches and reads as a browser does: a stream of the hub, and the cache at the floor of its
   own write. What it leaves out is what lies outside: proxy, network, and the painting.
2. Its stream is no browser: it is not counted among them, in no log, and reports no sighting.
3. A canary that was not seen within a minute is lost. Unknown is stale here too.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Any

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from core.errors import Problem
from core.queries import Key
from core.reads import make_bodies
from core.sightings import WITHIN_S
from core.streams import Announcement, Stream
from core.transactions import Work
from core.watchers import WatchedKey

if TYPE_CHECKING:
    from core.runtime import Runtime

log = logging.getLogger("coursewire.canary")

LOST_S = 60.0
_LOOK_S = 0.25


class Canary:
    """The canaries of one worker; *stopping* ends the wait for one. One thread sends them."""

    def __init__(self, app: Flask, runtime: "Runtime", stopping: threading.Event) -> None:
        self._app = app
        self._runtime = runtime
        self._stopping = stopping
        self._lost = False

    def send(
        self, key: Key, write: Callable[[], Work | None], shows: Callable[[Any], bool]
    ) -> float | None:
        """Let *write* commit, and wait until *key* shows it; returns the lag in seconds.

        *shows* looks at the key's JSON. *write* returns ``None`` when there was nothing to write.
        ``None`` for that, for a canary that was lost, and at the end of the worker. Holds nothing
        while it waits; call it outside of any transaction.
        """
        stream = _Perch(key)
        with self._runtime.hub.overheard(stream):
            work = write()
            if work is None or work.committed is None:
                return None
            while (lag_s := time.time() - work.committed) < LOST_S:
                if self._stopping.is_set():
                    return None
                if stream.was_told() and self._is_shown(key, work, shows):
                    return self._seen(time.time() - work.committed)
                stream.wait(min(_LOOK_S, LOST_S - lag_s))
        self._is_lost(work)
        return None

    def _is_shown(self, key: Key, work: Work, shows: Callable[[Any], bool]) -> bool:
        runtime = self._runtime

        def read() -> Any:
            return Context().run(make_bodies, self._app, key, None)

        try:
            found = runtime.cache.find(key, work.stamp, read)
        except (Problem, SQLAlchemyError) as error:
            log.info("The canary cannot read: %s", error, extra={"trace": work.trace})
            return False
        return shows(json.loads(found.bodies.json.content))

    def _seen(self, lag_s: float) -> float:
        metrics = self._runtime.metrics
        metrics.canaries.add("seen")
        metrics.canary_seconds.add(lag_s)
        for within_s in WITHIN_S:
            metrics.fresh_canaries.add(str(within_s), by=1 if lag_s <= within_s else 0)
        if self._lost:
            log.warning("The canary is seen again, after %.1f s", lag_s)
        self._lost = False
        return lag_s

    def _is_lost(self, work: Work) -> None:
        metrics = self._runtime.metrics
        metrics.canaries.add("lost")
        for within_s in WITHIN_S:
            metrics.fresh_canaries.add(str(within_s), by=0)
        if not self._lost:
            log.warning(
                "The canary was not seen within %g s of its commit: screens of this worker do not "
                "follow what is written. Look at the outbox, at Redis, and at this worker's loop.",
                LOST_S,
                extra={"trace": work.trace},
            )
        self._lost = True


class _Perch(Stream):
    """A stream that ends in this process."""

    __slots__ = ("_told", "_wake")

    def __init__(self, key: Key) -> None:
        super().__init__({key.text: key.parts}, None, label="canary")
        self._told = False
        self._wake = threading.Event()

    def was_told(self) -> bool:
        """Whether it was told since it was last asked."""
        told, self._told = self._told, False
        return told

    def wait(self, timeout_s: float) -> None:
        """Wait until it is told, and no longer than *timeout_s*."""
        self._wake.wait(timeout_s)
        self._wake.clear()

    def send_stale(
        self,
        encoded: bytes,  # noqa: ARG002  as every stream's
        keys: Sequence[WatchedKey],  # noqa: ARG002
        announcement: Announcement,  # noqa: ARG002
    ) -> None:
        """Something became stale: there is one key, so it is that."""
        self._told = True
        self._wake.set()

    def send(self, encoded: bytes) -> None:
        """Beats and the like are for browsers."""

    def end(self, encoded: bytes) -> None:
        """The one who watches looks at the worker's end itself."""
