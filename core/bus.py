"""The bus: Redis, which holds the version of every key, and the channel of the notices."""

import json
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.retry import Retry

from core.errors import BusUnavailable
from core.settings import Settings
from core.stamps import Stamp

MAX_KEYS_PER_NAMESPACE = 1_000
"""Above this many keys of one namespace a publication names the namespace itself."""

_TAKES_NO_WRITES = (OutOfMemoryError, ReadOnlyError)

_REST_S = 1.0
"""After a failure, how long nobody asks Redis again: a request waits for a dead Redis once, and the
next ones go straight to the database."""


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


@dataclass
class Bus:
    """The commands to Redis. Each waits at most the timeout, and raises `BusUnavailable`."""

    settings: Settings
    client: redis.Redis = field(init=False)
    _open_after: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.client = self.connect(timeout_s=self.settings.redis_timeout_s)
        self._stamp = self._script("stamp")
        self._publish = self._script("publish")
        self._reset = self._script("reset")
        self._snapshot = self._script("snapshot")

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
            **options,
        )
        return redis.Redis(connection_pool=pool)

    @property
    def channel(self) -> str:
        """The channel of the notices."""
        return self._name("notices")

    def stamp(self) -> Stamp:
        """Where Redis is now."""
        return Stamp(*self._ask(self._stamp, ("epoch", "seq", "probe"), ("0",)))

    def probe(self) -> Stamp:
        """Where Redis is now, if it takes writes; asked even if it failed a moment ago."""
        return Stamp(*self._ask(self._stamp, ("epoch", "seq", "probe"), ("1",), patient=True))

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
                (self.settings.versions_kept, body, *keys),
                patient=patient,
            )
        )

    def reset(self, cause: str, trace: str) -> Stamp:
        """Make every stamp before now void, and tell every browser to read again."""
        notice = Notice((), cause, trace, reset=True)
        return Stamp(
            *self._ask(
                self._reset,
                ("epoch", "seq", "versions", "horizon", "notices"),
                (notice.encode(),),
                patient=True,
            )
        )

    def snapshot(self) -> Snapshot:
        """The newest versions and the horizon, as of one moment."""
        generation, sequence, horizon, flat = self._ask(
            self._snapshot,
            ("epoch", "seq", "versions", "horizon"),
            (self.settings.versions_loaded,),
            patient=True,
        )
        pairs = zip(flat[::2], flat[1::2], strict=True)
        versions = {key: int(number) for key, number in pairs}
        return Snapshot(Stamp(generation, sequence), int(horizon), versions)

    def close(self) -> None:
        """Close every connection."""
        self.client.close()
        self.client.connection_pool.disconnect()

    def _name(self, what: str) -> str:
        return f"{{{self.settings.redis_prefix}}}:{what}"

    def _script(self, name: str) -> Any:
        folder = files("core") / "lua"
        parts = [(folder / f"{part}.lua").read_text() for part in ("generation", name)]
        return self.client.register_script("\n".join(parts))

    def _ask(
        self,
        script: Any,
        names: Sequence[str],
        arguments: Sequence[Any] = (),
        *,
        patient: bool = False,
    ) -> Any:
        if not patient and time.monotonic() < self._open_after:
            raise BusUnavailable("it failed a moment ago")
        keys = [self._name(name) for name in names]
        try:
            answer = script(keys=keys, args=[secrets.token_hex(16), *arguments])
        except (RedisError, OSError) as error:
            self._open_after = time.monotonic() + _REST_S
            refused = isinstance(error, ResponseError) and not isinstance(error, _TAKES_NO_WRITES)
            raise BusUnavailable(f"{type(error).__name__}: {error}", refused=refused) from error
        self._open_after = 0.0
        return answer


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
