"""Random kills under load: ``make chaos``.

::

    writers ──┐                              ┌── server A: gunicorn, 2 workers ──┐
    (driver)  ├── gate ── proxies ───────────┤                                   ├── database
    browsers ─┘  (as a load balancer)        └── server B: gunicorn, 1 worker ───┘
    (2 processes)                                      └── proxies ── Valkey

Real processes, as the product starts them. `plan` and `faults` break them at random, `writers` act
as people do, `crowd` holds the browsers, and `judge` decides afterwards, out of logs alone, whether
anything was lost or shown backwards.
"""
