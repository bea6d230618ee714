"""Where uploads and posters lie: plain files with random names in one folder.

Files and rows cannot be committed together, so the order makes up for it::

    store    link the received file as <key> · commit           rolled back: the file goes
    remove   commit · then, in a reaction, delete the file      tried again until it succeeds

A process that dies between two steps leaves a file without a row, never a row without a file;
`flask media clean` finds those.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from flask import current_app
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from core import Settings, db, run_blocking

_CHUNK_BYTES = 1 << 20
_PART = ".part"


def path_of(key: str) -> Path:
    """Where the file called *key* lies."""
    return _folder() / key


def store(source: IO[bytes], *, suffix: str = "") -> str:
    """Keep *source* under a new random key, which ends in *suffix*, and return the key.

    A file that was received into the same folder gets a second name, at once however large it is;
    anything else is copied. It goes again when the transaction at hand is rolled back.
    """
    _folder().mkdir(parents=True, exist_ok=True)
    key = secrets.token_hex(16) + suffix
    path = path_of(key)
    _remove_on_rollback(db.session(), path)
    if not _link(source, path):
        run_blocking(_copy, source, path)
    return key


def delete(key: str) -> None:
    """Delete the file called *key*; harmless when it is gone."""
    path_of(key).unlink(missing_ok=True)


def stored_files() -> Iterator[Path]:
    """Every file in the folder, parts of broken uploads included."""
    return (path for path in _folder().glob("*") if path.is_file())


def _link(source: IO[bytes], path: Path) -> bool:
    received = getattr(source, "name", None)
    if not isinstance(received, str) or Path(received).parent.resolve() != _folder().resolve():
        return False
    source.flush()
    try:
        path.hardlink_to(received)
    except OSError:
        return False  # a file system without second names
    return True


def _copy(source: IO[bytes], path: Path) -> None:
    part = path.with_name(path.name + _PART)
    try:
        with part.open("xb") as target:
            while chunk := source.read(_CHUNK_BYTES):
                target.write(chunk)
        part.rename(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _remove_on_rollback(session: Session, path: Path) -> None:
    """A session that is closed without a commit fires no ``after_rollback``; its end tells."""
    committed = False

    def note_commit(_session: Session) -> None:
        nonlocal committed
        committed = True

    def clean_up(_session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is None and not committed:
            path.unlink(missing_ok=True)

    event.listen(session, "after_commit", note_commit)
    event.listen(session, "after_transaction_end", clean_up)


def _folder() -> Path:
    return _settings().upload_dir.absolute()


def _settings() -> Settings:
    settings: Settings = current_app.config["COURSEWIRE"]
    return settings
