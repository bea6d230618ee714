"""What browsers get of our modules and styles: the code, without the comments on lines of their own
and without the white space that lines begin with.

Half of a module explains it. No browser needs that, and there is no build step to take it out.
"""

import re
from functools import lru_cache
from pathlib import Path

from flask import Response, request

_BLOCK = re.compile(r"^[ \t]*/\*\*(?:(?!\*/).)*\*/[ \t]*\n", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"^[ \t]*//.*\n", re.MULTILINE)
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_STYLE_COMMENT = re.compile(r"^[ \t]*/\*(?:(?!\*/).)*\*/[ \t]*\n", re.DOTALL | re.MULTILINE)
_EMPTY = re.compile(r"\n{2,}")
_TYPES = {".js": "text/javascript", ".css": "text/css"}


def without_comments(text: str) -> str:
    """*text* without comments that begin a line; those behind code, such as casts, stay.

    No parser: a template literal with a line that begins like a comment would lose it.
    """
    return _LINE.sub("", _BLOCK.sub("", text))


def slim(text: str, suffix: str) -> str:
    """*text* of a module (``.js``) or a style sheet (``.css``) as browsers get it.

    A template literal or a string that goes over several lines would lose its indentation.
    """
    plain = without_comments(text) if suffix == ".js" else _STYLE_COMMENT.sub("", text)
    return _EMPTY.sub("\n", _INDENT.sub("", plain))


def send_slim(path: Path) -> Response:
    """The answer with a module or a style sheet, conditional as that of any file."""
    stat = path.stat()
    response = Response(_read(path, stat.st_mtime_ns), mimetype=_TYPES[path.suffix])
    response.last_modified = stat.st_mtime  # type: ignore[assignment]  # takes a timestamp too
    response.cache_control.no_cache = True
    response.add_etag()
    response.make_conditional(request)
    return response


@lru_cache(maxsize=512)
def _read(path: Path, changed_ns: int) -> bytes:  # noqa: ARG001  another file then
    return slim(path.read_text("utf-8"), path.suffix).encode()
