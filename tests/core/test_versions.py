"""The rule of stamps, against a model that remembers every publication."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.bus import Snapshot
from core.stamps import Stamp
from core.versions import Arrival, Versions
from tests.core.ledger import KEYS, Ledger, Publication

GENERATION = "0" * 12

key_sets = st.lists(st.sampled_from(KEYS), max_size=4, unique=True)


class SmallRedis:
    """What the scripts keep in Redis: the newest versions, and the horizon."""

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self.horizon = 0
        self.versions: dict[str, int] = {}

    def take(self, publication: Publication) -> None:
        if publication.reset:
            self.versions, self.horizon = {}, publication.sequence
            return
        self.versions |= dict.fromkeys(publication.keys, publication.sequence)
        while len(self.versions) > self.kept:
            oldest = min(self.versions, key=lambda key: (self.versions[key], key))
            self.horizon = self.versions.pop(oldest)

    def snapshot(self, stamp: Stamp, loaded: int) -> Snapshot:
        newest = sorted(self.versions.items(), key=lambda item: item[1], reverse=True)
        horizon = max(self.horizon, newest[loaded][1] if len(newest) > loaded else 0)
        return Snapshot(stamp, horizon, dict(newest[:loaded]))


class RuleOfStamps(RuleBasedStateMachine):
    """Redis publishes and trims; notices arrive, get lost, come twice; a hub answers."""

    @initialize(kept=st.integers(1, 12), loaded=st.integers(1, 12), hub_keeps=st.integers(1, 12))
    def begin(self, kept: int, loaded: int, hub_keeps: int) -> None:
        self.ledger = Ledger(GENERATION)
        self.redis = SmallRedis(kept)
        self.loaded = loaded
        self.hub_keeps = hub_keeps
        self.exact = min(kept, loaded, hub_keeps) >= len(KEYS)
        self.resume()

    @rule(keys=key_sets)
    def publish(self, keys: list[str]) -> None:
        self.redis.take(self.ledger.publish(keys))

    @rule()
    def reset_everything(self) -> None:
        self.redis.take(self.ledger.publish((), reset=True))

    @rule()
    def lose_redis(self) -> None:
        self.ledger = Ledger(f"{int(self.ledger.generation) + 1:012}")
        self.redis = SmallRedis(self.redis.kept)

    @rule()
    def resume(self) -> None:
        snapshot = self.redis.snapshot(self.ledger.stamp, self.loaded)
        self.hub = Versions(snapshot, kept=self.hub_keeps)

    @precondition(lambda self: self.behind > 0)
    @rule()
    def hear_the_next_notice(self) -> None:
        publication = self.ledger.publications[self.hub.stamp.sequence]

        assert self.hear(publication) is Arrival.NEXT
        assert self.hub.stamp == Stamp(self.ledger.generation, publication.sequence)

    @precondition(lambda self: self.behind > 1)
    @rule(data=st.data())
    def hear_a_later_notice(self, data: st.DataObject) -> None:
        missed = data.draw(st.integers(1, self.behind - 1))
        before = self.hub.stamp

        assert self.hear(self.ledger.publications[before.sequence + missed]) is Arrival.GAP
        assert self.hub.stamp == before

    @precondition(lambda self: self.same_generation and self.hub.stamp.sequence > 0)
    @rule(data=st.data())
    def hear_a_notice_again(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, self.hub.stamp.sequence))
        before = [self.hub.version(key) for key in KEYS]

        assert self.hear(self.ledger.publications[number - 1]) is Arrival.KNOWN
        assert [self.hub.version(key) for key in KEYS] == before

    @precondition(lambda self: not self.same_generation and self.ledger.publications)
    @rule(data=st.data())
    def hear_a_notice_of_another_generation(self, data: st.DataObject) -> None:
        before = self.hub.stamp

        assert self.hear(data.draw(st.sampled_from(self.ledger.publications))) is Arrival.GAP
        assert self.hub.stamp == before

    @invariant()
    def current_is_never_said_of_stale_data(self) -> None:
        heard = self.hub.stamp.sequence
        if not self.same_generation:
            return
        for key in KEYS:
            for sequence in range(heard + 1):
                stamp = Stamp(self.ledger.generation, sequence)
                truth = self.ledger.is_current(key, stamp, heard)
                said = self.hub.is_current(key, stamp)
                assert truth or not said, (key, stamp, self.hub.stamp)
                if self.exact:
                    assert said == truth, (key, stamp, self.hub.stamp)

    @invariant()
    def nothing_of_another_generation_is_current(self) -> None:
        for key in KEYS:
            assert not self.hub.is_current(key, Stamp("f" * 12, 10**9))
            assert not self.hub.is_current(key, None)

    @invariant()
    def data_read_at_the_hubs_own_stamp_is_current(self) -> None:
        for key in KEYS:
            assert self.hub.is_current(key, self.hub.stamp)

    @property
    def same_generation(self) -> bool:
        return self.hub.stamp.generation == self.ledger.generation

    @property
    def behind(self) -> int:
        return (
            len(self.ledger.publications) - self.hub.stamp.sequence if self.same_generation else 0
        )

    def hear(self, publication: Publication) -> Arrival:
        stamp = Stamp(self.ledger.generation, publication.sequence)
        if publication.reset:
            return self.hub.reset(stamp)
        return self.hub.arrive(stamp, publication.keys)


TestRuleOfStamps = RuleOfStamps.TestCase
TestRuleOfStamps.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@pytest.fixture
def versions() -> Versions:
    """A hub that began at 10 and knows two keys."""
    known = {"chapters:list:1": 7, "courses": 4}
    return Versions(Snapshot(Stamp(GENERATION, 10), 3, known), kept=100)


@pytest.mark.parametrize(
    ("key", "version"),
    [
        ("chapters:list:1", 7),
        ("chapters:list:1:%7B%22page%22%3A2%7D", 7),
        ("chapters:list:2", 3),
        ("chapters:list:12", 3),
        ("chapters:list", 3),
        ("courses", 4),
        ("courses:detail:1", 4),
        ("coursesx", 3),
    ],
)
def test_a_key_is_as_old_as_the_newest_of_itself_its_prefixes_and_the_horizon(
    versions: Versions, key: str, version: int
) -> None:
    assert versions.version(key) == version
    assert versions.is_current(key, Stamp(GENERATION, version))
    assert not versions.is_current(key, Stamp(GENERATION, version - 1))


def test_naming_a_prefix_makes_every_key_under_it_stale(versions: Versions) -> None:
    arrival = versions.arrive(Stamp(GENERATION, 11), ["chapters"])

    assert arrival is Arrival.NEXT
    assert versions.version("chapters:list:1") == 11
    assert versions.version("chapters:picker:5") == 11
    assert versions.version("courses:detail:1") == 4


def test_a_stamp_of_a_worker_that_is_ahead_is_current(versions: Versions) -> None:
    assert versions.is_current("chapters:list:1", Stamp(GENERATION, 99))


def test_a_reset_makes_everything_before_it_stale(versions: Versions) -> None:
    assert versions.reset(Stamp(GENERATION, 11)) is Arrival.NEXT

    assert not versions.is_current("never:heard:of", Stamp(GENERATION, 10))
    assert versions.is_current("never:heard:of", Stamp(GENERATION, 11))
    assert versions.horizon == 11


def test_a_reset_after_a_gap_is_a_gap_like_any_other(versions: Versions) -> None:
    assert versions.reset(Stamp(GENERATION, 12)) is Arrival.GAP

    assert versions.horizon == 3


def test_what_a_worker_holds_is_bounded() -> None:
    versions = Versions(Snapshot(Stamp(GENERATION, 0), 0, {}), kept=100)

    for number in range(1, 1001):
        versions.arrive(Stamp(GENERATION, number), [f"chapters:list:{number}"])

    assert 1000 - 125 <= versions.horizon <= 900
    assert versions.version("chapters:list:1000") == 1000
    assert versions.version("chapters:list:1") == versions.horizon
