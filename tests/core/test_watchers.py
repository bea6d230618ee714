"""Who watches what, against a model that looks at every stream."""

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from core.keys import prefixes
from core.streams import Stream
from core.watchers import Watchers
from tests.core.ledger import KEYS


def stream(*keys: str, access_key: str | None = None) -> Stream:
    return Stream({key: tuple(key.split(":")) for key in keys}, access_key)


class Watching(RuleBasedStateMachine):
    """Streams come and go; each notice finds exactly those that watch what it names."""

    streams = Bundle("streams")

    def __init__(self) -> None:
        super().__init__()
        self.watchers = Watchers()
        self.open: dict[Stream, set[str]] = {}

    @rule(
        target=streams,
        keys=st.sets(st.sampled_from(KEYS), max_size=4),
        user=st.sampled_from([None, 1, 12]),
    )
    def come(self, keys: set[str], user: int | None) -> Stream:
        opened = stream(*keys, access_key=f"access:{user}" if user else None)
        self.watchers.add(opened)
        self.open[opened] = keys
        return opened

    @rule(gone=consumes(streams))
    def go(self, gone: Stream) -> None:
        self.watchers.remove(gone)
        self.watchers.remove(gone)
        del self.open[gone]

    @rule(named=st.lists(st.sampled_from([*KEYS, "c", "a:x:1:{}:deeper"]), max_size=3))
    def name(self, named: list[str]) -> None:
        found: dict[Stream, set[str]] = {}
        for keys, streams in self.watchers.watching(named).items():
            for each in streams:
                assert each not in found, "a stream is told twice"
                found[each] = {key.text for key in keys}

        expected = {
            opened: {key for key in keys if set(prefixes(key)) & set(named)}
            for opened, keys in self.open.items()
        }
        assert found == {opened: keys for opened, keys in expected.items() if keys}

    @rule(users=st.sets(st.sampled_from([1, 2, 12]), max_size=2))
    def change_access(self, users: set[int]) -> None:
        named = [f"access:{user}" for user in sorted(users)]

        found = self.watchers.losing_access(named)

        assert set(found) == {s for s in self.open if s.access_key in named}
        assert len(found) == len(set(found))

    @rule()
    def change_all_access(self) -> None:
        found = self.watchers.losing_access(["access"])

        assert set(found) == {s for s in self.open if s.access_key is not None}

    @invariant()
    def it_knows_the_open_streams_and_what_they_watch(self) -> None:
        assert set(self.watchers) == set(self.open)
        assert len(self.watchers) == len(self.open)
        assert sorted(self.watchers.keys) == sorted(set().union(*self.open.values()))

    def teardown(self) -> None:
        for opened in list(self.open):
            self.watchers.remove(opened)
        assert self.watchers.keys == []
        assert self.watchers.watching(KEYS) == {}
        assert self.watchers.losing_access(["access:1", "access:12"]) == []


TestWatching = Watching.TestCase


def test_a_stream_is_told_of_a_key_by_every_name_that_prefixes_it() -> None:
    watchers = Watchers()
    opened = stream("chapters:list:42")
    watchers.add(opened)

    for name in ("chapters:list:42", "chapters:list", "chapters"):
        ((keys, streams),) = watchers.watching([name]).items()
        assert [key.text for key in keys] == ["chapters:list:42"]
        assert streams == [opened]


def test_a_longer_key_or_a_similar_one_names_nobody() -> None:
    watchers = Watchers()
    watchers.add(stream("chapters:list:42"))

    assert watchers.watching(["chapters:list:4", "chapters:list:42:x", "chapter"]) == {}


def test_streams_that_watch_the_same_keys_are_told_together() -> None:
    watchers = Watchers()
    both = [stream("a:x:1", "b:x:1") for _ in range(3)]
    for opened in both:
        watchers.add(opened)

    groups = watchers.watching(["a", "b"])

    ((keys, streams),) = groups.items()
    assert {key.text for key in keys} == {"a:x:1", "b:x:1"}
    assert set(streams) == set(both)


def test_a_user_whose_number_begins_like_another_keeps_the_stream() -> None:
    watchers = Watchers()
    watchers.add(stream("a", access_key="access:12"))

    assert watchers.losing_access(["access:1"]) == []
