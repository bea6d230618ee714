"""What can be done about what `/status` shows."""

from sqlalchemy import select

from core import Conflict, NotFound, db, emit, now, say, staff_only
from core.languages import gettext as _
from core.languages import later
from core.operations import totals
from core.parked import Kind, discard, parked_rows, try_again
from plugins.status import plugin
from plugins.status.events import FindingsChanged, ParkedRowsChanged
from plugins.status.figures import Figures, figures_of
from plugins.status.models import FoundMistake, Sample
from plugins.status.sampling import as_noted, take_sample

_GONE = later("This row is not put aside any more. Somebody has tried it again, or discarded it.")


def _figures() -> Figures:
    return figures_of(totals())


@plugin.action(guard=staff_only, prepare=_figures)
def measure(prepared: Figures) -> int:
    """Measure now."""
    number = take_sample(prepared)
    say(_("Measured."))
    return number


@plugin.action(guard=staff_only)
def retry(kind: Kind, row_id: int) -> None:
    """Try a row of the outbox again that was put aside."""
    if not try_again(kind, row_id):
        raise Conflict(_(_GONE))
    _note_parked()
    say(_("It is tried again now. If it fails again, it comes back here."))


@plugin.action(guard=staff_only)
def discard_row(kind: Kind, row_id: int) -> None:
    """Discard a row of the outbox that was put aside."""
    if not discard(kind, row_id):
        raise Conflict(_(_GONE))
    _note_parked()
    say(_("The row was discarded."))


@plugin.action(guard=staff_only)
def put_away(finding_id: int) -> None:
    """Put a finding of the freshness guard away."""
    found = db.session.get(FoundMistake, finding_id)
    if found is None:
        raise NotFound(_("This finding is gone. Nothing was saved."))
    found.put_away_at = now()
    emit(FindingsChanged())
    say(_("The finding was put away."))


def _note_parked() -> None:
    """What is shown as put aside is that of the newest sample."""
    db.session.flush()
    newest = db.session.scalars(select(Sample).order_by(Sample.number.desc()).limit(1)).first()
    if newest is not None:
        newest.parked = as_noted(parked_rows(db.session()))
    emit(ParkedRowsChanged())
