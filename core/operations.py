"""Operations: what a plugin for those who run the site may ask of the running parts."""

from collections.abc import Callable, Sequence
from typing import Any

from core.current import current_runtime
from core.freshness.findings import Finding
from core.queries import Query
from core.telemetry.totals import Totals
from core.transactions import Work


def totals() -> Totals:
    """What all workers have counted, as `/metrics` shows it; waits for Redis, and no longer.

    Call it outside of any transaction.
    """
    return current_runtime().telemetry.totals()


def audience(query: Query[..., Any], *params: Any) -> int:
    """How many browsers of this worker watch that key."""
    return current_runtime().hub.audience(query.key(*params).text)


def findings() -> Sequence[Finding]:
    """What the freshness guard of this worker has found lately, oldest first."""
    return tuple(current_runtime().freshness.findings)


def send_canary(
    query: Query[..., Any], write: Callable[[], Work | None], shows: Callable[[Any], bool]
) -> float | None:
    """Let *write* commit, and measure how long it takes until *query* shows it to a watcher.

    See `core.canary.Canary.send`. *query* has no parameters. Call it in a round.
    """
    return current_runtime().canary.send(query.key(), write, shows)
