"""Logs: where core and plugins write, and the trace that a line belongs to."""

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask import Flask, g, has_app_context

from core.telemetry.lines import Json, Text, formatter

if TYPE_CHECKING:
    from core.runtime import Runtime

_ROOTS = ("coursewire", "core", "plugins")
_LEVELS = ("critical", "error", "warning", "info", "debug")


def trace_at_hand() -> str | None:
    """The trace of what happens here: of the write transaction, the action, or the refetch."""
    if not has_app_context():
        return None
    work = g.get("coursewire_work")
    trace: str | None = work.trace if work is not None else g.get("coursewire_trace")
    return trace


def write_to_stderr(app: Flask) -> None:
    """Let everybody in *app* log to standard error: commands, and servers without logs of theirs.

    gunicorn, which has some, takes over with `follow`.
    """
    said = os.environ.get("COURSEWIRE_LOG_LEVEL", "").lower()
    level = said if said in _LEVELS else "warning"
    follow(
        app.extensions["coursewire"],
        [logging.StreamHandler()],
        [],
        logging.getLevelName(level.upper()),
    )


def follow(
    runtime: "Runtime",
    handlers: Sequence[logging.Handler],
    access: Sequence[logging.Handler],
    level: int,
) -> None:
    """Write what core, plugins and libraries say to *handlers*, and lines of streams to *access*.

    Core and the packages of the plugins say what is of *level* or above, everybody else warnings.
    Handlers of others stay where they are.
    """
    for handler in {*handlers, *access}:
        handler.setFormatter(formatter(runtime.settings.log_format, trace_at_hand))
    root = logging.getLogger()
    others = [h for h in root.handlers if not isinstance(h.formatter, Text | Json)]
    root.handlers = [*others, *handlers]
    packages = {plugin.import_name.partition(".")[0] for plugin in runtime.registry.plugins}
    for name in {*_ROOTS, *packages}:
        logging.getLogger(name).setLevel(level)
    lines = logging.getLogger("coursewire.access")
    lines.handlers, lines.propagate = list(access), False
    lines.setLevel(logging.INFO)
