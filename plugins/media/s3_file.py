"""A file in a bucket, read piece by piece."""

import io
from typing import Any

from plugins.media.s3_client import s3_errors

_MOST_READS = 256
"""Whoever looks into a file by seeking makes a request for each step; an odd one ends here, and
looks cut off.
"""


class RangedFile(io.RawIOBase):
    """The object *key* as it was when it had *etag*; to be buffered."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client = client
        self._of = {"Bucket": bucket, "Key": key}
        with s3_errors("say how large a file is"):
            head = client.head_object(**self._of)
        self.size: int = head["ContentLength"]
        self.etag: str = head["ETag"]
        self._at = 0
        self._reads = 0

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, which may lie beyond the end."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read into *buffer* as much as it holds, with one request."""
        end = min(self._at + len(buffer), self.size)
        if end <= self._at or self._reads >= _MOST_READS:
            return 0
        self._reads += 1
        data = self.bytes_between(self._at, end)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def bytes_between(self, start: int, end: int) -> bytes:
        """Those bytes. Raises `FileNotFoundError` when it is another file now."""
        with s3_errors("read a file"):
            found = self._client.get_object(
                **self._of, Range=f"bytes={start}-{end - 1}", IfMatch=self.etag
            )
            with found["Body"] as body:
                data: bytes = body.read()
        return data
