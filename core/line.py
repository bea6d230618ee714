"""The line to Redis: connections, turns, and what a failure means."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.retry import Retry

from core.clock import Clock
from core.errors import BusUnavailable
from core.late_answers import LateAnswers
from core.settings import Settings

T = TypeVar("T")

log = logging.getLogger("coursewire.bus")

_TAKES_NO_WRITES = (OutOfMemoryError, ReadOnlyError)

_REST_S = 1.0
"""After a failure, how long nobody asks Redis again: a request waits for a dead Redis once, and the
next ones go straight to the database."""

_TURN_S = 1.0
"""How long a request waits for a connection while others use them all."""

_SHRUNK_S = 600.0
"""After Redis was out of memory, how long fewer bodies are kept."""


@dataclass
class Line:
    """One process's line to Redis.

    Each command waits at most the timeout for the answer, and for a turn before it when many ask at
    once; it raises `BusUnavailable`.
    """

    settings: Settings
    clock: Clock = field(default_factory=Clock)
    client: redis.Redis = field(init=False)
    _open_after: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._turns = threading.Semaphore(max(1, self.settings.redis_pool_size - 1))
        self.client = self.connect(timeout_s=self.settings.redis_timeout_s)
        self._shrink = self._script("room", "shrink")

    def connect(self, *, timeout_s: float | None, single: bool = False) -> redis.Redis:
        """A client of its own pool; *timeout_s* ``None`` waits for answers without end.

        A connection that broke while it lay in the pool is opened anew once; a silent Redis is not
        asked twice. (A publication repeated so is harmless, as is every repeated notice.)
        """
        options: dict[str, Any] = {}
        if self.settings.redis_url.startswith("rediss://") and not self.settings.redis_tls_verify:
            options["ssl_cert_reqs"] = "none"
        pool = redis.BlockingConnectionPool.from_url(
            self.settings.redis_url,
            max_connections=1 if single else self.settings.redis_pool_size,
            timeout=self.settings.redis_timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=self.settings.redis_timeout_s,
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
            decode_responses=True,
            parser_class=LateAnswers,
            **options,
        )
        return redis.Redis(connection_pool=pool)

    def lend(self, work: Callable[[], T]) -> T:
        """What *work* returns, which uses `client` or its pool, by the rules of every command."""
        found: T = self._ask(lambda keys, args: work(), (), ())  # noqa: ARG005  `_ask`'s signature
        return found

    def close(self) -> None:
        """Close every connection."""
        self.client.close()
        self.client.connection_pool.disconnect()

    def _name(self, what: str) -> str:
        return f"{{{self.settings.redis_prefix}}}:{what}"

    def _script(self, *names: str) -> Any:
        folder = files("core") / "lua"
        parts = [(folder / f"{name}.lua").read_text() for name in names]
        return self.client.register_script("\n".join(parts))

    def _ask(
        self,
        script: Any,
        names: Sequence[str],
        arguments: Sequence[Any],
        *,
        patient: bool = False,
    ) -> Any:
        """What *script* answers; whoever is not *patient* waits for a turn.

        Waiting for a turn is no failure of Redis: it opens nothing, and whoever has waited asks
        only if nobody has failed meanwhile. One connection is left to the patient ones, the hub
        and the sweeper: a crowd must not make Redis look away.
        """
        if patient:
            return self._answer(script, names, arguments)
        if not self._turns.acquire(timeout=_TURN_S):
            raise BusUnavailable(f"there was no turn within {_TURN_S:g} s")
        try:
            if self._open_after:
                if self.clock.monotonic() < self._open_after:
                    raise BusUnavailable("it failed a moment ago")
                # This one tries; the others go on without Redis until it knows.
                self._open_after = self.clock.monotonic() + _REST_S
            return self._answer(script, names, arguments)
        finally:
            self._turns.release()

    def _answer(self, script: Any, names: Sequence[str], arguments: Sequence[Any]) -> Any:
        try:
            answer = self._run(script, names, arguments)
        except (RedisError, OSError) as error:
            self._open_after = self.clock.monotonic() + _REST_S
            refused = isinstance(error, ResponseError) and not isinstance(error, _TAKES_NO_WRITES)
            raise BusUnavailable(f"{type(error).__name__}: {error}", refused=refused) from error
        self._open_after = 0.0
        return answer

    def _run(self, script: Any, names: Sequence[str], arguments: Sequence[Any]) -> Any:
        """What *script* answers. Out of memory, bodies go, and it is tried once more."""
        keys = [self._name(name) for name in names]
        try:
            return script(keys=keys, args=list(arguments))
        except OutOfMemoryError:
            bodies = [self._name(name) for name in ("bodies", "sizes", "total", "room")]
            (left,) = self._shrink(keys=bodies, args=[int(_SHRUNK_S * 1000)])
            log.warning("Redis is out of memory; cached bodies may take %d bytes for now", left)
            return script(keys=keys, args=list(arguments))
