"""The model of Redis answers as a real Valkey does, whatever it is asked."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from core.bus import Bus, Notice, Recalled
from core.settings import Settings
from core.stamps import Stamp
from tests.core.ledger import KEYS
from tests.model.redis import ModelBus, ModelRedis
from tests.model.tasks import ModelClock, Tasks
from tests.servers import RedisServer, redis_server

BODIES = ("one", "two", "three")
DEPENDS = {"one": ("a:x:1",), "two": ("a:y:1", "b"), "three": ("a:x:2",)}
ENDLESS_S = 3600.0

key_lists = st.lists(st.sampled_from(KEYS), max_size=4)
names = st.sampled_from(BODIES)


class BothBuses(RuleBasedStateMachine):
    """Each command goes to both; generations and tokens differ, and nothing else."""

    url: str

    @initialize(kept=st.integers(1, 12), loaded=st.integers(1, 12))
    def begin(self, kept: int, loaded: int) -> None:
        settings = Settings(redis_url=self.url).model_copy(
            update={
                "redis_prefix": f"test-{uuid4().hex[:12]}",
                "versions_kept": kept,
                "versions_loaded": loaded,
                "redis_timeout_s": 5.0,
            }
        )
        self.clock = ModelClock(Tasks())
        self.model = ModelRedis(self.clock)
        self.buses: tuple[Bus, Bus] = Bus(settings), ModelBus(settings, self.clock, self.model)
        self.made: dict[str, tuple[Recalled, Recalled]] = {}
        self.texts = count()

    @rule(keys=key_lists)
    def publish(self, keys: list[str]) -> None:
        self.same(*(bus.publish(Notice(tuple(keys), "", "")) for bus in self.buses))

    @rule()
    def reset_everything(self) -> None:
        self.same(*(bus.reset("", "") for bus in self.buses))

    @rule()
    def look(self) -> None:
        real, model = (bus.snapshot() for bus in self.buses)

        self.same(real.stamp, model.stamp)
        assert (real.horizon, real.versions) == (model.horizon, model.versions)

    @rule(name=names)
    def recall(self, name: str) -> None:
        real, model = (bus.recall(name, DEPENDS[name], ENDLESS_S) for bus in self.buses)

        self.same(real.stamp, model.stamp)
        assert real.body == model.body
        assert (real.lease is None) == (model.lease is None)
        if real.lease is not None:
            self.made[name] = real, model

    @rule(name=names, ours=st.booleans(), length=st.integers(1, 120), budget=st.integers(50, 700))
    def keep(self, name: str, ours: bool, length: int, budget: int) -> None:
        if name not in self.made:
            return
        text = f"{next(self.texts)}".ljust(length, ".")
        made = self.made[name] if ours else [replace(m, lease="") for m in self.made[name]]
        self.clock.move(0.01)

        real, model = (
            bus.keep(name, each, text, budget, ENDLESS_S)
            for bus, each in zip(self.buses, made, strict=True)
        )

        assert real == model
        self.wait_for_another_millisecond()

    @rule(name=names)
    def release(self, name: str) -> None:
        if name in self.made:
            for bus, made in zip(self.buses, self.made[name], strict=True):
                bus.release(name, made)

    @rule(name=names, what=st.sampled_from(["body", "lease"]))
    def let_it_expire(self, name: str, what: str) -> None:
        full = self.full(f"{what}:{name}")
        self.buses[0].client.delete(full)
        kept: dict[str, Any] = self.model.data.bodies if what == "body" else self.model.data.leases
        kept.pop(full, None)

    @rule()
    def lose_everything(self) -> None:
        client = self.buses[0].client
        client.delete("none", *client.scan_iter(self.full("*")))
        self.model.flush()

    @rule()
    def shrink(self) -> None:
        full = [self.full(name) for name in ("bodies", "sizes", "total", "room")]
        real = self.buses[0]._shrink(keys=full, args=[600_000])

        assert real == self.model.run("shrink", full, [600_000])

    def same(self, real: Stamp, model: Stamp) -> None:
        assert real.sequence == model.sequence

    def full(self, name: str) -> str:
        return f"{{{self.buses[0].settings.redis_prefix}}}:{name}"

    def wait_for_another_millisecond(self) -> None:
        """The oldest body goes first, and Redis counts its age in milliseconds."""
        client = self.buses[0].client
        before = _milliseconds(client.time())
        while _milliseconds(client.time()) == before:
            pass

    def teardown(self) -> None:
        if hasattr(self, "buses"):
            self.buses[0].close()


def _milliseconds(time: tuple[int, int]) -> int:
    return time[0] * 1000 + time[1] // 1000


@pytest.fixture(scope="module", params=["valkey", pytest.param("redis", marks=pytest.mark.redis)])
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with redis_server(request.param) as server:
        yield server


def test_the_model_of_redis_answers_as_redis_does(server: RedisServer) -> None:
    machine = type("Driven", (BothBuses,), {"url": server.url})

    run_state_machine_as_test(
        machine,
        settings=hypothesis_settings(
            max_examples=60, stateful_step_count=40, deadline=None, derandomize=True
        ),
    )
