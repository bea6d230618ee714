"""What happens to the figures of the site."""

from core import Event
from plugins.status import plugin


@plugin.event
class SampleTaken(Event):
    """What all workers have counted was written down."""

    number: int


@plugin.event
class ParkedRowsChanged(Event):
    """Rows of the outbox were put aside, or are put aside no more."""


@plugin.event
class FindingsChanged(Event):
    """A freshness guard found a mistake, or somebody put a finding away."""
