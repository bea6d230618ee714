"""How we speak to S3, or to what speaks like it: the client, its address, and its errors.

boto3 is plain blocking code over the sockets of Python, which gevent makes cooperative: a worker
patches them before anything here is imported.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from core import Settings, SetupError, Unavailable
from core.errors import Fault
from core.languages import gettext as _

log = logging.getLogger("coursewire.media")

LEAST_PART_BYTES = 5 * 1024 * 1024
"""Of every part but the last (Amazon S3 User Guide, "Amazon S3 multipart upload limits")."""

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_GONE = {"NoSuchKey", "NoSuchUpload", "404", "NotFound", "PreconditionFailed", "412"}


def make_client(settings: Settings) -> Any:
    """A client for all threads and greenlets of this process. Raises `SetupError`."""
    _refuse_faults(settings)
    return _client(settings, "s3v4")


def origin_of(settings: Settings) -> str:
    """Where signed addresses lead: what a browser calls their origin. Raises `SetupError`."""
    _refuse_faults(settings)
    asked = {"Bucket": settings.s3_bucket, "Key": "x"}
    url = _client(settings, UNSIGNED).generate_presigned_url("get_object", Params=asked)
    scheme, host = urlsplit(url)[:2]
    return f"{scheme}://{host}"


@contextmanager
def s3_errors(what: str) -> Iterator[None]:
    """Raises `FileNotFoundError` for what is not there (any more), `Unavailable` for the rest."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _GONE:
            raise FileNotFoundError(code) from None
        raise _unavailable(what, code) from error
    except BotoCoreError as error:
        raise _unavailable(what, f"{type(error).__name__}: {error}") from error


def _unavailable(what: str, reason: str) -> Unavailable:
    log.error("The file storage refused to %s: %s", what, reason)
    return Unavailable(
        _("The file storage does not answer. Nothing is lost. Try again in a moment.")
    )


def _client(settings: Settings, signature: object) -> Any:
    config = Config(
        signature_version=signature,
        s3={"addressing_style": "path" if settings.s3_endpoint else "auto"},
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=20,
        # What else speaks like S3 does not know the newer checksums; TLS and ETags guard the way.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = boto3.session.Session(region_name=_region(settings))
    return session.client("s3", endpoint_url=settings.s3_endpoint or None, config=config)


def _region(settings: Settings) -> str | None:
    found: str | None = settings.s3_region or boto3.session.Session().region_name
    return found or ("us-east-1" if settings.s3_endpoint else None)


def _refuse_faults(settings: Settings) -> None:
    faults = [Fault("media", text) for text in _faults(settings)]
    if faults:
        raise SetupError(faults)


def _faults(settings: Settings) -> Iterator[str]:
    if not _BUCKET.fullmatch(settings.s3_bucket):
        yield (
            f"COURSEWIRE_STORAGE is “s3”, and COURSEWIRE_S3_BUCKET is “{settings.s3_bucket}”, "
            "which names no bucket. Set it to the bucket's name."
        )
    if not settings.s3_endpoint and settings.upload_part_bytes < LEAST_PART_BYTES:
        yield (
            f"COURSEWIRE_UPLOAD_PART_BYTES is {settings.upload_part_bytes}, and S3 takes parts of "
            f"{LEAST_PART_BYTES} bytes or more. Set it higher, or leave it out."
        )
    try:
        if _region(settings) is None:
            yield "S3 needs a region, and none is set. Set COURSEWIRE_S3_REGION."
        if boto3.session.Session().get_credentials() is None:
            yield (
                "There are no credentials for S3. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "or give this machine a role."
            )
    except BotoCoreError as error:
        yield f"The settings of S3 cannot be used: {error} Correct the variables AWS_…."
