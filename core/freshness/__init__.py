"""The freshness guard: a read that a write changed, and that no event named, shows itself.

::

    query ── reads of tables ──► answers ─┐
                                          ├─ overlap, unnamed ─► suspect ─ read again ─► judge
    action ─ writes of tables ─► writes ──┘                                    │ changed, unnamed
                                                                               ▼
                                              missed invalidation: say what to write, and heal

In the order of that way: ``statements`` and ``observation`` (what SQL touches), ``schema`` (what
the database itself does on top), ``answers``, ``writes``, ``suspects``, ``judge``, ``findings``,
``advice``, ``waste``; ``inquiry``, which runs them in the background on what stands in the
``inbox``; and ``guard``, which is told of answers and writes.
"""
