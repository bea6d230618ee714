"""Coursewire with a view that computes for 20 ms, as a careless plugin might."""

import time

from core import create_app

_BUSY_S = 0.02

app = create_app()


@app.get("/busy")
def busy() -> str:
    """Use the processor, and let nobody else run meanwhile."""
    until = time.thread_time() + _BUSY_S
    while time.thread_time() < until:
        pass
    return "done"
