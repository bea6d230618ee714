"""gunicorn's configuration, for the Procfile and for ``flask serve``.

Give gunicorn the *path* of this file (``-c core/gunicorn_conf.py``), never ``python:core…``: the
master would import core, and with it ssl and redis, before gevent has patched anything.

Read from the environment: PORT, COURSEWIRE_HOST, WEB_CONCURRENCY, COURSEWIRE_ACCESS_LOG (a file, or
``-``), COURSEWIRE_LOG_LEVEL, COURSEWIRE_CONNECTIONS_PER_WORKER, and gunicorn's own
FORWARDED_ALLOW_IPS.
"""

import logging
import os
import resource
import socket
import time
from typing import Any

from gevent.monkey import get_original
from gunicorn.workers.ggevent import GeventWorker

_QUIET_S = 1.5
_LOADED_S = 1.0
"""How long a new worker waits for Redis before it takes requests, with it or without."""

_IDLE_SHARE = 0.8
"""Of a worker's connections, how many may be idle."""


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
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle_since: dict[socket.socket, float] = {}
        """Those longest idle first."""

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:  # noqa: ARG002  gunicorn's
        """Serve one connection; it is idle until its first request."""
        self._idle_since[client] = time.monotonic()
        try:
            address: Any = _Address(client)
            super().handle(address, client, addr)
        finally:
            self._idle_since.pop(client, None)

    def handle_request(self, listener_name: Any, req: Any, sock: socket.socket, addr: Any) -> bool:
        """Serve one request; its connection is idle before and after."""
        self._idle_since.pop(sock, None)
        handled = super().handle_request(listener_name, req, sock, addr)
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


def _runtime(worker: Any) -> Any:
    """The worker's `core.runtime.Runtime`, or ``None`` when its app never came up."""
    app = getattr(worker, "wsgi", None)
    return app.extensions["coursewire"] if app is not None else None


def when_ready(server: Any) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    server.log.info("%d descriptors per worker: about as many browsers", soft)


def post_worker_init(worker: Any) -> None:
    _log_with(worker.log)
    runtime = _runtime(worker)
    runtime.start(worker)
    # The first browsers of a new worker come from one that ended: it must know what they missed.
    runtime.hub.loaded.wait(_LOADED_S)


def worker_int(worker: Any) -> None:
    _stop(worker)


def worker_exit(_server: Any, worker: Any) -> None:
    _stop(worker)


def _log_with(log: Any) -> None:
    """Write what Coursewire says where gunicorn writes, and a line per stream beside requests."""
    ours, access = logging.getLogger("coursewire"), logging.getLogger("coursewire.access")
    ours.handlers, ours.propagate = log.error_log.handlers, False
    ours.setLevel(log.error_log.level)
    access.handlers, access.propagate = log.access_log.handlers, False
    access.setLevel(logging.INFO)


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
accesslog = os.environ.get("COURSEWIRE_ACCESS_LOG") or None
errorlog = "-"
loglevel = os.environ.get("COURSEWIRE_LOG_LEVEL") or "info"
