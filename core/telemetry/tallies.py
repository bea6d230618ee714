"""Tallies: metrics that cost nothing to count, for places where every microsecond is a browser.

A counter of prometheus_client takes a lock each time, which costs half a microsecond or more. These
take none, so only one thread may count in each; under gevent that is always so.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

Kind = Literal["counter", "gauge"]
LabelValues = tuple[str, ...]
SampleName = tuple[str, tuple[tuple[str, str], ...]]
"""The name of a sample, and its labels, sorted."""


class Tally:
    """Numbers by label values: counted here, or read from elsewhere whenever somebody asks."""

    def __init__(self, kind: Kind, name: str, labels: Sequence[str]) -> None:
        self.kind = kind
        self._name = f"{name}_total" if kind == "counter" else name
        self._labels = tuple(labels)
        self._names: dict[LabelValues, SampleName] = {}
        self.values: defaultdict[LabelValues, float] = defaultdict(float)
        self._sources: list[Callable[[], Mapping[LabelValues, float]]] = []
        if not labels and kind == "counter":
            self.values[()] = 0.0

    def add(self, *values: str, by: float = 1) -> None:
        """Count *by* more for these label values."""
        self.values[values] += by

    def read(self, source: Callable[[], Mapping[LabelValues, float]]) -> None:
        """Ask *source* too, whenever somebody asks; several sources are added up."""
        self._sources.append(source)

    def samples(self) -> Iterable[tuple[SampleName, float]]:
        """The numbers as of now."""
        now = self.values.copy()
        for source in self._sources:
            for values, number in source().items():
                now[values] += number
        return [(self._sample_name(values), number) for values, number in now.items()]

    def _sample_name(self, values: LabelValues) -> SampleName:
        name = self._names.get(values)
        if name is None:
            labels = sorted(zip(self._labels, values, strict=True))
            name = self._names[values] = (self._name, tuple(labels))
        return name


class Durations:
    """A histogram of seconds, without a lock."""

    def __init__(self, name: str, bounds_s: Sequence[float]) -> None:
        self._bounds_s = tuple(bounds_s)
        self._counts = [0] * (len(bounds_s) + 1)
        self._sum_s = 0.0
        self._buckets: list[SampleName] = [
            (f"{name}_bucket", (("le", str(bound)),)) for bound in (*bounds_s, "+Inf")
        ]
        self._count_name: SampleName = (f"{name}_count", ())
        self._sum_name: SampleName = (f"{name}_sum", ())

    def add(self, duration_s: float) -> None:
        """Count one; a negative one, of clocks that differ, as zero."""
        duration_s = max(duration_s, 0.0)
        self._counts[bisect_left(self._bounds_s, duration_s)] += 1
        self._sum_s += duration_s

    def samples(self) -> Iterator[tuple[SampleName, float]]:
        """The numbers as of now."""
        total = 0.0
        for name, count in zip(self._buckets, self._counts, strict=True):
            total += count
            yield name, total
        yield self._count_name, total
        yield self._sum_name, self._sum_s
