"""What is not counted but looked at: the state of a worker, whenever somebody asks for it."""

import os
import platform
import resource
import sys
import time
import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from sqlalchemy import Label, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from core.database import AskedPool, db, now, reading
from core.outbox import OutboxEvent, OutboxReaction
from core.telemetry.metrics import Metrics
from core.telemetry.tallies import LabelValues

if TYPE_CHECKING:
    from core.plugin import Plugin
    from core.runtime import Runtime

_MOST_COUNTED = 10_000
_PROJECT = Path(__file__).resolve().parent.parent.parent / "pyproject.toml"
_MEMORY = Path("/proc/self/statm")
_DESCRIPTORS = Path("/proc/self/fd")
_KINDS: dict[str, type[OutboxEvent | OutboxReaction]] = {
    "event": OutboxEvent,
    "reaction": OutboxReaction,
}


def _owed(kind: str) -> tuple[Label[Any], ...]:
    """How many rows of *kind* are owed, how many are parked, and since when the oldest is owed."""
    table = _KINDS[kind]
    owed = select(table.id).where(table.parked_at.is_(None)).limit(_MOST_COUNTED).subquery()
    parked = select(table.id).where(table.parked_at.is_not(None)).limit(_MOST_COUNTED).subquery()
    oldest = select(table.created_at).where(table.parked_at.is_(None)).order_by(table.id).limit(1)
    return (
        select(func.count()).select_from(owed).scalar_subquery().label(f"{kind}_owed"),
        select(func.count()).select_from(parked).scalar_subquery().label(f"{kind}_parked"),
        oldest.scalar_subquery().label(f"{kind}_oldest"),
    )


_OWED = select(*(column for kind in _KINDS for column in _owed(kind)))


def look_at(runtime: "Runtime", app: Flask, metrics: Metrics, build: str) -> None:
    """Let *metrics* ask the parts of *runtime*."""
    hub, guard, cache = runtime.hub, runtime.freshness, runtime.cache

    def one(number: float) -> dict[LabelValues, float]:
        return {(): number}

    metrics.streams_open.read(lambda: one(hub.streams))
    metrics.streams_slow.read(lambda: one(hub.connections.slow if hub.connections else 0))
    metrics.watched_keys.read(lambda: one(hub.watched_keys))
    metrics.redis_outages.read(lambda: one(hub.outages))
    metrics.degraded_seconds.read(lambda: one(hub.away_s))
    metrics.flights_shared.read(lambda: cache.shared)
    metrics.flights_shared.read(lambda: {("access",): runtime.shared_questions})
    metrics.freshness_verdicts.read(
        lambda: {(verdict,): count for verdict, count in guard.report().verdicts.items()}
    )
    metrics.freshness_findings.read(lambda: one(guard.found))
    metrics.freshness_healed.read(lambda: one(guard.report().healed))
    metrics.freshness_dropped.read(lambda: one(guard.report().dropped))
    metrics.freshness_seconds.read(lambda: one(guard.report().spent_s))
    metrics.freshness_answers.read(lambda: one(guard.report().answers))
    metrics.freshness_refills.read(lambda: _refills(guard.report().waste))
    metrics.database_in_use.read(lambda: one(_pool(app)[0]))
    metrics.database_waiting.read(lambda: one(_pool(app)[1]))
    metrics.workers.read(lambda: one(1))
    metrics.partial.read(lambda: one(0))
    metrics.cpu_seconds.read(lambda: one(time.process_time()))
    metrics.memory_bytes.read(_memory)
    metrics.descriptors.read(_descriptors)
    metrics.descriptors_share.read(_descriptors_share)
    built = (_own_version(), build, platform.python_version())
    metrics.build.read(lambda: {built: 1})
    plugins: dict[LabelValues, float] = {
        (plugin.name, _version_of(plugin)): 1 for plugin in runtime.registry.plugins
    }
    metrics.plugins.read(lambda: plugins)


class Outbox:
    """What the database owes, as of the last time that it was asked."""

    def __init__(self, app: Flask, metrics: Metrics) -> None:
        self._app = app
        self._owed: dict[LabelValues, float] = {}
        self._age_s: dict[LabelValues, float] = {}
        self._parked: dict[LabelValues, float] = {}
        metrics.outbox_owed.read(lambda: self._owed)
        metrics.outbox_age_seconds.read(lambda: self._age_s)
        metrics.outbox_parked.read(lambda: self._parked)

    def measure(self, mine: bool) -> None:
        """Ask the database, if that is this worker's to do; otherwise know nothing."""
        self._owed, self._age_s, self._parked = {}, {}, {}
        if not mine:
            return
        try:
            with self._app.app_context(), reading() as session:
                row = session.execute(_OWED).mappings().one()
        except SQLAlchemyError:
            return  # unknown is said by the metric's absence; others say that the database is away
        for kind in _KINDS:
            self._owed[kind,], self._parked[kind,] = row[f"{kind}_owed"], row[f"{kind}_parked"]
            oldest = row[f"{kind}_oldest"]
            age_s = (now() - oldest).total_seconds() if oldest is not None else 0.0
            self._age_s[kind,] = max(0.0, age_s)


def _refills(waste: Mapping[tuple[str, str], tuple[int, int]]) -> dict[LabelValues, float]:
    found: dict[LabelValues, float] = {}
    for (event, namespace), (read, same) in waste.items():
        found[event, namespace, "changed"] = read - same
        found[event, namespace, "same"] = same
    return found


def _pool(app: Flask) -> tuple[int, int]:
    """How many connections are in use, and how many are asked for."""
    with app.app_context():
        pool = db.engine.pool
    in_use = pool.checkedout() if isinstance(pool, QueuePool) else 0
    return in_use, pool.asking if isinstance(pool, AskedPool) else 0


def _memory() -> dict[LabelValues, float]:
    """The second number of ``statm`` is the resident pages (Linux, proc(5))."""
    try:
        pages = int(_MEMORY.read_text().split()[1])
    except OSError:
        return {}
    return {(): float(pages * os.sysconf("SC_PAGE_SIZE"))}


def _descriptors() -> dict[LabelValues, float]:
    """How many descriptors are open, where the system can tell.

    From Linux 6.2 on that is the size of their folder. To list it would hold the loop up: 20 ms
    for 5,000 browsers.
    """
    try:
        count = _DESCRIPTORS.stat().st_size
    except OSError:
        return {}
    return {(): float(count)} if count else {}


def _descriptors_share() -> dict[LabelValues, float]:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limited = most != resource.RLIM_INFINITY
    return {labels: count / most if limited else 0.0 for labels, count in _descriptors().items()}


def _version_of(plugin: "Plugin") -> str:
    """The version of the package that *plugin* came with."""
    package = plugin.import_name.partition(".")[0]
    named = getattr(sys.modules.get(plugin.import_name), "__version__", None)
    if named is not None:
        return str(named)
    if package == "plugins":
        return _own_version()
    found = packages_distributions().get(package)
    return _version(found[0]) if found else "unknown"


def _own_version() -> str:
    """A checkout, which is how platforms run it, is no installed package: its project file says."""
    installed = _version("coursewire")
    if installed != "unknown":
        return installed
    try:
        return str(tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"])
    except (OSError, ValueError, KeyError):
        return "unknown"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
