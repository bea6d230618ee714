"""The look at known holes: real pip-audit, and an advisory service on loopback."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def advisories(holed: str | None) -> Iterator[str]:
    """A service that speaks like OSV and knows one hole, in the package *holed*."""

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            package = asked["package"]["name"]
            answer = json.dumps({"vulns": [_hole(package)]} if package == holed else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _hole(package: str) -> dict[str, Any]:
    events = [{"introduced": "0"}, {"fixed": "99.0"}]
    ranges = [{"type": "ECOSYSTEM", "events": events}]
    affected = [{"package": {"name": package, "ecosystem": "PyPI"}, "ranges": ranges}]
    return {"id": "TEST-1", "summary": "A hole", "affected": affected}


def audit(address: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/audit.py", "-s", "osv", "--osv-url", address],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_known_hole_fails_and_says_which_version_mends_it() -> None:
    with advisories("flask") as address:
        told = audit(address)

    assert told.returncode == 1, told.stdout + told.stderr
    assert "HOLE: flask " in told.stdout
    assert "TEST-1. Fixed in 99.0." in told.stdout


def test_no_hole_is_said_with_how_much_was_looked_at() -> None:
    with advisories(None) as address:
        told = audit(address)

    assert told.returncode == 0, told.stdout + told.stderr
    assert "requirements.txt: no known hole in " in told.stdout
    assert "NOT AUDITED" not in told.stdout


def test_a_service_that_cannot_be_reached_is_said_and_is_no_hole() -> None:
    told = audit("http://127.0.0.1:1/v1/query")

    assert told.returncode == 0
    assert told.stdout.count("NOT AUDITED: requirements") == 2
    assert "Connection refused" in told.stdout
