"""The bus: Redis, which holds the version of every key, the cached bodies, and the channel."""

import json
import logging
import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.retry import Retry

from core.clock import Clock
from core.errors import BusUnavailable
from core.keys import prefixes
from core.late_answers import LateAnswers
from core.settings import Settings
from core.stamps import Stamp

log = logging.getLogger("coursewire.bus")

MAX_KEYS_PER_NAMESPACE = 1_000
"""Above this many keys of one namespace a publication names the namespace itself."""

_TAKES_NO_WRITES = (OutOfMemoryError, ReadOnlyError)

_REST_S = 1.0
"""After a failure, how long nobody asks Redis again: a request waits for a dead Redis once, and the
next ones go straight to the database."""

_TURN_S = 1.0
"""How long a request waits for a connection while others use them all."""

_SHRUNK_S = 600.0
"""After Redis was out of memory, how long fewer bodies are kept."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What the channel carries.

    ``keys`` are text forms, each naming every key that it prefixes. ``reset`` means all keys.
    """

    keys: tuple[str, ...]
    cause: str
    trace: str
    reset: bool = False

    def encode(self) -> str:
        """Its JSON."""
        body: dict[str, Any] = {"keys": self.keys, "cause": self.cause, "trace": self.trace}
        if self.reset:
            body["reset"] = True
        return json.dumps(body, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The newest versions as of ``stamp``; a key not in ``versions`` is at most ``horizon``."""

    stamp: Stamp
    horizon: int
    versions: dict[str, int]


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was found at ``stamp``, Redis's own: a current ``body``, or the ``lease`` to make it.

    Neither when somebody else makes it now.
    """

    stamp: Stamp
    body: str | None = None
    lease: str | None = None


@dataclass
class Bus:
    """The commands to Redis.

    Each waits at most the timeout for the answer, and for a turn before it when many ask at once;
    it raises `BusUnavailable`.
    """

    settings: Settings
    clock: Clock = field(default_factory=Clock)
    client: redis.Redis = field(init=False)
    _open_after: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._turns = threading.Semaphore(max(1, self.settings.redis_pool_size - 1))
        self.client = self.connect(timeout_s=self.settings.redis_timeout_s)
        self._stamp = self._script("generation", "stamp")
        self._publish = self._script("generation", "publish")
        self._reset = self._script("generation", "reset")
        self._snapshot = self._script("generation", "snapshot")
        self._recall = self._script("generation", "recall")
        self._keep = self._script("room", "keep")
        self._release = self._script("release")
        self._store = self._script("room", "store")
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

    @property
    def channel(self) -> str:
        """The channel of the notices."""
        return self._name("notices")

    @property
    def writes_channel(self) -> str:
        """The channel of the freshness guards."""
        return self._name("writes")

    def stamp(self) -> Stamp:
        """Where Redis is now."""
        return Stamp(*self._ask(self._stamp, ("epoch", "seq", "probe"), (_new_epoch(), "0")))

    def probe(self) -> Stamp:
        """Where Redis is now, if it takes writes; asked even if it failed a moment ago."""
        arguments = (_new_epoch(), "1")
        return Stamp(*self._ask(self._stamp, ("epoch", "seq", "probe"), arguments, patient=True))

    def publish(self, notice: Notice, *, patient: bool = False) -> Stamp:
        """Record and announce that the keys of *notice* changed; returns its stamp.

        *patient*: ask even when Redis failed a moment ago (the sweeper does).
        """
        keys = tuple(narrow(notice.keys))
        body = Notice(keys, notice.cause, notice.trace).encode()
        return Stamp(
            *self._ask(
                self._publish,
                ("epoch", "seq", "versions", "horizon", "notices"),
                (_new_epoch(), self.settings.versions_kept, body, *keys),
                patient=patient,
            )
        )

    def tell_writes(self, text: str) -> None:
        """Tell every worker's freshness guard of writes; nobody is told again."""
        self._ask(lambda keys, args: self.client.publish(*keys, *args), ("writes",), (text,))

    def reset(self, cause: str, trace: str) -> Stamp:
        """Make every stamp before now void, and tell every browser to read again."""
        notice = Notice((), cause, trace, reset=True)
        return Stamp(
            *self._ask(
                self._reset,
                ("epoch", "seq", "versions", "horizon", "notices"),
                (_new_epoch(), notice.encode()),
                patient=True,
            )
        )

    def snapshot(self) -> Snapshot:
        """The newest versions and the horizon, as of one moment."""
        generation, sequence, horizon, flat = self._ask(
            self._snapshot,
            ("epoch", "seq", "versions", "horizon"),
            (_new_epoch(), self.settings.versions_loaded),
            patient=True,
        )
        pairs = zip(flat[::2], flat[1::2], strict=True)
        versions = {key: int(number) for key, number in pairs}
        return Snapshot(Stamp(generation, sequence), int(horizon), versions)

    def recall(self, name: str, keys: Sequence[str], lease_s: float) -> Recalled:
        """The body *name* if it is current, or else the lease to make it, if nobody holds that.

        It depends on *keys*: a notice that names one of them, or a prefix of one, makes it stale.
        """
        token = secrets.token_hex(8)
        above = {prefix: None for key in keys for prefix in prefixes(key)}
        generation, sequence, outcome, *rest = self._ask(
            self._recall,
            ("epoch", "seq", "versions", "horizon", f"body:{name}", f"lease:{name}"),
            (
                _new_epoch(),
                token,
                int(lease_s * 1000),
                len(keys),
                *keys,
                *(above.keys() - set(keys)),
            ),
        )
        stamp = Stamp(generation, sequence)
        if outcome == "body":
            return Recalled(stamp, body=rest[0])
        return Recalled(stamp, lease=token if outcome == "lease" else None)

    def keep(self, name: str, made: Recalled, body: str, budget_bytes: int, ttl_s: float) -> bool:
        """Keep the *body* that was made under the lease of *made*; whether that was still held."""
        assert made.lease is not None  # noqa: S101  only who has a lease makes a body
        arguments = (made.lease, made.stamp.generation, made.stamp.sequence, body)
        (kept,) = self._ask(
            self._keep,
            (f"body:{name}", f"lease:{name}", "bodies", "sizes", "total", "room"),
            (*arguments, int(ttl_s * 1000), budget_bytes),
        )
        return bool(kept)

    def release(self, name: str, made: Recalled) -> None:
        """Give the lease of *made* back, with nothing made."""
        self._ask(self._release, (f"lease:{name}",), (made.lease or "",))

    def eviction(self) -> str | None:
        """The name of Redis's policy when that may evict versions, which have no time to live."""
        try:
            policy: str = self.client.info("memory").get("maxmemory_policy", "")
        except (RedisError, OSError) as error:
            raise BusUnavailable(f"{type(error).__name__}: {error}") from error
        return policy if policy.startswith("allkeys") else None

    def fetch(self, names: Sequence[str]) -> dict[str, str]:
        """What is stored under *names*, as far as it is."""
        texts = self._ask(self._mget, [f"known:{name}" for name in names], ())
        found = zip(names, texts, strict=True)
        return {name: text for name, text in found if text is not None}

    def store(self, texts: Mapping[str, str], budget_bytes: int, ttl_s: float) -> None:
        """Store *texts* by name, within the budget that bodies have too."""
        names = ("bodies", "sizes", "total", "room", *(f"known:{name}" for name in texts))
        self._ask(self._store, names, (int(ttl_s * 1000), budget_bytes, *texts.values()))

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

    def _mget(self, keys: Sequence[str], args: Sequence[Any]) -> Any:  # noqa: ARG002  as scripts do
        return self.client.mget(keys)

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


def _new_epoch() -> str:
    """What the epoch becomes if Redis has lost it."""
    return secrets.token_hex(16)


def narrow(keys: Iterable[str]) -> list[str]:
    """*keys* without repetitions and without those that another one prefixes.

    More than `MAX_KEYS_PER_NAMESPACE` keys of one namespace become the namespace itself.
    """
    unique = sorted(set(keys))
    namespaces: dict[str, int] = {}
    for key in unique:
        namespace = _namespace(key)
        namespaces[namespace] = namespaces.get(namespace, 0) + 1
    found: dict[str, None] = {}
    for key in unique:
        namespace = _namespace(key)
        found[namespace if namespaces[namespace] > MAX_KEYS_PER_NAMESPACE else key] = None
    return [key for key in found if not _has_prefix_in(key, found)]


def _namespace(key: str) -> str:
    return ":".join(key.split(":", 2)[:2])


def _has_prefix_in(key: str, keys: dict[str, None]) -> bool:
    parent, _, _ = key.rpartition(":")
    while parent:
        if parent in keys:
            return True
        parent, _, _ = parent.rpartition(":")
    return False
