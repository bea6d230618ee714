"""The frames of a stream, in the format of server-sent events (WHATWG HTML, section 9.2)."""

import json
from collections.abc import Iterable, Mapping
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
) -> bytes:
    """The first frame: what of the page is stale already, and what may not be read."""
    data = {
        "verdict": verdict,
        "stale": list(stale),
        "denied": list(denied),
        "heartbeat_s": heartbeat_s,
    }
    return frame("hello", data, stamp)


def stale(
    keys: Iterable[KeyParts], cause: str, trace: str, spread_ms: int, stamp: Stamp | None
) -> bytes:
    """Refetch these."""
    data = {"keys": list(keys), "cause": cause, "trace": trace, "spread_ms": spread_ms}
    return frame("stale", data, stamp)


def bye(reason: str, retry_ms: int) -> bytes:
    """The stream ends here; come back after about ``retry_ms``."""
    return frame("bye", {"reason": reason, "retry_ms": retry_ms})


def beat(stamp: Stamp | None) -> bytes:
    """A sign of life that moves the stamp."""
    return frame("beat", {}, stamp)
