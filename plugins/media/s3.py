"""The storage in a bucket of S3, or of what speaks like it.

::

    <prefix>pending/<hex>   a multipart upload, to which browsers send parts by signed addresses;
                            then the file it became, which nobody can change or ask for
    <prefix><key>           copied from there once it was checked: what is played

A handle is ``<hex>.<upload id>``; one that was never begun has no dot. The hash of a file is that
of the bytes in the bucket, read once by us: what S3 itself can tell of a multipart upload is a hash
of its parts' hashes, and what a browser says of its file is a claim.
"""

import hashlib
import io
import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore
from typing import IO, Any, Self
from urllib.parse import quote

from boto3.s3.transfer import TransferConfig
from flask import redirect
from werkzeug import Response

from core import Conflict, Settings, run_blocking
from plugins.media.parts import Pending, SignedAddress, Stored
from plugins.media.s3_client import make_client, s3_errors
from plugins.media.s3_file import RangedFile

_PIECE_BYTES = 8 * 1024 * 1024
_BUFFER_BYTES = 65_536
_AT_ONCE = 2
"""Files that one worker reads at once to hash them; further ones wait."""

_OURS = re.compile(r"[0-9a-f]{32}(\.[a-z0-9]{1,5})?")
_PENDING = "pending/"

# Calls without threads, which gevent could not wait for; a copy of more than that goes in pieces,
# so that no answer takes longer than the client waits.
_COPYING = TransferConfig(
    use_threads=False, multipart_threshold=1 << 30, multipart_chunksize=1 << 28
)


