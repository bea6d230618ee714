"""gunicorn's configuration, for the Procfile and for ``flask serve``.

Give gunicorn the *path* of this file (``-c core/gunicorn_conf.py``), never ``python:core…``: the
master would import core, and with it ssl and redis, before gevent has patched anything.

Read from the environment: PORT, COURSEWIRE_HOST, WEB_CONCURRENCY, COURSEWIRE_ACCESS_LOG (a file, or
``-``), COURSEWIRE_LOG_LEVEL, COURSEWIRE_LOG_FORMAT, COURSEWIRE_CONNECTIONS_PER_WORKER,
COURSEWIRE_SLOW_REQUEST_S, and gunicorn's own FORWARDED_ALLOW_IPS.
"""

import gc
import os
import resource
import runpy
import socket
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import gevent
from gevent.monkey import get_original
from gunicorn.glogging import Logger
from gunicorn.workers.ggevent import GeventWorker

_lines = runpy.run_path(str(Path(__file__).with_name("telemetry") / "lines.py"))
_log_format = os.environ.get("COURSEWIRE_LOG_FORMAT") or "json"

_QUIET_S = 1.5
_LOADED_S = 1.0
"""How long a new worker waits for Redis before it takes requests, with it or without."""

_IDLE_SHARE = 0.8
"""Of a worker's connections, how many may be idle."""

_SLOW_S = float(os.environ.get("COURSEWIRE_SLOW_REQUEST_S") or "30")
"""How long the head of a first request may take, a body stand still, and half of how long a browser
may take nothing of an answer (players that have enough come back, and ask for the rest)."""

_SLOWEST_BYTES_PER_S = 500
"""What a body must arrive with, once it has been spared `_SLOW_S`."""


class DrainingWorker(GeventWorker):
    """gevent's worker, which lets go of idle connections: of those too many, and while it drains.

    gunicorn counts a connection on which a browser says nothing as work, and waits for it until
    `graceful_timeout` is over: every deploy and every Ctrl-C would take that long. And once it has
    `worker_connections` of them, it takes no other until a browser closes one. Half-closing loses
    no request that has arrived: it is still read and answered. One that is on its way then would be
    lost, so a connection is let go of only after a while without a word::

        browser   connects ── POST ──►
        worker    accepts ── is told to end ── half-closes at once ── reads: nothing came

    And it answers what it has accepted, also when it is told to end in that very moment::

        accepts a connection ── told to end: closes the listener ── its greenlet begins, and asks
                                                                    the listener for its address

    Who sends or reads as slowly as they can, to keep connections from others, is cut off: the head
    of a first request, a body that stands still or trickles, an answer that nobody takes. Streams
    are not concerned: the hub has their sockets, and a limit of its own.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle_since: dict[socket.socket, float] = {}
        """Those longest idle first."""
        self._unasked: set[Any] = set()
        """Greenlets whose connection has not sent a whole head yet."""

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:  # noqa: ARG002  gunicorn's
        """Serve one connection; it is idle until its first request."""
        self._idle_since[client] = time.monotonic()
        self._unasked.add(gevent.getcurrent())
        try:
            address: Any = _Address(client)
            super().handle(address, client, addr)
        finally:
            self._idle_since.pop(client, None)
            self._unasked.discard(gevent.getcurrent())

    def timeout_ctx(self) -> Any:
        """How long the next head may take, silence before it included."""
        unasked = gevent.getcurrent() in self._unasked
        return _limit(_SLOW_S if unasked else self.cfg.keepalive)

    def handle_request(self, listener_name: Any, req: Any, sock: socket.socket, addr: Any) -> bool:
        """Serve one request; its connection is idle before and after."""
        self._idle_since.pop(sock, None)
        self._unasked.discard(gevent.getcurrent())
        sock.settimeout(2 * _SLOW_S)
        try:
            with _Pace(req.unreader):
                handled = super().handle_request(listener_name, req, sock, addr)
        except TimeoutError:
            raise StopIteration from None  # nobody takes the answer
        sock.settimeout(None)
        self._idle_since[sock] = time.monotonic()
        return handled

    def notify(self) -> None:
        """Tell the master that the worker lives: once a second, also while it drains."""
        super().notify()
        spared = int(self.cfg.worker_connections * _IDLE_SHARE) if self.alive else 0
        longest_first = list(self._idle_since.items())
        for client, since in longest_first[: max(0, len(longest_first) - spared)]:
            if time.monotonic() - since >= _QUIET_S:
                _let_go(client)


class _Pace:
    """The least that a body must arrive with, while somebody waits for it."""

    def __init__(self, unreader: Any) -> None:
        self._unreader = unreader
        self._chunk = unreader.chunk
        self._waited_s = 0.0
        self._received = 0

    def __enter__(self) -> None:
        self._unreader.chunk = self._read

    def __exit__(self, *_: object) -> None:
        self._unreader.chunk = self._chunk

    def _read(self, size_hint: int | None = None) -> bytes:
        """The next bytes; raises Werkzeug's `RequestTimeout`, which the app answers in words."""
        spared_s = _SLOW_S + self._received / _SLOWEST_BYTES_PER_S - self._waited_s
        began = time.monotonic()
        data: bytes | None = None
        with _limit(max(0.0, min(_SLOW_S, spared_s))):
            data = self._chunk(size_hint)
        if data is None:
            from werkzeug.exceptions import RequestTimeout  # noqa: PLC0415  gevent patches first

            raise RequestTimeout
        self._waited_s += time.monotonic() - began
        self._received += len(data)
        return data


