"""The bus: Redis, which holds the version of every key, the cached bodies, and the channel."""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.errors import BusUnavailable
from core.keys import prefixes
from core.line import Line
from core.stamps import Stamp
from core.telemetry.metrics import Metrics

MAX_KEYS_PER_NAMESPACE = 1_000
"""Above this many keys of one namespace a publication names the namespace itself."""

_WORST_KEPT_S = 300


@dataclass(frozen=True, slots=True)
class Notice:
    """What the channel carries.

    ``keys`` are text forms, each naming every key that it prefixes. ``reset`` means all keys.
    ``at`` is when the write was committed, in seconds since the epoch, and ``why`` the JSON of its
    `core.explain.why.Why`; both only explain, and a notice without them is as good.
    """

    keys: tuple[str, ...]
    cause: str
    trace: str
    reset: bool = False
    at: float | None = None
    why: str = ""

    def encode(self) -> str:
        """Its JSON."""
        body: dict[str, Any] = {"keys": self.keys, "cause": self.cause, "trace": self.trace}
        if self.at is not None:
            body["at"] = round(self.at, 4)
        if self.why:
            body["why"] = self.why
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
class Bus(Line):
    """The commands to Redis; each waits and fails as `Line` says."""

    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._stamp = self._script("generation", "stamp")
        self._publish = self._script("generation", "publish")
        self._reset = self._script("generation", "reset")
        self._snapshot = self._script("generation", "snapshot")
        self._recall = self._script("generation", "recall")
        self._keep = self._script("room", "keep")
        self._release = self._script("release")
        self._store = self._script("room", "store")
        self._report = self._script("report")
        self._totals = self._script("totals")

    @property
    def channel(self) -> str:
        """The channel of the notices."""
        return self._name("notices")

    @property
    def writes_channel(self) -> str:
        """The channel of the freshness guards."""
        return self._name("writes")

    @property
    def seen_channel(self) -> str:
        """The channel on which workers pass on what browsers saw."""
        return self._name("seen")

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
        body = replace(notice, keys=keys).encode()
        began = self.clock.monotonic()
        try:
            answer = self._ask(
                self._publish,
                ("epoch", "seq", "versions", "horizon", "notices"),
                (_new_epoch(), self.settings.versions_kept, body, *keys),
                patient=patient,
            )
        except BusUnavailable:
            self.metrics.publications.labels("failed").inc()
            raise
        self.metrics.publications.labels("ok").inc()
        self.metrics.publication_seconds.observe(self.clock.monotonic() - began)
        return Stamp(*answer)

    def tell_writes(self, text: str) -> None:
        """Tell every worker's freshness guard of writes; nobody is told again."""
        self._ask(lambda keys, args: self.client.publish(*keys, *args), ("writes",), (text,))

    def tell_seen(self, text: str) -> None:
        """Tell every worker what a browser saw; nobody is told again."""
        self._ask(lambda keys, args: self.client.publish(*keys, *args), ("seen",), (text,))

    def tell_worst(self, trace: str, worker: str, worst_s: float) -> None:
        """Note the longest lag of *trace* among the streams of *worker*; kept for some minutes."""
        self._ask(self._note_worst, (f"worst:{trace}",), (worker, repr(worst_s)))

    def take_worst(self, trace: str) -> list[float]:
        """What each worker noted of *trace*; only the first who asks is told."""
        return [float(text) for text in self._ask(self._take_worst, (f"worst:{trace}",), ())]

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
        memory = self.lend(lambda: self.client.info("memory"))
        policy: str = memory.get("maxmemory_policy", "")
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

    def report(
        self, worker: str, number: int, gauges: str, increments: Mapping[str, float]
    ) -> bool:
        """Tell what *worker* counted, once for each *number*; empty *gauges* mean that it ends.

        Returns whether this worker is the one that measures what all share.
        """
        pairs = [part for name, value in increments.items() for part in (name, repr(value))]
        names = ("sums", "gauges", "reports", "workers", "measurer")
        (measures,) = self._ask(
            self._report, [f"metrics:{name}" for name in names], (worker, number, gauges, *pairs)
        )
        return bool(measures)

    def totals(self) -> tuple[dict[str, str], list[str]]:
        """What all workers have told: the sum of each sample, and each one's gauges."""
        names = [f"metrics:{name}" for name in ("sums", "gauges", "workers")]
        flat, gauges = self._ask(self._totals, names, ())
        return dict(zip(flat[::2], flat[1::2], strict=True)), list(gauges)

    def _mget(self, keys: Sequence[str], args: Sequence[Any]) -> Any:  # noqa: ARG002  as scripts do
        return self.client.mget(keys)

    def _note_worst(self, keys: Sequence[str], args: Sequence[Any]) -> Any:
        with self.client.pipeline(transaction=True) as both:
            both.hset(keys[0], args[0], args[1])
            both.expire(keys[0], _WORST_KEPT_S)
            return both.execute()

    def _take_worst(self, keys: Sequence[str], args: Sequence[Any]) -> Any:  # noqa: ARG002  as scripts do
        with self.client.pipeline(transaction=True) as both:
            both.hvals(keys[0])
            both.delete(keys[0])
            return both.execute()[0]


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
