"""Processes that ``flask serve`` starts, and the signals it waits for."""

import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType, TracebackType
from typing import Any, Self

_PR_SET_PDEATHSIG = 1
"""From ``linux/prctl.h``."""


class Signals:
    """SIGINT, SIGTERM and the end of a child, made into something to wait for."""

    def __init__(self) -> None:
        self.stops = 0
        """How often somebody asked us to stop."""
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._reader.close()
        self._writer.close()

    def stopping(self) -> bool:
        """Whether somebody asked us to stop."""
        return self.stops > 0

    def wait(self, timeout_s: float | None = None) -> None:
        """Return at the next signal, one that came since the last call included."""
        if select.select([self._reader], [], [], timeout_s)[0]:
            self._reader.recv(4096)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Whether *condition* came true in time; it is tried at every signal and every 20 ms."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self.wait(0.02)
        return True

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self.stops += 1


class Child:
    """A process in a process group of its own, which ends when we do, however we end."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the command is ours
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=_die_with_parent(),  # noqa: PLW1509 - we have one thread
        )

    @property
    def pid(self) -> int:
        """Its number, and that of its group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; ``None`` while it runs."""
        return self._process.poll()

    @property
    def ended(self) -> bool:
        """Whether it is no more."""
        return self.exit_code is not None

    def send(self, number: int) -> None:
        """Send it (not its group) a signal, if it still runs."""
        self._process.send_signal(number)

    def kill_group(self) -> None:
        """End whatever is left of its group at once, and wait for the child itself."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def _die_with_parent() -> Callable[[], None] | None:
    """What a child runs first, so that a parent's hard death ends it too; only Linux can."""
    if sys.platform != "linux":
        return None
    parent = os.getpid()
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we could ask
            os.kill(os.getpid(), signal.SIGTERM)

    return ask
