"""A server that speaks S3, and checks what moto, which it is made of, does not: signatures.

``python -m tests.s3 PORT``, in a process of its own: a signed address holds for what was signed,
and until it expires; who sends neither a signature nor a key is refused. Other sites may do what
the bucket's CORS rules say.
"""

import hashlib
import hmac
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote
from uuid import uuid4

import boto3
import httpx
from botocore.config import Config

from tests.servers import ROOT, end, free_port, wait_until

KEY_ID, SECRET, REGION = "a-key-of-tests", "a secret of tests", "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}


@dataclass(frozen=True)
class Bucket:
    """A bucket of one test's own."""

    endpoint: str
    name: str

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a site that uses it; `CREDENTIALS` are of its environment."""
        return {"storage": "s3", "s3_bucket": self.name, "s3_endpoint": self.endpoint}

    @property
    def environment(self) -> dict[str, str]:
        """The same for a process."""
        named = {f"COURSEWIRE_{name.upper()}": value for name, value in self.settings.items()}
        return {**named, **CREDENTIALS}

    @contextmanager
    def client(self) -> Iterator[Any]:
        """A client of ours, closed at the exit."""
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            config=Config(s3={"addressing_style": "path"}),
        )
        try:
            yield client
        finally:
            client.close()

    def names(self) -> set[str]:
        """The names of what lies in it."""
        with self.client() as client:
            found = client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {str(each["Key"]) for each in found}

    def unfinished(self) -> list[str]:
        """The names of what is on its way."""
        with self.client() as client:
            found = client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        return [str(each["Key"]) for each in found]


@contextmanager
def s3_server() -> Iterator[Callable[..., Bucket]]:
    """A server, ended at the exit; what is yielded makes buckets, with CORS rules if any."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.s3", str(port)],
        cwd=ROOT,
        env={**os.environ, "S3_UPLOAD_PART_MIN_SIZE": "1", "MOTO_DISABLE_GLOBAL_CORS": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"

    def make(cors: Mapping[str, Any] | None = None) -> Bucket:
        bucket = Bucket(endpoint, f"bucket-{uuid4().hex[:12]}")
        with bucket.client() as client:
            client.create_bucket(Bucket=bucket.name)
            if cors is not None:
                client.put_bucket_cors(Bucket=bucket.name, CORSConfiguration=cors)
        return bucket

    try:
        wait_until(lambda: process.poll() is not None or _answers(endpoint), "S3 server")
        assert process.poll() is None
        yield make
    finally:
        end(process)


class CheckingSignatures:
    """WSGI middleware: signed addresses are checked (AWS, "Signature Version 4", query strings)."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        problem = None if environ["REQUEST_METHOD"] == "OPTIONS" else _problem(environ)
        if problem is None:
            return self._app(environ, start)  # type: ignore[no-any-return]
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start("403 Forbidden", [("Content-Type", "application/xml")])
        return [f"<Error><Code>{problem}</Code></Error>".encode()]


def _problem(environ: Mapping[str, Any]) -> str | None:
    asked = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    signature = asked.pop("X-Amz-Signature", None)
    if signature is None:
        return None if KEY_ID in environ.get("HTTP_AUTHORIZATION", "") else "AccessDenied"
    began = datetime.strptime(asked["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if datetime.now(UTC) > began + timedelta(seconds=int(asked["X-Amz-Expires"])):
        return "ExpiredToken"
    expected = _signature(environ, asked)
    return None if hmac.compare_digest(signature, expected) else "SignatureDoesNotMatch"


def _signature(environ: Mapping[str, Any], asked: Mapping[str, str]) -> str:
    names = asked["X-Amz-SignedHeaders"].split(";")
    headers = "".join(f"{name}:{_header(environ, name)}\n" for name in names)
    path = str(environ.get("RAW_URI") or environ["REQUEST_URI"]).partition("?")[0]
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in asked.items())
    query = "&".join(f"{name}={value}" for name, value in pairs)
    lines = [environ["REQUEST_METHOD"], path, query, headers, ";".join(names), "UNSIGNED-PAYLOAD"]
    scope = asked["X-Amz-Credential"].split("/", 1)[1]
    hashed = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", asked["X-Amz-Date"], scope, hashed])
    key = f"AWS4{SECRET}".encode()
    for word in (*scope.split("/"), text):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return key.hex()


def _header(environ: Mapping[str, Any], name: str) -> str:
    named = name.upper().replace("-", "_")
    return str(environ.get(named if named.startswith("CONTENT_") else f"HTTP_{named}", "")).strip()


def _answers(endpoint: str) -> bool:
    try:
        return httpx.get(endpoint, timeout=2).status_code == 403
    except httpx.TransportError:
        return False


def main() -> None:
    """Serve until somebody ends us."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    app = CheckingSignatures(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True)


if __name__ == "__main__":
    main()
