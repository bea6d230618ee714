"""A hub that lost Redis, in every way there is, tells its browsers all that they missed.

While it cannot hear, another machine goes on writing and publishing. What is asserted is the same
each time: the ledger finds nothing lost, nothing gone back, and nothing told without a cause.
"""

from collections.abc import Callable

import pytest
from redis import Redis

from core.bus import Bus, Notice
from tests.conftest import settings_for
from tests.faults.conftest import WORKERS, Rig
from tests.faults.ledger import Ledger
from tests.faults.proxy import Proxy
from tests.faults.screen import Screen
from tests.faults.site import Writer, settle, watched
from tests.servers import redis_server, wait_until

CHAPTER = 3
DETECTED_S = 10.0
"""Within so many seconds a hub knows that it hears nothing; the product's own promise."""

Fault = Callable[[Rig], None]


def heard_by_all(screens: list[Screen], event: str, times: int = 1) -> bool:
    return all(len(screen.heard(event)) >= times for screen in screens)


def causes(screens: list[Screen]) -> set[str]:
    return {frame.data["cause"] for screen in screens for frame in screen.heard("stale")}


def let_it_write(writer: Writer, count: int = 5) -> None:
    """Return once *count* more of its writes are committed."""
    goal = writer.committed + count
    wait_until(lambda: writer.committed >= goal, "writes")


PARTITIONS: dict[str, Fault] = {
    "refused": lambda rig: rig.proxy.refuse(),
    "silent": lambda rig: rig.proxy.blackhole(),
    "too late": lambda rig: rig.proxy.delay(2.0),
    "cut in the middle": lambda rig: rig.proxy.cut_after(40),
}


@pytest.mark.parametrize("fault", PARTITIONS.values(), ids=PARTITIONS)
def test_what_others_publish_while_a_machine_cannot_reach_redis_is_told_when_it_can(
    rig: Rig, ledger: Ledger, fault: Fault
) -> None:
    with watched(rig.site, ledger) as screens, Writer(rig.other, ledger, CHAPTER) as writer:
        let_it_write(writer)

        fault(rig)
        wait_until(lambda: heard_by_all(screens, "degraded"), "word of it", DETECTED_S)
        let_it_write(writer)
        writer.close()
        settle(ledger)
        assert not any(screen.heard("restored") for screen in screens), "they polled"
        rig.proxy.heal()
        wait_until(lambda: heard_by_all(screens, "restored"), "end of it")

    assert "reset" not in causes(screens), "no generation has changed"


BREAKS: dict[str, Fault] = {
    "reset": lambda rig: rig.proxy.reset(),
    "half-open": lambda rig: rig.proxy.half_open(),
}


@pytest.mark.parametrize("fault", BREAKS.values(), ids=BREAKS)
def test_a_connection_that_breaks_is_noticed_and_nothing_is_missed(
    rig: Rig, ledger: Ledger, fault: Fault
) -> None:
    with watched(rig.site, ledger) as screens, Writer(rig.other, ledger, CHAPTER) as writer:
        let_it_write(writer)

        fault(rig)
        let_it_write(writer)
        writer.close()
        wait_until(ledger.is_settled, "word of what was written", DETECTED_S)

    assert "reset" not in causes(screens)


def test_subscribers_that_redis_throws_out_come_back_and_miss_nothing(
    rig: Rig, ledger: Ledger
) -> None:
    with watched(rig.site, ledger) as screens, Writer(rig.other, ledger, CHAPTER) as writer:
        let_it_write(writer)

        with rig.redis.client() as client:
            assert client.client_kill_filter(_type="pubsub") == WORKERS
        let_it_write(writer)

    assert "reset" not in causes(screens)


