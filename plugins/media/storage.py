"""Where uploads and posters lie: one small interface, and the implementation that is set.

Files and rows cannot be committed together, so the order makes up for it::

    store    keep the bytes under <key> · commit                rolled back: `clean` finds it
    join     parts → file that nobody can ask for yet           rolled back: `clean` finds it
    promote  once checked: a key that rows may name · commit    rolled back: `clean` finds it
    remove   commit · then, in a reaction, delete the file      tried again until it succeeds

A process that dies between two steps leaves a file without a row, never a row without a file;
`flask media clean` finds those. Nothing stored under a key ever changes.

Any of these may have to ask another machine, so none is called inside a transaction: an action does
it in ``prepare``, a reaction before its first statement.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Protocol

from flask import current_app
from flask.blueprints import BlueprintSetupState
from werkzeug import Response

from core import Settings, SetupError
from core.errors import Fault
from plugins.media import plugin
from plugins.media.disk import Disk
from plugins.media.parts import Pending, SignedAddress, Stored

_EXTENSION = "coursewire_media_storage"


class Storage(Protocol):
    """What the library asks of the place where files lie; keys and handles are ours, and random."""

    @property
    def direct(self) -> bool:
        """Whether browsers send parts to it, and play from it, without us in between."""

    def store(self, source: IO[bytes], *, suffix: str = "") -> str:
        """Keep *source* under a new key, which ends in *suffix*, and return the key."""

    def open(self, key: str) -> IO[bytes]:
        """The stored file, to read and to seek in; raises `FileNotFoundError`."""

    def send(self, key: str, mime_type: str, name: str) -> Response:
        """Answer the request at hand with the file, or a part of it (RFC 9110, section 14), or with
        a redirect to where it is for a while; raises `FileNotFoundError`.
        """

    def delete(self, key: str) -> None:
        """Delete the file; harmless when it is gone."""

    def begin(self, handle: str) -> str:
        """Get ready for parts, and return the handle from now on: another one if the parts under
        the old one are lost.
        """

    def address(self, pending: Pending, number: int) -> SignedAddress | None:
        """Where a browser puts this part itself; ``None``: it comes to us, and `receive` keeps it.

        Only after `begin`.
        """

    def receive(self, pending: Pending, number: int, source: IO[bytes]) -> None:
        """Keep one part, whole or not at all; sent again, it replaces itself.

        Raises `Conflict` where parts do not come by us.
        """

    def received(self, pending: Pending) -> Mapping[int, int]:
        """The sizes of the parts that have arrived, by number."""

    def join(self, pending: Pending) -> Stored:
        """Make a file of the parts, which can change no more; `discard` is still to come.

        Slow. Raises `FileNotFoundError` when a part is missing.
        """

    def promote(self, stored: Stored, mime_type: str) -> Stored:
        """Give what `join` made, and somebody has checked, a key that may be sent from."""

    def discard(self, handle: str) -> None:
        """Delete the parts, and what `join` made of them; harmless when they are gone."""

    def clean(self, keys: Collection[str], handles: Collection[str], older_than_s: float) -> int:
        """Delete older files and parts that are not among these; returns how many."""


def current_storage() -> Storage:
    """The storage of the app at hand."""
    storage: Storage = current_app.extensions[_EXTENSION]
    return storage


@plugin.record_once
def choose_storage(state: BlueprintSetupState) -> None:
    """One storage for each app, ready or refused before the first request."""
    state.app.extensions[_EXTENSION] = _storage_of(state.app.config["COURSEWIRE"])


@plugin.sources
def storage_sources(settings: Settings) -> dict[str, list[str]]:
    """Where browsers send parts, and play from, beside our own origin."""
    if settings.storage == "local":
        return {}
    with _saying_what_is_missing():
        from plugins.media.s3_client import origin_of  # noqa: PLC0415  as below
    origin = [origin_of(settings)]
    return {"connect-src": origin, "img-src": origin, "media-src": origin}


def _storage_of(settings: Settings) -> Storage:
    """The storage that *settings* name. Raises `SetupError` when it cannot be used."""
    if settings.storage == "local":
        return Disk(settings.upload_dir.absolute())
    with _saying_what_is_missing():
        from plugins.media.s3 import S3  # noqa: PLC0415  boto3 is only where it is asked for
    return S3.of(settings)


@contextmanager
def _saying_what_is_missing() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        text = (
            f"COURSEWIRE_STORAGE is “s3”, and the package {error.name} is not installed. Install "
            "what it needs: pip install 'coursewire[s3]'"
        )
        raise SetupError([Fault("media", text)]) from None
