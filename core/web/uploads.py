"""Uploads: received straight into the folder where they stay, without holding up anybody.

1. A body that arrives faster than it is read never makes the reading greenlet wait, so gevent never
   lets another one run: on a quick network one upload would stop every stream of the worker. The
   reader therefore gives way by itself. (``sleep(0)`` would not do: gevent polls no socket then.)
2. A part goes to a named file beside the stored ones, so keeping it is a link and not a copy, and
   no transaction stays open while a large file is copied.
"""

import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from typing import IO, Any

from flask import Request, current_app

from core.settings import Settings

_TURN_BYTES = 262_144
_PAUSE_S = 1e-6
PART = ".part"
"""How the name of a file ends that is still being received."""


class UploadRequest(Request):
    """A request whose large bodies are read in turns, and whose files wait in the upload folder.

    ``takes_files`` is said by whoever has made sure that the sender may upload; until then a file
    of a form stays in memory, within the limit of an ordinary body.
    """

    takes_files = False

    def read_in_turns(self) -> None:
        """Let other greenlets run while the body is read, by us or by the server's clean-up."""
        body = self.environ["wsgi.input"]
        if hasattr(body, "__dict__"):  # gunicorn's; what a test hands over is in memory already
            body.read = _giving_way(body.read)

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002  Werkzeug's signature
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> IO[bytes]:
        """Where Werkzeug's form parser puts the bytes of a file; gone once it is closed."""
        if not self.takes_files:
            return BytesIO()
        settings: Settings = current_app.config["COURSEWIRE"]
        settings.upload_dir.mkdir(parents=True, exist_ok=True)
        return tempfile.NamedTemporaryFile("rb+", dir=settings.upload_dir, suffix=PART)


def _giving_way(read: Callable[..., bytes]) -> Callable[..., bytes]:
    unpaused = 0

    def read_some(*size: Any) -> bytes:
        nonlocal unpaused
        data = read(*size)
        unpaused += len(data)
        if unpaused >= _TURN_BYTES:
            unpaused = 0
            time.sleep(_PAUSE_S)
        return data

    return read_some