def test_a_subscriber_too_slow_for_its_output_buffer_comes_back_and_misses_nothing(
    rig: Rig, ledger: Ledger
) -> None:
    settings = settings_for("sqlite://", rig.redis.url, rig.site.server.log.parent)
    bus = Bus(settings.model_copy(update={"redis_prefix": "coursewire"}))
    noise = Notice(tuple(f"noise:{'x' * 900}:{n}" for n in range(15)), "test", "")
    slow = rig.site.server.workers
    with (
        rig.redis.client() as client,
        watched(rig.site, ledger) as screens,
        Writer(rig.other, ledger, CHAPTER) as writer,
    ):
        client.config_set("client-output-buffer-limit", "pubsub 2mb 1mb 1")
        try:
            with rig.site.server.paused(slow[0]), rig.site.server.paused(slow[1]):
                while thrown_out(client) < len(slow):
                    bus.publish(noise, patient=True)
                let_it_write(writer)
        finally:
            client.config_set("client-output-buffer-limit", "pubsub 32mb 8mb 60")
            bus.close()

    assert "reset" not in causes(screens)


def thrown_out(client: Redis) -> int:
    """How many subscribers Redis has ended for their slowness."""
    return int(client.info("stats")["client_output_buffer_limit_disconnections"])


def test_a_redis_that_hangs_is_noticed_and_nothing_is_missed(rig: Rig, ledger: Ledger) -> None:
    with watched(rig.site, ledger) as screens, Writer(rig.other, ledger, CHAPTER) as writer:
        let_it_write(writer)

        rig.redis.freeze()
        wait_until(lambda: heard_by_all(screens, "degraded"), "word of it", DETECTED_S)
        let_it_write(writer)
        rig.redis.thaw()
        wait_until(lambda: heard_by_all(screens, "restored"), "end of it")
        let_it_write(writer)

    assert "reset" not in causes(screens)


def told_to_read_all_again(screen: Screen) -> bool:
    """Whether a reset reached this screen, in its stream or at the head of the next."""
    hellos = [frame for frame in screen.heard("hello")[1:] if frame.data["verdict"] == "reset"]
    stale = [frame for frame in screen.heard("stale") if frame.data["cause"] == "reset"]
    return bool(hellos or stale)


def test_a_redis_that_starts_again_empty_makes_everybody_read_again(
    rig: Rig, ledger: Ledger
) -> None:
    with watched(rig.site, ledger) as screens, Writer(rig.other, ledger, CHAPTER) as writer:
        let_it_write(writer)

        rig.redis.kill()
        let_it_write(writer)
        rig.redis.start()
        let_it_write(writer)

        wait_until(lambda: all(map(told_to_read_all_again, screens)), "reset")


def test_a_redis_restored_from_an_old_dump_makes_everybody_read_again(
    rig: Rig, ledger: Ledger
) -> None:
    with watched(rig.site, ledger) as screens, Writer(rig.other, ledger, CHAPTER) as writer:
        let_it_write(writer)
        with rig.redis.client() as client:
            client.save()
            saved_at = int(client.get("{coursewire}:seq") or 0)
        let_it_write(writer, 20)

        rig.redis.kill()
        rig.redis.start()
        with rig.redis.client() as client:
            found = int(client.get("{coursewire}:seq") or 0)
        let_it_write(writer)

        assert found < saved_at + 20, "it went back in time"
        wait_until(lambda: all(map(told_to_read_all_again, screens)), "reset")


def test_a_failover_to_a_replica_that_lags_makes_everybody_read_again(
    rig: Rig, ledger: Ledger
) -> None:
    with (
        Proxy(rig.redis.socket) as between,
        redis_server("valkey") as replica,
        replica.client() as client,
        watched(rig.site, ledger) as screens,
        Writer(rig.other, ledger, CHAPTER) as writer,
    ):
        client.replicaof("127.0.0.1", between.port)
        wait_until(lambda: client.info("replication")["master_link_status"] == "up", "replica")
        between.blackhole()
        let_it_write(writer, 20)

        rig.redis.kill()
        client.replicaof("NO", "ONE")
        for proxy in (rig.proxy, rig.others_proxy):
            proxy.aim(replica.socket)
        let_it_write(writer)
        wait_until(lambda: all(map(told_to_read_all_again, screens)), "reset")
        resets = [len(screen.heard("stale")) for screen in screens]

        rig.redis.start()
        for proxy in (rig.proxy, rig.others_proxy):
            proxy.aim(rig.redis.socket)
        let_it_write(writer)
        wait_until(
            lambda: all(
                len(screen.heard("stale")) > before
                for screen, before in zip(screens, resets, strict=True)
            ),
            "word of the way back",
        )
