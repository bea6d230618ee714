"""Who watches what: from a named key, or a prefix of keys, to the streams that watch it."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING

from core.keys import ACCESS, KeyParts, prefixes

if TYPE_CHECKING:
    from core.streams import Stream

_NOTHING: "Mapping[str, KeyParts]" = MappingProxyType({})


class WatchedKey:
    """A key that somebody watches; shared by all its streams, which makes an idle one small.

    ``streams`` are in the order in which they came: their sockets then lie side by side in the
    kernel's memory, and writing to thousands of them costs a tenth less than in any other order.
    """

    __slots__ = ("parts", "streams", "text")

    def __init__(self, text: str, parts: KeyParts) -> None:
        self.text = text
        self.parts = parts
        self.streams: dict[Stream, None] = {}


class Watchers:
    """An index of streams by key and by every shorter prefix of it.

    It holds stream objects, never bare descriptors: a closed descriptor's number comes back as
    somebody else's connection. Not safe for threads by itself; the hub locks.
    """

    def __init__(self) -> None:
        self._keys: dict[str, WatchedKey] = {}
        self._by_prefix: dict[str, set[WatchedKey]] = {}
        self._by_access_key: dict[str, tuple[Stream, ...]] = {}
        self._by_address: dict[str, set[Stream]] = {}
        self._streams: set[Stream] = set()

    def __len__(self) -> int:
        return len(self._streams)

    def __iter__(self) -> Iterator["Stream"]:
        return iter(list(self._streams))

    @property
    def keys(self) -> list[str]:
        """The text form of every watched key."""
        return list(self._keys)

    def audience(self, text: str) -> int:
        """How many streams watch the key *text*."""
        key = self._keys.get(text)
        return len(key.streams) if key is not None else 0

    def add(self, stream: "Stream") -> None:
        """Let *stream* be found by the keys it wants to watch."""
        self._streams.add(stream)
        if stream.access_key is not None:
            self._by_access_key[stream.access_key] = (*self._of(stream.access_key), stream)
        self._by_address.setdefault(stream.address, set()).add(stream)
        stream.keys = tuple(self._watched(text, parts) for text, parts in stream.wanted.items())
        stream.wanted = _NOTHING
        for key in stream.keys:
            key.streams[stream] = None

    def remove(self, stream: "Stream") -> bool:
        """Forget *stream*, and every key that nobody else watches; whether it was known."""
        if stream not in self._streams:
            return False
        self._streams.discard(stream)
        if stream.access_key is not None:
            others = tuple(each for each in self._of(stream.access_key) if each is not stream)
            self._by_access_key[stream.access_key] = others
            if not others:
                del self._by_access_key[stream.access_key]
        _take_out(self._by_address, stream.address, stream)
        for key in stream.keys:
            del key.streams[stream]
            if not key.streams:
                del self._keys[key.text]
                for prefix in _shorter(key.text):
                    _take_out(self._by_prefix, prefix, key)
        return True

    def are_watched(self, named: Iterable[str]) -> bool:
        """Whether anybody watches anything that *named* names."""
        return any(name in self._keys or name in self._by_prefix for name in named)

    def watching(self, named: Iterable[str]) -> dict[tuple[WatchedKey, ...], list["Stream"]]:
        """The streams that watch a key that *named* names, grouped by which of them they watch.

        One frame is encoded per group, not per stream.
        """
        found = {key: None for name in named for key in self._named(name)}
        if len(found) == 1:
            (key,) = found
            return {(key,): list(key.streams)}
        watched: dict[Stream, list[WatchedKey]] = {}
        for key in found:
            for stream in key.streams:
                watched.setdefault(stream, []).append(key)
        groups: dict[tuple[WatchedKey, ...], list[Stream]] = {}
        for stream, keys in watched.items():
            groups.setdefault(tuple(keys), []).append(stream)
        return groups

    def losing_access(self, named: Iterable[str]) -> list["Stream"]:
        """The streams of the users whose access key is among *named*; ``access`` names all."""
        found: list[Stream] = []
        for name in named:
            if name == ACCESS:
                return [stream for stream in self if stream.access_key is not None]
            found += self._of(name)
        return found

    def of_user(self, access_key: str | None) -> int:
        """How many streams are one user's; those of nobody in particular do not count."""
        return len(self._of(access_key)) if access_key is not None else 0

    def of_address(self, address: str) -> int:
        """How many streams come from one network address."""
        return len(self._by_address.get(address, ()))

    def _of(self, access_key: str) -> "tuple[Stream, ...]":
        return self._by_access_key.get(access_key, ())

    def _named(self, name: str) -> Iterator[WatchedKey]:
        key = self._keys.get(name)
        if key is not None:
            yield key
        yield from self._by_prefix.get(name, ())

    def _watched(self, text: str, parts: KeyParts) -> WatchedKey:
        key = self._keys.get(text)
        if key is None:
            key = self._keys[text] = WatchedKey(text, parts)
            for prefix in _shorter(text):
                self._by_prefix.setdefault(prefix, set()).add(key)
        return key


def _shorter(text: str) -> Iterator[str]:
    return islice(prefixes(text), 1, None)


def _take_out(
    index: "dict[str, set[Stream]] | dict[str, set[WatchedKey]]", name: str, item: object
) -> None:
    items = index[name]
    items.discard(item)
    if not items:
        del index[name]