def _limit(longest_s: float) -> Any:
    """Ends its block after *longest_s*, without an exception."""
    no_error: Any = False
    return gevent.Timeout(longest_s, no_error)


class _Address:
    """What gunicorn wants of a listener, its address; asked of a connection, which has the same."""

    def __init__(self, client: socket.socket) -> None:
        self.getsockname = client.getsockname


def _let_go(client: socket.socket) -> None:
    """End what *client* may still send. (gevent's own `shutdown` throws an error at its reader.)"""
    plain_socket = get_original("socket", "socket")
    try:
        with plain_socket(fileno=os.dup(client.fileno())) as plain:
            plain.shutdown(socket.SHUT_RD)
    except OSError:
        return  # the browser was quicker


class Log(Logger):
    """gunicorn's, in our words: the access line tells no query string, referrer or user agent."""

    def setup(self, cfg: Any) -> None:
        """Open the files, and write lines in the format that is set."""
        super().setup(cfg)
        for handler in {*self.error_log.handlers, *self.access_log.handlers}:
            handler.setFormatter(_lines["formatter"](_log_format))

    def access(self, resp: Any, _req: Any, environ: Any, request_time: timedelta) -> None:
        """Write the line of one request; what the app noted of it says what may be told."""
        if not self.access_log_enabled:
            return
        told = environ.get("coursewire.told", {})
        line = {
            "method": environ.get("REQUEST_METHOD", "-"),
            "path": told.get("path", "/…"),
            "status": int(str(resp.status).partition(" ")[0]),
            "bytes": getattr(resp, "sent", 0),
            "ms": round(request_time.total_seconds() * 1000, 1),
            "address": environ.get("REMOTE_ADDR", "-"),
        }
        text = "%(address)s %(method)s %(path)s %(status)d, %(bytes)d bytes, %(ms).1f ms"
        self.access_log.info(text, line, extra=line | told)


def _runtime(worker: Any) -> Any:
    """The worker's `core.runtime.Runtime`, or ``None`` when its app never came up."""
    app = getattr(worker, "wsgi", None)
    return app.extensions["coursewire"] if app is not None else None


def when_ready(server: Any) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    server.log.info("%d descriptors per worker: about as many browsers", soft)


def post_worker_init(worker: Any) -> None:
    runtime = _runtime(worker)
    _log_with(worker)
    runtime.start(worker)
    # The first browsers of a new worker come from one that ended: it must know what they missed.
    runtime.hub.loaded.wait(_LOADED_S)
    # What is there by now stays: the collector need not look at it again and again. It stood still
    # for it as long as a round of the fan-out takes, and a stream cost a tenth more to open.
    gc.collect()
    gc.freeze()


def worker_int(worker: Any) -> None:
    _stop(worker)


def worker_exit(_server: Any, worker: Any) -> None:
    _stop(worker)


def _log_with(worker: Any) -> None:
    """Write what the app says where gunicorn writes, and a line per stream beside requests."""
    errors, access = worker.log.error_log, worker.log.access_log
    _runtime(worker).log_to(errors.handlers, access.handlers, errors.level)


def _stop(worker: Any) -> None:
    runtime = _runtime(worker)
    if runtime is not None:
        runtime.stop()


_, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _most))  # every open stream is one

bind = f"{os.environ.get('COURSEWIRE_HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"
workers = int(os.environ.get("WEB_CONCURRENCY") or "2")
worker_class = DrainingWorker
worker_connections = int(os.environ.get("COURSEWIRE_CONNECTIONS_PER_WORKER") or "5000")
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - gunicorn's advice: heartbeats must not wait for a disk
timeout = 30
graceful_timeout = 20  # Heroku kills 30 s after SIGTERM
backlog = 4096  # a change calls thousands of browsers at once; Linux caps it at net.core.somaxconn
keepalive = 100  # longer than the 90 s of Heroku's router, which otherwise meets closed connections
limit_request_line = 8190
control_socket_disable = True
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS") or "127.0.0.1,::1"
secure_scheme_headers: dict[str, str] = {}  # whom to believe says COURSEWIRE_TRUSTED_PROXIES alone
forwarder_headers = ""  # nor does anybody say SCRIPT_NAME or PATH_INFO to us
accesslog = os.environ.get("COURSEWIRE_ACCESS_LOG") or None
errorlog = "-"
logger_class = Log
loglevel = os.environ.get("COURSEWIRE_LOG_LEVEL") or "info"
