"""The servers that are compared: each starts on the server's core, and publishes in its own way.

A name in `CONTENDERS` is what the table shows. What is not installed here is left out, with a word.
"""

import http.client
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.browsers import HERE, compile_c
from bench.coursewire import KEY, People, coursewire, serving
from bench.processes import open_files_limit
from tests.servers import ROOT, free_port, redis_server

PYTHON = Path(os.environ.get("BENCH_PYTHON") or ROOT / ".venv-bench/bin/python").absolute()
"""The Python that has the compared packages; `make bench` makes it."""

_NCHAN_SPARE = 2_000
_NCHAN = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")


@dataclass(frozen=True)
class Server:
    """A running server: where browsers go, and how an event with a mark gets to all of them.

    ``eager``: it says nothing before the first event; ``subscribers`` then tells how many it has.
    ``before`` is called with the number of browsers before they come. ``merges``: a frame covers
    every notice before it, so that one skipped is not lost.
    """

    port: int
    pid: int
    publish: Callable[[str], None]
    requests: Sequence[str] = ("/stream",)
    eager: bool = False
    subscribers: Callable[[], int] | None = None
    before: Callable[[int], None] = lambda count: None  # noqa: ARG005
    merges: bool = False


@dataclass(frozen=True)
class Contender:
    """A server that can be started; ``missing`` says why not."""

    name: str
    start: Callable[[Path, People, int], AbstractContextManager[Server]]
    missing: Callable[[], str | None]
    most_browsers: int = 1_000_000


def data(mark: str) -> str:
    """The data of an event with *mark*: the same for every server, about a hundred bytes."""
    return json.dumps(
        {
            "keys": [[*KEY.split(":")[:2], 1]],
            "cause": "media-linked",
            "trace": mark,
            "spread_ms": 0,
        },
        separators=(",", ":"),
    )


@contextmanager
def _limit(folder: Path, people: People, count: int) -> Iterator[Server]:  # noqa: ARG001
    program = compile_c("limit", folder)
    port = free_port()
    with (
        serving([str(program), str(port)], folder, port) as process,
        socket.create_connection(("127.0.0.1", port)) as line,
    ):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Server(
            port, process.pid, lambda mark: line.sendall(data(mark).encode() + b"\n"), ["/"]
        )


@contextmanager
def _nchan(folder: Path, people: People, count: int) -> Iterator[Server]:  # noqa: ARG001
    port = free_port()
    place = folder / f"nginx-{port}"
    place.mkdir()
    (place / "nginx.conf").write_text(
        _NGINX.format(
            module=_NCHAN,
            place=place,
            connections=count + _NCHAN_SPARE,  # Nchan takes some for itself
            files=min(count + _NCHAN_SPARE, open_files_limit()),
            port=port,
        )
    )
    command = ["nginx", "-c", str(place / "nginx.conf"), "-e", str(place / "log")]
    with serving(command, place, port) as process, _posting(port) as publish:
        yield Server(port, process.pid, publish)


@contextmanager
def _coursewire(folder: Path, people: People, count: int) -> Iterator[Server]:
    with coursewire(folder, people) as site:
        yield Server(
            site.port,
            site.pid,
            site.publish,
            people.requests(count),
            before=lambda count: site.remember(people, count),
            merges=True,
        )


@contextmanager
def _textbook(folder: Path, people: People, count: int) -> Iterator[Server]:  # noqa: ARG001
    port = free_port()
    command = _gunicorn("textbook:app", count)
    with serving(command, HERE / "apps", port) as process, _posting(port) as publish:
        yield Server(port, process.pid, publish)


@contextmanager
def _flask_sse(folder: Path, people: People, count: int) -> Iterator[Server]:  # noqa: ARG001
    command = _gunicorn("with_flask_sse:app", count)
    with redis_server("valkey") as valkey, valkey.client() as client:

        def publish(mark: str) -> None:
            client.publish("sse", json.dumps({"data": json.loads(data(mark))}))

        port = free_port()
        with serving(command, HERE / "apps", port, REDIS_URL=valkey.url) as process:
            yield Server(
                port,
                process.pid,
                publish,
                eager=True,
                subscribers=lambda: dict(client.pubsub_numsub("sse")).get("sse", 0),
            )


@contextmanager
def _sse_starlette(folder: Path, people: People, count: int) -> Iterator[Server]:  # noqa: ARG001
    port = free_port()
    options = ["--port", str(port), "--log-level", "error", "--no-access-log"]
    command = [str(PYTHON), "-m", "uvicorn", "with_sse_starlette:app", *options]
    with serving(command, HERE / "apps", port) as process, _posting(port) as publish:
        yield Server(port, process.pid, publish)


def _nothing_missing() -> str | None:
    return None


def _no_compiler() -> str | None:
    return None if shutil.which("cc") else "no C compiler: apt-get install gcc libc6-dev"


def _no_nchan() -> str | None:
    there = shutil.which("nginx") and _NCHAN.exists()
    return None if there else "not installed: apt-get install nginx libnginx-mod-nchan"


def _no_packages() -> str | None:
    return None if PYTHON.exists() else f"no {PYTHON}: make bench makes it"


LIMIT, NCHAN, COURSEWIRE, FLASK_SSE = "raw C", "Nchan", "Coursewire", "flask-sse"

CONTENDERS = (
    Contender(LIMIT, _limit, _no_compiler),
    Contender(NCHAN, _nchan, _no_nchan),
    Contender(COURSEWIRE, _coursewire, _nothing_missing),
    Contender("textbook Flask", _textbook, _no_packages, 5_000),
    Contender("sse-starlette", _sse_starlette, _no_packages, 5_000),
    Contender(FLASK_SSE, _flask_sse, _no_packages, 5_000),
)


def by_name(name: str) -> Contender:
    """The contender called *name*."""
    return next(contender for contender in CONTENDERS if contender.name == name)


def _gunicorn(app: str, count: int) -> list[str]:
    options = ["--worker-class", "gevent", "--worker-connections", str(count + 100)]
    options += ["--log-level", "error", "--no-control-socket"]
    return [str(PYTHON), "-m", "gunicorn", *options, app]


@contextmanager
def _posting(port: int) -> Iterator[Callable[[str], None]]:
    """Publish by POST to the server itself, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def publish(mark: str) -> None:
        connection.request("POST", "/publish", data(mark))
        connection.getresponse().read()

    yield publish
    connection.close()


_NGINX = """\
load_module {module};
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile {files};
pid {place}/pid;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    nchan_max_reserved_memory 256M;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        keepalive_requests 1000000;
        location = /stream {{
            nchan_subscriber eventsource;
            nchan_channel_id bench;
            nchan_subscriber_first_message newest;
        }}
        location = /publish {{
            nchan_publisher;
            nchan_channel_id bench;
            nchan_message_buffer_length 10;
        }}
    }}
}}
"""