class S3:
    """Objects of *bucket* whose names begin with *prefix*; see `plugins.media.storage.Storage`."""

    direct = True

    def __init__(self, client: Any, bucket: str, prefix: str, address_s: int) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._address_s = address_s
        self._turns = BoundedSemaphore(_AT_ONCE)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The storage that *settings* name. Raises `SetupError`."""
        client = make_client(settings)
        return cls(client, settings.s3_bucket, settings.s3_prefix, settings.s3_address_s)

    def store(self, source: IO[bytes], *, suffix: str = "") -> str:
        """Keep *source*, piece by piece, so that no more than one is in memory."""
        key = secrets.token_hex(16) + suffix
        place = self._place(key)
        source.seek(0)
        first = source.read(_PIECE_BYTES)
        with s3_errors("keep a file"):
            if len(first) < _PIECE_BYTES:
                self._client.put_object(**place, Body=first, ContentDisposition="attachment")
                return key
            made = self._client.create_multipart_upload(**place, ContentDisposition="attachment")
            upload = {**place, "UploadId": made["UploadId"]}
            try:
                parts = list(self._send(upload, first, source))
                self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
            except BaseException:
                self._client.abort_multipart_upload(**upload)
                raise
        return key

    def open(self, key: str) -> IO[bytes]:
        """The stored file, read as it is asked for."""
        file = RangedFile(self._client, self._bucket, self._prefix + key)
        return io.BufferedReader(file, _BUFFER_BYTES)

    def send(self, key: str, mime_type: str, name: str) -> Response:
        """A redirect to a signed address. The type stands in the signature, and a browser that is
        sent there itself saves the file: players play it all the same.
        """
        if not key:
            raise FileNotFoundError(key)
        asked = {
            **self._place(key),
            "ResponseContentType": mime_type,
            "ResponseContentDisposition": _attachment(name),
            "ResponseCacheControl": f"private, max-age={self._address_s}",
        }
        response: Any = redirect(self._sign("get_object", asked))
        response.headers["Cache-Control"] = "private, no-store"
        return response  # type: ignore[no-any-return]

    def delete(self, key: str) -> None:
        """Delete the object."""
        with s3_errors("delete a file"):
            self._client.delete_object(**self._place(key))

    def begin(self, handle: str) -> str:
        """Begin a multipart upload, unless the one of *handle* still goes on."""
        try:
            if "." in handle:
                with s3_errors("list the parts of a file"):
                    self._client.list_parts(**self._upload(handle), MaxParts=1)
                return handle
        except FileNotFoundError:
            pass  # the bucket's own rules ended it
        name = secrets.token_hex(16)
        with s3_errors("begin a file in parts"):
            made = self._client.create_multipart_upload(**self._place(_PENDING + name))
        return f"{name}.{made['UploadId']}"

    def address(self, pending: Pending, number: int) -> SignedAddress:
        """A signed address for this part of this upload, with exactly its size."""
        asked = {
            **self._upload(pending.handle),
            "PartNumber": number + 1,
            "ContentLength": pending.bytes_of(number),
        }
        return SignedAddress(self._sign("upload_part", asked), self._address_s, {})

    def receive(self, pending: Pending, number: int, source: IO[bytes]) -> None:  # noqa: ARG002  it takes none
        """Parts do not come by us."""
        raise Conflict(
            "Parts of this upload go to the file storage itself. Ask for the address of each: "
            f"POST …/parts/{number}/address."
        )

    def received(self, pending: Pending) -> Mapping[int, int]:
        """The parts that S3 has; all of them once they are one file."""
        if "." not in pending.handle:
            return {}
        try:
            return {part["PartNumber"] - 1: part["Size"] for part in self._parts(pending.handle)}
        except FileNotFoundError:
            if not self._is_joined(pending):
                return {}
        return {number: pending.bytes_of(number) for number in range(pending.count)}

    def join(self, pending: Pending) -> Stored:
        """Complete the multipart upload, or find that it is, and hash what it became."""
        try:
            self._complete(pending)
        except FileNotFoundError:
            if not self._is_joined(pending):
                raise
        key = _PENDING + _name(pending.handle)
        return Stored(key, self._hash(key))

    def promote(self, stored: Stored, mime_type: str) -> Stored:
        """Copy it, within S3, to a name of its own; as long as it is what was checked."""
        key = secrets.token_hex(16)
        with s3_errors("copy a file"):
            self._client.copy(
                self._place(stored.key),
                self._bucket,
                self._prefix + key,
                ExtraArgs={
                    "MetadataDirective": "REPLACE",
                    "ContentType": mime_type,
                    "ContentDisposition": "attachment",
                },
                Config=_COPYING,
            )
        return Stored(key, stored.sha256)

    def discard(self, handle: str) -> None:
        """Abort the multipart upload, and delete what it became."""
        if "." not in handle:
            return
        try:
            with s3_errors("forget the parts of a file"):
                self._client.abort_multipart_upload(**self._upload(handle))
        except FileNotFoundError:
            pass
        self.delete(_PENDING + _name(handle))

    def clean(self, keys: Collection[str], handles: Collection[str], older_than_s: float) -> int:
        """Delete what is older and not among these; what has not a name of ours is not ours."""
        limit = datetime.now(UTC) - timedelta(seconds=older_than_s)
        names = {_name(handle) for handle in handles}
        count = 0
        for key in self._keys_before(limit):
            kept = names if key.startswith(_PENDING) else keys
            if (
                _OURS.fullmatch(key.removeprefix(_PENDING))
                and key.removeprefix(_PENDING) not in kept
            ):
                self.delete(key)
                count += 1
        for handle in self._handles_before(limit):
            if _OURS.fullmatch(_name(handle)) and handle not in handles:
                self.discard(handle)
                count += 1
        return count

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _upload(self, handle: str) -> dict[str, str]:
        name, _, upload_id = handle.partition(".")
        return {**self._place(_PENDING + name), "UploadId": upload_id}

    def _sign(self, operation: str, asked: Mapping[str, object]) -> str:
        with s3_errors("sign an address"):
            url: str = self._client.generate_presigned_url(
                operation, Params=dict(asked), ExpiresIn=self._address_s
            )
        return url

    def _send(
        self, upload: Mapping[str, str], first: bytes, source: IO[bytes]
    ) -> Iterator[dict[str, object]]:
        piece, number = first, 1
        while piece:
            sent = self._client.upload_part(**upload, PartNumber=number, Body=piece)
            yield {"PartNumber": number, "ETag": sent["ETag"]}
            piece, number = source.read(_PIECE_BYTES), number + 1

    def _parts(self, handle: str) -> Iterator[Mapping[str, Any]]:
        with s3_errors("list the parts of a file"):
            pages = self._client.get_paginator("list_parts").paginate(**self._upload(handle))
            for page in pages:
                yield from page.get("Parts", ())

    def _complete(self, pending: Pending) -> None:
        found = list(self._parts(pending.handle))
        sizes = {part["PartNumber"] - 1: part["Size"] for part in found}
        if sizes != {number: pending.bytes_of(number) for number in range(pending.count)}:
            raise FileNotFoundError(pending.handle)
        parts = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in found]
        with s3_errors("put the parts of a file together"):
            self._client.complete_multipart_upload(
                **self._upload(pending.handle), MultipartUpload={"Parts": parts}
            )

    def _is_joined(self, pending: Pending) -> bool:
        try:
            with s3_errors("say how large a file is"):
                place = self._place(_PENDING + _name(pending.handle))
                size: int = self._client.head_object(**place)["ContentLength"]
        except FileNotFoundError:
            return False
        return size == pending.size_bytes

    def _hash(self, key: str) -> str:
        digest = hashlib.sha256()
        with self._turns:
            file = RangedFile(self._client, self._bucket, self._prefix + key)
            for start in range(0, file.size, _PIECE_BYTES):
                piece = file.bytes_between(start, min(start + _PIECE_BYTES, file.size))
                run_blocking(digest.update, piece)
        return digest.hexdigest()

    def _keys_before(self, limit: datetime) -> Iterator[str]:
        with s3_errors("list the files"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            for page in pages:
                for found in page.get("Contents", ()):
                    if found["LastModified"] < limit:
                        yield found["Key"].removeprefix(self._prefix)

    def _handles_before(self, limit: datetime) -> Iterator[str]:
        place = self._prefix + _PENDING
        with s3_errors("list the files in parts"):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=place
            )
            for page in pages:
                for found in page.get("Uploads", ()):
                    if found["Initiated"] < limit:
                        yield f"{found['Key'].removeprefix(place)}.{found['UploadId']}"


def _name(handle: str) -> str:
    return handle.partition(".")[0]


def _attachment(name: str) -> str:
    """RFC 6266; a name is a title, of any letters, and what is quoted is on one line."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"
