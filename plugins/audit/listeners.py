"""What is noted: every event of every plugin that somebody's action, or a command, has emitted."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete

from core import Event, Origin, current_settings, db, emit, now
from plugins.audit import plugin
from plugins.audit.events import Audited
from plugins.audit.models import AuditEntry

_FORGET_EVERY = 500
"""So many rows are noted for each time that old ones are looked for."""


@plugin.on_every
def note(events: Sequence[Event], origin: Origin) -> None:
    """Note them in their own transaction. What follows from them in the background, and what pages
    do by themselves (the progress of an upload), is nobody's doing.
    """
    if origin.action is None and origin.from_request:
        return
    if origin.by.startswith(("reaction ", "round ")):
        return
    entries = [_entry(event, origin) for event in events]
    db.session.add_all(entries)
    db.session.flush()
    courses = {entry.course_id for entry in entries if entry.course_id is not None}
    emit(Audited(course_ids=sorted(courses)))
    if any(entry.id % _FORGET_EVERY == 0 for entry in entries):
        forget()


def forget() -> None:
    """Delete what is older than ``audit_days``."""
    oldest = now() - timedelta(days=current_settings().audit_days)
    db.session.execute(delete(AuditEntry).where(AuditEntry.at < oldest))


def _entry(event: Event, origin: Origin) -> AuditEntry:
    ids = {name: value for name, value in event.model_dump().items() if _is_ids(value)}
    course_id = ids.pop("course_id", None)
    return AuditEntry(
        user_id=origin.user_id,
        course_id=course_id,
        action=origin.action,
        event=event.wire_name,
        ids=ids,
        trace=origin.trace,
    )


def _is_ids(value: object) -> bool:
    """Numbers name rows; a text may be anything, a secret too."""
    values = value if isinstance(value, list) else [value]
    return all(isinstance(each, int) and not isinstance(each, bool) for each in values)
