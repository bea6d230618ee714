"""The test kit for plugins: a site of real parts, what became stale, and proof of conformance.

``core.testing.fixtures`` is the pytest plugin, found through the entry point ``pytest11`` where
Coursewire is installed. It needs pytest, and `conforms` Hypothesis: ``coursewire[testing]``.
"""

from core.testing.conformance import conforms
from core.testing.live import Live
from core.testing.site import Client, Refused, Site

__all__ = ["Client", "Live", "Refused", "Site", "conforms"]
