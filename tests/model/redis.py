"""Redis in one Python object: what the scripts of `core/lua/` do, with a clock of ours.

`test_model_redis.py` holds it against a real Valkey with the same commands. What it adds are the
fates of a server: killed, restored from a dump, replaced by a replica that lags.
"""

import copy
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from itertools import count
from typing import Any

import redis

from core.bus import Bus
from core.clock import Clock
from core.settings import Settings
from core.stamps import Stamp

NO_RUN_ID_TWICE = count(1)


@dataclass
class Kept:
    """The hash of one body."""

    generation: str
    sequence: int
    text: str
    ends_at: float


@dataclass
class Data:
    """What a dump holds. (Times to live are points in time there too.)"""

    epoch: str | None = None
    sequence: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    horizon: int = 0
    bodies: dict[str, Kept] = field(default_factory=dict)
    leases: dict[str, tuple[str, float]] = field(default_factory=dict)
    kept_at: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    total: int = 0
    room: tuple[int, float] | None = None


Answer = list[Any]


class ModelRedis:
    """One server. ``heard_by`` are the ends of the channel's connections."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._run_id = next(NO_RUN_ID_TWICE)
        self.data = Data()
        self.heard_by: list[deque[str]] = []
        self.on_publication: Callable[[Stamp, Sequence[str], bool], None] = lambda *_: None
        self.on_keep: Callable[[str, Kept], None] = lambda *_: None
        self.on_lease: Callable[[str, Kept | None, Stamp], None] = lambda *_: None

    def run(self, script: str, names: Sequence[str], arguments: Sequence[Any]) -> Answer:
        """What the script called so answers."""
        command: Callable[[Sequence[str], Sequence[Any]], Answer] = getattr(self, script)
        return command(names, arguments)

    def flush(self) -> None:
        """``FLUSHALL``: all data is gone, the server is the same."""
        self.data = Data()

    def dump(self) -> Data:
        """All data, as of now."""
        return copy.deepcopy(self.data)

    def restart(self, data: Data) -> None:
        """Another process, or another machine, that begins with *data*; nobody is connected."""
        self._run_id = next(NO_RUN_ID_TWICE)
        self.data = copy.deepcopy(data)
        self.heard_by = []

    def generation(self, proposed_epoch: str) -> str:
        """The generation; an epoch that was lost is made anew."""
        self.data.epoch = self.data.epoch or proposed_epoch
        return sha1(f"{self._run_id}:{self.data.epoch}".encode()).hexdigest()[:12]  # noqa: S324  as Redis does

    def stamp(self, _names: Sequence[str], arguments: Sequence[Any]) -> Answer:
        """``stamp.lua``."""
        return [self.generation(arguments[0]), self.data.sequence]

    def publish(self, _names: Sequence[str], arguments: Sequence[Any]) -> Answer:
        """``publish.lua``."""
        epoch, kept, notice, *keys = arguments
        generation = self.generation(epoch)
        self.data.sequence += 1
        self.data.versions |= dict.fromkeys(keys, self.data.sequence)
        self.trim(int(kept))
        self._say(generation, notice, keys, reset=False)
        return [generation, self.data.sequence]

    def trim(self, kept: int) -> None:
        """The oldest go, those of one number by name; the horizon is the last that went."""
        versions = self.data.versions
        for _ in range(len(versions) - kept):
            oldest = min(versions, key=lambda key: (versions[key], key))
            self.data.horizon = versions.pop(oldest)

    def reset(self, _names: Sequence[str], arguments: Sequence[Any]) -> Answer:
        """``reset.lua``."""
        generation = self.generation(arguments[0])
        self.data.sequence += 1
        self.data.versions, self.data.horizon = {}, self.data.sequence
        self._say(generation, arguments[1], (), reset=True)
        return [generation, self.data.sequence]

    def snapshot(self, _names: Sequence[str], arguments: Sequence[Any]) -> Answer:
        """``snapshot.lua``."""
        epoch, loaded = arguments
        data = self.data
        newest = sorted(data.versions.items(), key=lambda item: item[::-1], reverse=True)[:loaded]
        horizon = data.horizon
        if len(data.versions) > len(newest):
            horizon = max(horizon, newest[-1][1])
        flat = [text for pair in newest for text in pair]
        return [self.generation(epoch), data.sequence, horizon, flat]

    def recall(self, names: Sequence[str], arguments: Sequence[Any]) -> Answer:
        """``recall.lua``."""
        body_name, lease_name = names[4:]
        epoch, token, lease_ms, depends, *keys = arguments
        now = self._clock.monotonic()
        generation = self.generation(epoch)
        body = self.body(body_name)
        own, above = keys[:depends], keys[depends:]
        if (
            body is not None
            and body.generation == generation
            and self.version(own, above) <= body.sequence
        ):
            return [generation, self.data.sequence, "body", body.text]
        left_ms = self.lease_left_ms(lease_name)
        if left_ms is not None:
            return [generation, self.data.sequence, "taken", left_ms]
        self.data.leases[lease_name] = token, now + lease_ms / 1000
        self.on_lease(body_name, body, Stamp(generation, self.data.sequence))
        return [generation, self.data.sequence, "lease"]

    def version(self, keys: Sequence[str], above: Sequence[str]) -> int:
        """The number below which what depends on *keys*, with the prefixes *above*, is stale."""
        versions, horizon = self.data.versions, self.data.horizon
        own = [versions.get(key, horizon) for key in keys]
        return max([0, *own, *(versions.get(prefix, 0) for prefix in above)])

    def keep(self, names: Sequence[str], arguments: Sequence[Any]) -> Answer:
        """``keep.lua``."""
        body_name, lease_name = names[:2]
        token, generation, sequence, text, ttl_ms, budget = arguments
        if self.lease_left_ms(lease_name) is None or self.data.leases[lease_name][0] != token:
            return [0]
        self.keep_body(
            body_name, lease_name, Kept(generation, sequence, text, ttl_ms / 1000), budget
        )
        return [1]

    def keep_body(self, body_name: str, lease_name: str, body: Kept, budget: int) -> None:
        """The part of ``keep.lua`` after the question for the lease."""
        data, now = self.data, self._clock.monotonic()
        data.leases.pop(lease_name, None)
        size = len(body.text) + 2 * len(body_name)
        body.ends_at += now
        data.bodies[body_name] = body
        data.kept_at[body_name] = int(now * 1000)
        data.total += size - data.sizes.get(body_name, 0)
        data.sizes[body_name] = size
        room = data.room[0] if data.room is not None and data.room[1] > now else budget
        self.make_room(room)
        self.on_keep(body_name, body)

    def release(self, names: Sequence[str], arguments: Sequence[Any]) -> Answer:
        """``release.lua``."""
        lease = self.data.leases.get(names[0])
        if lease is not None and lease[0] == arguments[0]:
            del self.data.leases[names[0]]
        return []

    def shrink(self, _names: Sequence[str], arguments: Sequence[Any]) -> Answer:
        """``shrink.lua``."""
        left = self.data.total // 2
        self.make_room(left)
        self.data.room = left, self._clock.monotonic() + arguments[0] / 1000
        return [left]

    def make_room(self, budget: int) -> None:
        """``room.lua``."""
        data = self.data
        while data.total > budget:
            if not data.kept_at:
                data.sizes, data.total = {}, 0
                return
            oldest = min(data.kept_at, key=lambda name: (data.kept_at[name], name))
            del data.kept_at[oldest]
            data.bodies.pop(oldest, None)
            data.total -= data.sizes.pop(oldest, 0)

    def body(self, name: str) -> Kept | None:
        """The body called so, unless its time is over."""
        body = self.data.bodies.get(name)
        return body if body is not None and body.ends_at > self._clock.monotonic() else None

    def lease_left_ms(self, name: str) -> int | None:
        """How long the lease is still held; ``None`` when nobody holds it."""
        _, ends_at = self.data.leases.get(name, ("", 0.0))
        left_s = ends_at - self._clock.monotonic()
        return int(left_s * 1000) if left_s > 0 else None

    def _say(self, generation: str, notice: str, keys: Sequence[str], *, reset: bool) -> None:
        stamp = Stamp(generation, self.data.sequence)
        for channel in self.heard_by:
            channel.append(f"{stamp} {notice}")
        self.on_publication(stamp, keys, reset)


class ModelBus(Bus):
    """The real bus, with a model at the other end of its connections.

    ``away`` is a Redis that refuses connections. Before each command that a request sends, *pause*
    lets others go first.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        server: ModelRedis,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        self.server = server
        self.pause = pause
        self.away = False
        super().__init__(settings, clock)

    def connect(self, *, timeout_s: float | None, single: bool = False) -> redis.Redis:
        """A client that never connects: nothing is sent through it."""
        return redis.Redis()

    def _script(self, *names: str) -> Any:
        return names[-1]

    def _ask(
        self,
        script: Any,
        names: Sequence[str],
        arguments: Sequence[Any],
        *,
        patient: bool = False,
    ) -> Any:
        if script != "snapshot":
            self.pause()
        return super()._ask(script, names, arguments, patient=patient)

    def _run(self, script: Any, names: Sequence[str], arguments: Sequence[Any]) -> Any:
        if self.away:
            raise redis.ConnectionError("refused")
        return self.server.run(script, [self._name(name) for name in names], arguments)
