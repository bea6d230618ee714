"""Explain: why a screen moved, and why another one did not.

::

    action ─ events ─ rules ─ keys ─ outbox ─ notice (with its `why`) ─ hub ─ streams
                │                                                      │
                └── chart: who hears what, before anything happens     └── traces: what did happen

``why`` is what a notice carries of its own origin, ``traces`` what one worker did with the last
notices, ``reasons`` puts both into words for one key, and ``chart`` is the whole registry as one
picture, which ``drawing`` draws. ``commands`` and `core.web.explain` show them.
"""
