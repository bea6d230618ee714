"""Who watches what: from a named key, or a prefix of keys, to the streams that watch it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from core.keys import prefixes
from core.streams import Stream


class Watchers:
    """An index of streams by key and by every prefix of it.

    A stream is found by the object itself, never by a number: a closed descriptor's number comes
    back as somebody else's connection.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, set[Stream]] = {}
        self._by_prefix: dict[str, set[str]] = defaultdict(set)
        self._by_access_key: dict[str, set[Stream]] = defaultdict(set)
        self._streams: set[Stream] = set()

    def __len__(self) -> int:
        return len(self._streams)

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self._streams))

    @property
    def keys(self) -> list[str]:
        """Every watched key."""
        return list(self._by_key)

    def add(self, stream: Stream) -> None:
        """Let *stream* be found by its keys."""
        self._streams.add(stream)
        if stream.access_key is not None:
            self._by_access_key[stream.access_key].add(stream)
        for key in stream.keys:
            if key not in self._by_key:
                self._by_key[key] = set()
                for prefix in prefixes(key):
                    self._by_prefix[prefix].add(key)
            self._by_key[key].add(stream)

    def remove(self, stream: Stream) -> None:
        """Forget *stream*, and every key that nobody else watches; harmless when repeated."""
        if stream not in self._streams:
            return
        self._streams.discard(stream)
        if stream.access_key is not None:
            self._discard(self._by_access_key, stream.access_key, stream)
        for key in stream.keys:
            if self._discard(self._by_key, key, stream):
                for prefix in prefixes(key):
                    self._discard(self._by_prefix, prefix, key)

    def watching(self, named: Iterable[str]) -> dict[Stream, dict[str, None]]:
        """The streams that watch a key that *named* names, each with those keys."""
        found: dict[Stream, dict[str, None]] = {}
        for name in named:
            for key in self._by_prefix.get(name, ()):
                for stream in self._by_key[key]:
                    found.setdefault(stream, {})[key] = None
        return found

    def losing_access(self, named: Iterable[str]) -> list[Stream]:
        """The streams of the users whose access key is among *named*."""
        return [stream for name in named for stream in self._by_access_key.get(name, ())]

    @staticmethod
    def _discard(
        index: dict[str, set[Stream]] | dict[str, set[str]], name: str, item: object
    ) -> bool:
        """Take *item* out; whether nothing is left under *name*."""
        items = index.get(name)
        if items is None:
            return False
        items.discard(item)
        if not items:
            del index[name]
            return True
        return False
