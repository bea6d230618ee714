"""Telemetry: what an operator sees of the workers; metrics, logs and spans.

::

    each worker   counts ──(every 5 s, deltas)──► Redis: the sum over all workers, dead ones too
                  gauges ──(every 5 s)──────────► Redis: one entry a worker, gone after 20 s
    a scrape      meets any worker ─────────────► tells what it has, then shows what Redis has
"""
