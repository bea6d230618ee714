"""Log lines: words for people, or one JSON object for programs; neither tells a secret.

Nothing of ours is imported here. gunicorn's master reads this file by its path, before gevent has
patched anything (`core.gunicorn_conf`).
"""

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

TraceAtHand = Callable[[], str | None]

_MOST_CHARACTERS = 8_000
"""Of one text; platforms cut lines above some 10,000 bytes, and half an object is none."""

_SECRETS = (
    (re.compile(r"://[^/\s@]*@"), "://…@"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "<e-mail>"),
    (re.compile(r"(?<![\w<])((?:https?:/)?/[^\s?\"']*)\?[^\s\"']*"), r"\1?…"),
    (re.compile(r":%7B[^\s'\"]*"), ":{…}"),
    (re.compile(r"\b((?:set-)?cookie['\"]?\s*[:=])[^\n]+", re.IGNORECASE), r"\1 …"),
    (re.compile(r"\b(bearer\s+)[^\s\"']+", re.IGNORECASE), r"\1…"),
    (re.compile(r"(input_value=).*?(?=, input_type=)", re.DOTALL), r"\1…"),
    (re.compile(r"^(\[parameters:).*?\]$", re.DOTALL | re.MULTILINE), r"\1 …]"),
    (re.compile(r"(invalid input (?:syntax|value) for [^:\n]*: )\"[^\n]*\""), r"\1…"),
    (
        re.compile(
            r"^(DETAIL|CONTEXT):.*?(?=^(?:DETAIL|CONTEXT|HINT):|^\[SQL|^\(Background|"
            r"^The above exception|^During handling|\Z)",
            re.DOTALL | re.MULTILINE,
        ),
        "\\1: …\n",
    ),
)
"""Where texts hold what users wrote: addresses with passwords, e-mails, query strings, options of
keys, headers, what pydantic and SQLAlchemy quote, and PostgreSQL (“Failing row contains …”)."""


def formatter(log_format: str, trace_at_hand: TraceAtHand = lambda: None) -> logging.Formatter:
    """The formatter of the setting *log_format*: “json”, or “text”.

    *trace_at_hand* is asked for the trace of a record that has none of its own.
    """
    return Text(trace_at_hand) if log_format == "text" else Json(trace_at_hand)


def scrub(text: str) -> str:
    """*text* without what is known to hold a secret or what a user wrote, and not too long."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    if len(text) > _MOST_CHARACTERS:
        text = f"{text[:1000]}\n…\n{text[1000 - _MOST_CHARACTERS :]}"
    return text


class Text(logging.Formatter):
    """One line, and a traceback below it."""

    def __init__(self, trace_at_hand: TraceAtHand) -> None:
        super().__init__(
            "%(asctime)s [%(process)d] [%(levelname)s] %(message)s", "[%Y-%m-%d %H:%M:%S %z]"
        )
        self._trace_at_hand = trace_at_hand

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return scrub(super().format(record)).rstrip("\n")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        """The message, with its trace at the end of the first line."""
        text = super().formatMessage(record)
        trace = getattr(record, "trace", None) or self._trace_at_hand()
        if trace is None or trace in text:
            return text
        first, newline, rest = text.partition("\n")
        return f"{first} (trace {trace}){newline}{rest}"


class Json(JsonFormatter):
    """One object on one line: `time`, `level`, `logger`, `message`, `pid`, and what else there is.

    That is `trace`, `exception` (the traceback), and whatever was handed over as ``extra``.
    """

    def __init__(self, trace_at_hand: TraceAtHand) -> None:
        super().__init__(
            ["levelname", "name", "message", "process"],
            rename_fields={
                "levelname": "level",
                "name": "logger",
                "process": "pid",
                "exc_info": "exception",
                "stack_info": "stack",
            },
            json_ensure_ascii=False,
        )
        self._trace_at_hand = trace_at_hand

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Put the fields of *record* into *log_data*."""
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(
            timespec="milliseconds"
        )
        super().add_fields(log_data, record, message_dict)
        for name, value in list(log_data.items()):
            if value is None:
                del log_data[name]
            elif isinstance(value, str):
                log_data[name] = scrub(value)
        trace = log_data.pop("trace", None) or self._trace_at_hand()
        if trace is not None:
            log_data["trace"] = trace
