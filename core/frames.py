"""The frames of a stream, in the format of server-sent events (WHATWG HTML, section 9.2)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.keys import KeyParts
from core.stamps import Stamp


def frame(event: str, data: Mapping[str, Any], stamp: Stamp | None = None) -> bytes:
    """One encoded frame; *stamp* becomes its ``id``, which a browser sends back as Last-Event-ID.

    The JSON is ASCII, so the data is one line whatever a key holds, also for clients that break
    lines at U+0085 or U+2028.
    """
    head = f"id: {stamp}\n" if stamp is not None else ""
    body = json.dumps(data, separators=(",", ":"))
    return f"{head}event: {event}\ndata: {body}\n\n".encode()


def hello(
    verdict: str,
    stale: Iterable[KeyParts],
    denied: Iterable[KeyParts],
    heartbeat_s: float,
    stamp: Stamp | None,
    stream: str = "",
) -> bytes:
    """The first frame: what of the page is stale already, and what may not be read.

    *stream* is what the browser calls this stream by in what it reports.
    """
    data: dict[str, Any] = {
        "verdict": verdict,
        "stale": list(stale),
        "denied": list(denied),
        "heartbeat_s": heartbeat_s,
    }
    if stream:
        data["stream"] = stream
    return frame("hello", data, stamp)


def stale(
    keys: Iterable[KeyParts],
    cause: str,
    trace: str,
    spread_ms: int,
    stamp: Stamp | None,
    age_ms: int | None = None,
    reports: Sequence[str] = (),
) -> bytes:
    """Refetch these; *age_ms* is how long ago the write was committed, where that is known.

    The browser is to report when it has painted what the traces in *reports* wrote.
    """
    data: dict[str, Any] = {
        "keys": list(keys),
        "cause": cause,
        "trace": trace,
        "spread_ms": spread_ms,
    }
    if age_ms is not None:
        data["age_ms"] = age_ms
    if reports:
        data["reports"] = list(reports)
    return frame("stale", data, stamp)


def bye(reason: str, retry_ms: int) -> bytes:
    """The stream ends here; come back after about ``retry_ms``."""
    return frame("bye", {"reason": reason, "retry_ms": retry_ms})


def beat(stamp: Stamp | None) -> bytes:
    """A sign of life that moves the stamp."""
    return frame("beat", {}, stamp)


def finding(key: KeyParts, text: str) -> bytes:
    """The freshness guard has proven that *key* is stale, and nothing named it (development)."""
    return frame("finding", {"key": key, "text": text})
