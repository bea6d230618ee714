"""The app as in ``wsgi.py``, in whose processes a death can be arranged.

The file named by ``DOOM`` says at which points a process is to die, one in each line. Whoever
reaches the first of them takes it out of the file and ends itself, as ``kill -9`` would. Nothing
in the product knows of this: it hangs on SQLAlchemy's events and around the bus.
"""

import os
import signal
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Connection, event

from core import create_app, db

_WRITES = {
    "INSERT INTO outbox_event": "action",
    "UPDATE outbox_event SET due_at": "claim",
    "DELETE FROM outbox_event": "deletion",
}
_LABEL = "doomed"


def reach(point: str) -> None:
    """Die here, if that is what the file says next."""
    file = Path(os.environ["DOOM"])
    if not file.exists():
        return
    first, *rest = file.read_text().splitlines() or [""]
    if first != point:
        return
    left = file.with_suffix(f".{os.getpid()}")
    left.write_text("\n".join(rest))
    left.replace(file)
    os.kill(os.getpid(), signal.SIGKILL)


def arrange(app: Flask) -> None:
    """Watch *app* for the points."""
    with app.app_context():
        engine = db.engine

    @event.listens_for(engine, "before_cursor_execute")
    def statement(connection: Connection, _cursor: Any, text: str, *_: Any) -> None:
        for start, label in _WRITES.items():
            if text.startswith(start):
                reach(f"before the {label}")
                connection.info[_LABEL] = label

    @event.listens_for(engine, "commit")
    def commit(connection: Connection) -> None:
        reach(f"before the commit of the {connection.info.get(_LABEL)}")

    @event.listens_for(engine, "rollback")
    def rollback(connection: Connection) -> None:
        connection.info.pop(_LABEL, None)

    @event.listens_for(engine, "checkin")
    def checkin(_connection: object, record: Any) -> None:
        if _LABEL in record.info:
            reach(f"after the commit of the {record.info.pop(_LABEL)}")

    bus = app.extensions["coursewire"].bus
    publish = bus.publish

    def published(notice: Any, *, patient: bool = False) -> Any:
        who = "sweeper's" if patient else "action's"
        reach(f"before the {who} publication")
        stamp = publish(notice, patient=patient)
        reach(f"after the {who} publication")
        return stamp

    bus.publish = published


app = create_app()
arrange(app)
