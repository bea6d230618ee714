"""Shelves: memories of one worker, under the rule of stamps."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.hub import Heard, Hub
from core.stamps import Stamp

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    value: T
    keys: tuple[str, ...]
    size: int
    stamp: Stamp
    outages: int


class Shelf(Generic[T]):
    """A memory of values of bounded size, each with the keys that it depends on.

    The least recently used go first.
    """

    def __init__(self, hub: Hub, most: int) -> None:
        self._hub = hub
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept[T]] = OrderedDict()
        self._size = 0

    def get(self, name: Hashable) -> T | None:
        """The value of *name*, when the hub says that it holds."""
        with self._lock:
            kept = self._kept.get(name)
            if kept is None:
                return None
            self._kept.move_to_end(name)
        if self._holds(kept):
            return kept.value
        with self._lock:
            if self._kept.get(name) is kept:
                self._drop(name)
        return None

    def put(
        self, name: Hashable, value: T, keys: tuple[str, ...], heard: Heard, size: int = 1
    ) -> None:
        """Keep *value*, read in a transaction begun after *heard*; nothing while Redis is away."""
        if heard.stamp is None:
            return
        with self._lock:
            if name in self._kept:
                self._drop(name)
            self._kept[name] = _Kept(value, keys, size, heard.stamp, heard.outages)
            self._size += size
            while self._size > self._most:
                self._drop(next(iter(self._kept)))

    def _holds(self, kept: _Kept[T]) -> bool:
        if kept.outages != self._hub.outages:
            return False
        return all(self._hub.is_current(key, kept.stamp) for key in kept.keys)

    def _drop(self, name: Hashable) -> None:
        self._size -= self._kept.pop(name).size
