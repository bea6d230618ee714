"""The worker that gunicorn runs, as far as it is ours."""

import socket
from collections.abc import Callable, Iterable, MutableMapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gevent.socket
import httpx
from gunicorn.config import Config
from gunicorn.glogging import Logger

from core.gunicorn_conf import DrainingWorker
from tests.servers import gunicorn, sqlite_copy

REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"


def app(environ: MutableMapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = f"{environ['SERVER_NAME']} {environ['SERVER_PORT']}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def test_a_connection_accepted_just_before_the_listener_closes_is_answered() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = Config()
    worker = DrainingWorker(1, 1, [listener], None, 30, config, Logger(config))
    worker.wsgi = app
    with socket.create_connection(("127.0.0.1", port), timeout=10) as browser:
        browser.sendall(REQUEST)
        accepted, address = listener.accept()
        listener.close()

        worker.handle(listener, gevent.socket.socket(fileno=accepted.detach()), address)

        answer = b"".join(iter(lambda: browser.recv(4096), b""))
    worker.tmp.close()

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(f"127.0.0.1 {port}".encode())


def test_idle_connections_do_not_keep_others_out(
    tmp_path: Path, filled_sqlite: Path, valkey: str
) -> None:
    """More browsers than the worker has connections have read a page and say nothing more."""
    environment = {
        "DATABASE_URL": sqlite_copy(filled_sqlite, tmp_path),
        "REDIS_URL": valkey,
        "COURSEWIRE_UPLOAD_DIR": str(tmp_path / "var" / "uploads"),
        "WEB_CONCURRENCY": "1",
        "COURSEWIRE_CONNECTIONS_PER_WORKER": "20",
    }
    with gunicorn(tmp_path, **environment) as server, ExitStack() as browsers:
        for _ in range(50):
            browser = browsers.enter_context(httpx.Client(base_url=server.url, timeout=20))

            assert browser.get("/healthz").status_code == 200
