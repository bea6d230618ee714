"""Every metric, with its sentence: the one place where they are declared.

1. Names follow Prometheus: seconds and bytes, ``_total`` for what only grows.
2. Labels are bounded by what the plugins declare: namespace, event, action, reaction, reason. Never
   a key, a user, an address or a path.
3. All workers of all releases add to one sum. So a metric whose buckets or labels change gets a new
   name; otherwise the old release's numbers and the new one's would be mixed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import Metric

from core.telemetry.tallies import Durations, SampleName, Tally

Merge = Literal["sum", "max"]

LAG_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
WORK_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Declared:
    """What is known of a metric: ``merge`` says how gauges of several workers become one."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    text: str
    merge: Merge = "sum"


class Metrics:
    """The metrics of one worker, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._own: list[Tally | Durations] = []
        self.declared: dict[str, Declared] = {}
        self._declare_streams()
        self._declare_notices()
        self._declare_reads()
        self._declare_writes()
        self._declare_freshness()
        self._declare_sightings()
        self._declare_canaries()
        self._declare_worker()

    def _declare_streams(self) -> None:
        self.streams_open = self._gauge("streams_open", "Browsers connected.")
        self.streams_slow = self._gauge(
            "streams_slow", "Browsers that take no data at the moment; they are told later."
        )
        self.watched_keys = self._gauge(
            "watched_keys", "Keys that somebody watches; once for each worker."
        )
        self.streams_opened = self._tally("streams_opened", "Streams that were opened.")
        self.streams_ended = self._tally(
            "streams_ended",
            "Streams that ended: left (the browser went), drain (the worker did), slow, access, "
            "expired (the session was over).",
            ["reason"],
        )
        self.streams_refused = self._tally(
            "streams_refused",
            "Streams that were not opened: draining, worker, user, address (each at its limit).",
            ["reason"],
        )
        self.frames_written = self._tally(
            "frames_written", "Frames written to browsers: stale, beat, state, bye.", ["event"]
        )
        self.frames_late = self._tally(
            "frames_late", "Frames that a browser did not take at once: slow, or gone."
        )

    def _declare_notices(self) -> None:
        self.notices_heard = self._tally(
            "notices_heard", "Notices heard, once for each worker, by event.", ["event"]
        )
        self.notices_unwatched = self._tally(
            "notices_unwatched", "Notices heard of which nobody here watched anything."
        )
        self.notices_missed = self._tally(
            "notices_missed", "Gaps in the notices, after which the versions were read anew."
        )
        self.notice_heard_seconds = self._durations(
            "notice_heard_seconds", "From the commit to a worker's hearing the notice.", LAG_S
        )
        self.notice_written_seconds = self._durations(
            "notice_written_seconds",
            "From the commit to the last frame that a worker wrote because of it.",
            LAG_S,
        )
        self.redis_outages = self._tally(
            "redis_outages", "How often a worker that heard Redis no longer did."
        )
        self.degraded_seconds = self._tally(
            "degraded_seconds", "Seconds in which a worker did not hear Redis."
        )

    def _declare_reads(self) -> None:
        self.refetches = self._counter(
            "refetches", "Answers to /q/…, by namespace and HTTP status.", ["namespace", "status"]
        )
        self.query_seconds = self._histogram(
            "query_seconds",
            "Runs of a query with its parts, in the database; those of the freshness guard too.",
            ["namespace"],
        )
        self.cache_answers = self._counter(
            "cache_answers",
            "What a key shows, by where it came from: memory, redis, database.",
            ["source"],
        )
        self.lease_wait_seconds = self._histogram(
            "lease_wait_seconds", "Waits for another worker that reads the same key."
        )
        self.flights_shared = self._tally(
            "flights_shared",
            "Questions that another one's answer served: body, stamp, access.",
            ["of"],
        )
        self.database_in_use = self._gauge(
            "database_connections_in_use", "Database connections in use."
        )
        self.database_waiting = self._gauge(
            "database_connections_waiting", "Those who ask the pool for a connection just now."
        )

    def _declare_writes(self) -> None:
        self.action_seconds = self._histogram(
            "action_seconds",
            "Actions, with their publication; result: ok, refused, invalid, conflict, failed.",
            ["action", "result"],
        )
        self.publications = self._counter(
            "publications", "Publications to Redis, by result: ok, failed.", ["result"]
        )
        self.publication_seconds = self._histogram(
            "publication_seconds", "Publications that Redis answered."
        )
        self.outbox_owed = self._gauge(
            "outbox_owed", "Rows still to be done: event, reaction; at most 10000.", ["kind"], "max"
        )
        self.outbox_age_seconds = self._gauge(
            "outbox_age_seconds", "Age of the oldest row still to be done.", ["kind"], "max"
        )
        self.outbox_parked = self._gauge(
            "outbox_parked", "Rows put aside after every attempt failed.", ["kind"], "max"
        )
        self.reactions = self._counter(
            "reactions", "Runs of reactions, by result: ok, failed, parked.", ["reaction", "result"]
        )
        self.reaction_seconds = self._histogram(
            "reaction_seconds", "Runs of reactions.", ["reaction"]
        )

    def _declare_freshness(self) -> None:
        self.freshness_verdicts = self._tally(
            "freshness_verdicts", "Suspects that the freshness guard judged.", ["verdict"]
        )
        self.freshness_findings = self._tally(
            "freshness_findings", "Missed invalidations and clock reads proven."
        )
        self.freshness_healed = self._tally("freshness_healed", "Keys named in a handler's place.")
        self.freshness_dropped = self._tally(
            "freshness_dropped", "Suspects and writes that nobody had time to judge."
        )
        self.freshness_seconds = self._tally(
            "freshness_seconds", "Time that the freshness guard has spent."
        )
        self.freshness_answers = self._gauge(
            "freshness_answers", "Answers that the freshness guard keeps in view."
        )
        self.freshness_refills = self._tally(
            "freshness_refills",
            "Answers read again because of an event; result: changed, same (for nothing).",
            ["event", "namespace", "result"],
        )

    def _declare_sightings(self) -> None:
        self.painted_seconds = self._durations(
            "painted_seconds", "From the commit to the paint, as browsers report it.", LAG_S
        )
        self.sighted_writes = self._tally(
            "sighted_writes", "Sampled writes that somebody watched who was to report."
        )
        self.fresh_writes = self._tally(
            "fresh_writes",
            "Those of them that every eligible browser showed within 1, 2, 10, 60 seconds.",
            ["within"],
        )
        self.sighted_pairs = self._tally(
            "sighted_pairs", "Pairs of a sampled write and a browser that was to report on it."
        )
        self.fresh_pairs = self._tally(
            "fresh_pairs",
            "Those of them in which the browser showed the write within 1, 2, 10, 60 seconds.",
            ["within"],
        )

    def _declare_canaries(self) -> None:
        self.canary_seconds = self._durations(
            "canary_seconds", "From a canary's commit until a watcher in its worker read it.", LAG_S
        )
        self.canaries = self._tally(
            "canaries", "Canaries, by result: seen, lost (not within 60 seconds).", ["result"]
        )
        self.fresh_canaries = self._tally(
            "fresh_canaries", "Those that were seen within 1, 2, 10, 60 seconds.", ["within"]
        )

    def _declare_worker(self) -> None:
        self.workers = self._gauge("workers", "Workers that have told of themselves lately.")
        self.partial = self._gauge(
            "metrics_partial",
            "1: Redis is away, and this is what one worker knows, named by the label “worker”.",
            [],
            "max",
        )
        self.loop_delay_seconds = self._durations(
            "loop_delay_seconds",
            "How much later than asked a worker's loop came round; everything waits so long.",
            WORK_S,
        )
        self.cpu_seconds = self._tally("process_cpu_seconds", "Processor time of the workers.")
        self.memory_bytes = self._gauge(
            "process_resident_memory_bytes", "Memory of the workers (Linux)."
        )
        self.descriptors = self._gauge(
            "process_open_descriptors", "Open descriptors of the workers (Linux 6.2 and newer)."
        )
        self.descriptors_share = self._gauge(
            "process_descriptors_share",
            "Open descriptors as a share of the limit, 0 to 1; of the worker nearest to its limit.",
            [],
            "max",
        )
        self.build = self._gauge(
            "build_info", "1 for each build that runs.", ["version", "build", "python"], "max"
        )
        self.plugins = self._gauge(
            "plugin_info", "1 for each plugin that is enabled.", ["plugin", "version"], "max"
        )

    def samples(self) -> tuple[dict[SampleName, float], dict[SampleName, float]]:
        """What only grows, and the gauges, as of now."""
        growing: dict[SampleName, float] = {}
        gauges: dict[SampleName, float] = {}
        for own in self._own:
            into = gauges if isinstance(own, Tally) and own.kind == "gauge" else growing
            into.update(own.samples())
        for family in self._registry.collect():
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    growing[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
        return growing, gauges

    def families(self, samples: dict[SampleName, float], worker: str | None = None) -> list[Metric]:
        """*samples* under the metrics they belong to; *worker* becomes a label of each.

        A sample of a metric that is not declared here, of another release, is left out.
        """
        by_name: dict[str, list[tuple[dict[str, str], float]]] = {}
        for (name, labels), value in samples.items():
            by_name.setdefault(name, []).append((dict(labels), value))
        found = []
        for declared in self.declared.values():
            family = Metric(declared.name, declared.text, declared.kind)
            rows = [
                (_rank(suffix, carried), declared.name + suffix, carried, value)
                for suffix in _SUFFIXES[declared.kind]
                for carried, value in by_name.get(declared.name + suffix, ())
            ]
            for _, sample, carried, value in sorted(rows, key=lambda row: row[0]):
                marked = carried if worker is None else {**carried, "worker": worker}
                family.add_sample(sample, marked, value)
            found.append(family)
        return found

    def _declare(self, declared: Declared) -> str:
        self.declared[declared.name] = declared
        return declared.name

    def _tally(self, name: str, text: str, labels: Sequence[str] = ()) -> Tally:
        declared = Declared(f"coursewire_{name}", "counter", tuple(labels), text)
        tally = Tally("counter", self._declare(declared), labels)
        self._own.append(tally)
        return tally

    def _gauge(
        self, name: str, text: str, labels: Sequence[str] = (), merge: Merge = "sum"
    ) -> Tally:
        declared = Declared(f"coursewire_{name}", "gauge", tuple(labels), text, merge)
        tally = Tally("gauge", self._declare(declared), labels)
        self._own.append(tally)
        return tally

    def _durations(self, name: str, text: str, bounds_s: Sequence[float]) -> Durations:
        declared = Declared(f"coursewire_{name}", "histogram", (), text)
        durations = Durations(self._declare(declared), bounds_s)
        self._own.append(durations)
        return durations

    def _counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        declared = Declared(f"coursewire_{name}", "counter", tuple(labels), text)
        return Counter(self._declare(declared), text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, labels: Sequence[str] = ()) -> Histogram:
        declared = Declared(f"coursewire_{name}", "histogram", tuple(labels), text)
        return Histogram(
            self._declare(declared), text, labels, registry=self._registry, buckets=WORK_S
        )


_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


def _rank(suffix: str, labels: dict[str, str]) -> tuple[object, ...]:
    """Where a sample stands in its family: all of one histogram together, buckets ascending."""
    others = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
    return (others, suffix, float(labels.get("le", "0")))
