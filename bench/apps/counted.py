"""Coursewire that writes down what its workers ask of the database.

Each statement, and each run of the query that the storm is about, becomes one line of the file
named by ``BENCH_COUNTS``, which all workers share; answers say in ``Bench-Worker`` whose they are.
"""

import os
import re
from functools import wraps
from typing import Any

from flask import Response
from sqlalchemy import event
from sqlalchemy.engine import Engine

from core import create_app
from plugins.chapters.queries import chapters_list

_RUN = "run"

_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+([a-z_]+)")
_counts = os.open(os.environ["BENCH_COUNTS"], os.O_WRONLY | os.O_APPEND)


def _count(what: str) -> None:
    os.write(_counts, f"{what}\n".encode())


@event.listens_for(Engine, "before_cursor_execute")
def _statement(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
    verb, table = statement.split(None, 1)[0], _TABLE.search(statement)
    _count(f"{verb} {table[1]}" if table else verb)


def _counted(function: Any) -> Any:
    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        _count(_RUN)
        return function(*arguments, **named)

    return run


chapters_list.function = _counted(chapters_list.function)
app = create_app()


@app.after_request
def _say_whose(response: Response) -> Response:
    response.headers["Bench-Worker"] = str(os.getpid())
    return response
