"""What browsers get of our modules: the code, without the comments on lines of their own.

Half of a module explains it. No browser needs that, and there is no build step to take it out.
"""

import re
from functools import lru_cache
from pathlib import Path

from flask import Response, request

_BLOCK = re.compile(r"^[ \t]*/\*\*(?:(?!\*/).)*\*/[ \t]*\n", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"^[ \t]*//.*\n", re.MULTILINE)


def without_comments(text: str) -> str:
    """*text* without comments that begin a line; those behind code, such as casts, stay.

    No parser: a template literal with a line that begins like a comment would lose it.
    """
    return _LINE.sub("", _BLOCK.sub("", text))


def send_script(path: Path) -> Response:
    """The answer with a module, conditional as that of any file."""
    stat = path.stat()
    response = Response(_read(path, stat.st_mtime_ns), mimetype="text/javascript")
    response.last_modified = stat.st_mtime  # type: ignore[assignment]  # takes a timestamp too
    response.cache_control.no_cache = True
    response.add_etag()
    response.make_conditional(request)
    return response


@lru_cache(maxsize=512)
def _read(path: Path, changed_ns: int) -> bytes:  # noqa: ARG001  another file then
    return without_comments(path.read_text("utf-8")).encode()
