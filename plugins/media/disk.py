"""The storage on local disk: plain files with random names in one folder, parts in one below it.

A part is received under a name of its own and renamed when it is whole, so that what stands there
is always complete; and a file is made of them by copying, so that nobody who still sends can
change it once it was checked.
"""

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import IO

from flask import send_file
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction
from werkzeug import Response

from core import db, run_blocking
from plugins.media.parts import Pending, SignedAddress, Stored

_CHUNK_BYTES = 1 << 20
_READ_BYTES = 1 << 18
_PART = ".part"


class Disk:
    """Files in *folder*; see `plugins.media.storage.Storage`."""

    direct = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def store(self, source: IO[bytes], *, suffix: str = "") -> str:
        """Keep *source* under a new key; in a transaction that is rolled back, it goes again.

        A file that was received into the same folder gets a second name, at once however large it
        is; anything else is copied.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        key = secrets.token_hex(16) + suffix
        path = self._folder / key
        _remove_on_rollback(db.session(), path)
        if not self._link(source, path):
            run_blocking(_copy, source, path)
        return key

    def open(self, key: str) -> IO[bytes]:
        """The stored file."""
        return (self._folder / key).open("rb")

    def send(self, key: str, mime_type: str, name: str) -> Response:
        """Werkzeug's own ranges and conditions; the key is the tag."""
        path = self._folder / key
        if not path.is_file():
            raise FileNotFoundError(key)
        return send_file(path, mimetype=mime_type, download_name=name, conditional=True, etag=key)

    def delete(self, key: str) -> None:
        """Delete the file."""
        (self._folder / key).unlink(missing_ok=True)

    def begin(self, handle: str) -> str:
        """Nothing needs to be made ready."""
        return handle

    def address(self, pending: Pending, number: int) -> SignedAddress | None:  # noqa: ARG002  all of them
        """Parts come by us."""
        return None

    def receive(self, pending: Pending, number: int, source: IO[bytes]) -> None:
        """Keep one part; raises what *source* raises, and `EOFError` when it ends too soon."""
        folder = self._parts(pending.handle)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number}.{secrets.token_hex(4)}{_PART}"
        try:
            with path.open("xb") as target:
                _receive(source, target, pending.bytes_of(number))
                target.flush()
                run_blocking(os.fsync, target.fileno())
            path.rename(folder / str(number))
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def received(self, pending: Pending) -> Mapping[int, int]:
        """The parts that are whole."""
        try:
            names = [entry.name for entry in os.scandir(self._parts(pending.handle))]
        except FileNotFoundError:
            return {}
        numbers = sorted(int(name) for name in names if name.isdecimal())
        return {number: pending.bytes_of(number) for number in numbers}

    def join(self, pending: Pending) -> Stored:
        """Copy the parts into one file, and hash what is written."""
        key = secrets.token_hex(16)
        folder = self._parts(pending.handle)
        paths = [folder / str(number) for number in range(pending.count)]
        return Stored(key, run_blocking(_join, paths, self._folder / key))

    def promote(self, stored: Stored, mime_type: str) -> Stored:  # noqa: ARG002  a file has no type
        """It lies where it stays: as long as no row names its key, nobody can ask for it."""
        return stored

    def discard(self, handle: str) -> None:
        """Delete the parts."""
        shutil.rmtree(self._parts(handle), ignore_errors=True)

    def clean(self, keys: Collection[str], handles: Collection[str], older_than_s: float) -> int:
        """Delete older files and parts that are not among these."""
        files = [path for path in _entries(self._folder) if path.is_file()]
        orphans = [path for path in files if path.name not in keys and _age_s(path) > older_than_s]
        for path in orphans:
            path.unlink(missing_ok=True)
        folders = list(_entries(self._folder / "pending"))
        lost = [
            path for path in folders if path.name not in handles and _age_s(path) > older_than_s
        ]
        for path in lost:
            shutil.rmtree(path, ignore_errors=True)
        return len(orphans) + len(lost)

    def _parts(self, handle: str) -> Path:
        return self._folder / "pending" / handle

    def _link(self, source: IO[bytes], path: Path) -> bool:
        received = getattr(source, "name", None)
        if (
            not isinstance(received, str)
            or Path(received).parent.resolve() != path.parent.resolve()
        ):
            return False
        source.flush()
        try:
            path.hardlink_to(received)
        except OSError:
            return False  # a file system without second names
        return True


def _receive(source: IO[bytes], target: IO[bytes], left: int) -> None:
    while left:
        data = source.read(min(left, _READ_BYTES))
        if not data:
            raise EOFError(f"{left} bytes are missing")
        target.write(data)
        left -= len(data)


def _join(paths: list[Path], path: Path) -> str:
    digest = hashlib.sha256()
    whole = path.with_name(path.name + _PART)
    try:
        with whole.open("xb") as target:
            for part in paths:
                with part.open("rb") as source:
                    while chunk := source.read(_CHUNK_BYTES):
                        target.write(chunk)
                        digest.update(chunk)
            target.flush()
            os.fsync(target.fileno())
        whole.rename(path)
    except BaseException:
        whole.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


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


def _entries(folder: Path) -> Iterator[Path]:
    return folder.glob("*")


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


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
