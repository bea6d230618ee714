"""``GET /metrics``: what all workers counted, in the text formats of Prometheus."""

import hmac
import ipaddress
from collections.abc import Iterable

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from core.current import current_runtime
from core.errors import NotFound

blueprint = Blueprint("coursewire_metrics", __name__)

_PROXIES = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Forwarded")
"""What a proxy adds. `werkzeug.middleware.proxy_fix` reads these, and leaves them in place."""


@blueprint.get("/metrics")
def show() -> Response:
    """The sum over all workers; while Redis is away, what this one knows, labelled so."""
    if not _may_see():
        raise NotFound(
            "There is nothing at this address, or you may not see it. Check the address."
        )
    runtime = current_runtime()
    totals = runtime.telemetry.totals()
    samples = dict(totals.samples)
    worker = None
    if totals.workers == 0:
        worker = runtime.telemetry.name
        samples["coursewire_metrics_partial", ()] = 1
    registry = CollectorRegistry()
    registry.register(_Found(runtime.metrics.families(samples, worker)))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    response = Response(encode(registry), content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept"
    return response


class _Found(Collector):
    """What was found, as prometheus_client's encoders want it."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _may_see() -> bool:
    """Whether the token is right; where none is set, whether this machine itself asks."""
    token = current_runtime().settings.metrics_token
    if token:
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        # Compared in constant time, as bytes: texts that are not ASCII it refuses to compare.
        same = hmac.compare_digest(sent.strip().encode("latin-1"), token.encode())
        return scheme.lower() == "bearer" and same
    if any(name in request.headers for name in _PROXIES):
        return False
    return _is_loopback(_peer())


def _peer() -> str:
    """Who is at the other end of the connection, whatever a trusted proxy said about it."""
    before: dict[str, str] = request.environ.get("werkzeug.proxy_fix.orig", {})
    return str(before.get("REMOTE_ADDR") or request.environ.get("REMOTE_ADDR") or "")


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)
