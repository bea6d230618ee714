"""What status shows."""

from datetime import datetime

from pydantic import BaseModel

from core.parked import Kind


class LagView(BaseModel):
    """How long something took after the commit, in milliseconds; ``None`` when nothing did."""

    name: str
    meaning: str
    count: int
    p50_ms: int | None
    p90_ms: int | None
    p99_ms: int | None


class ShareView(BaseModel):
    """Of ``of``, which share was fresh within T seconds (0 to 1), by T; ``None`` of none."""

    of: int
    within: dict[str, float | None]


class NinesView(BaseModel):
    """Freshness in nines: in the time that is kept, and since counting began."""

    name: str
    meaning: str
    lately: ShareView
    ever: ShareView


class SeriesView(BaseModel):
    """One line of a plot: seconds before the newest sample, and the value there."""

    name: str
    points: list[tuple[int, float | None]]


class PlotView(BaseModel):
    """A plot of the time that is kept; ``top`` is where its scale ends."""

    name: str
    title: str
    unit: str
    top: float
    series: list[SeriesView]


class PluginView(BaseModel):
    """A plugin that runs."""

    name: str
    version: str


class NowView(BaseModel):
    """What all workers had counted when sample ``number`` was taken; 0 before the first one.

    Rates are per second, over ``rates_over_s``. ``workers`` is 0 when Redis was away: then the
    figures are those of one worker.
    """

    number: int
    taken_at: datetime | None
    workers: int
    browsers: int
    slow_readers: int
    watched_keys: int
    rates_over_s: int
    notices_per_s: float
    writes_per_s: float
    refetches_per_s: float
    unchanged_share: float | None
    cache_share: float | None
    database_reads_per_s: float
    owed: dict[str, int]
    owed_age_s: dict[str, float]
    parked: int
    mistakes_found: int
    mistakes_healed: int
    lags: list[LagView]
    nines: list[NinesView]
    plots: list[PlotView]
    versions: list[str]
    plugins: list[PluginView]


class ParkedView(BaseModel):
    """A row of the outbox that was put aside."""

    kind: Kind
    row_id: int
    name: str
    trace: str
    attempts: int
    created_at: datetime
    parked_at: datetime
    error: str


class FindingView(BaseModel):
    """What a freshness guard has found; ``write`` is the line to write."""

    id: int
    found_at: datetime
    plugin: str
    headline: str
    write: str
    text: str
