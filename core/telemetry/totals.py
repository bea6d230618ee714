"""Totals: what all workers have told, as one."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from core.telemetry.metrics import Declared
from core.telemetry.tallies import SampleName


@dataclass(frozen=True)
class Totals:
    """The samples of all workers together.

    ``workers`` is how many have told of themselves lately; 0 with the samples of one worker alone,
    while Redis is away.
    """

    workers: int
    samples: dict[SampleName, float]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples *name* that carry these labels (``coursewire_…_total``)."""
        wanted = labels.items()
        return sum(
            value
            for (sample, carried), value in self.samples.items()
            if sample == name and wanted <= dict(carried).items()
        )


@cache  # as many as there are samples
def encode_name(name: SampleName) -> str:
    """The field of a sample in Redis."""
    return json.dumps(name, separators=(",", ":"))


def encode_gauges(gauges: Mapping[SampleName, float]) -> str:
    """What one worker tells of its gauges."""
    told = (f"[{encode_name(name)},{json.dumps(value)}]" for name, value in gauges.items())
    return f"[{','.join(told)}]"


def add_up(
    growing: Mapping[str, str], told: Iterable[str], declared: Mapping[str, Declared]
) -> Totals:
    """What Redis has: the sums of what only grows, and an entry of gauges for each worker."""
    samples = {_decode_name(json.loads(name)): float(value) for name, value in growing.items()}
    workers = 0
    for entry in told:
        workers += 1
        for spelled, value in json.loads(entry):
            name = _decode_name(spelled)
            known = declared.get(name[0])
            if known is not None and known.merge == "max" and name in samples:
                samples[name] = max(samples[name], value)
            else:
                samples[name] = samples.get(name, 0.0) + value
    return Totals(workers, samples)


def _decode_name(spelled: list[object]) -> SampleName:
    name, labels = spelled
    return str(name), tuple((str(k), str(v)) for k, v in labels)  # type: ignore[attr-defined]
