"""CPU-bound work in C, off the event loop."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gevent
from gevent import monkey

P = ParamSpec("P")
R = TypeVar("R")


def run_blocking(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run *function* in a native thread where gevent runs the worker, else here.

    For work that would stall every stream of the worker, such as hashing a password (scrypt lets
    go of the GIL). *function* must not use the database session or the request.
    """
    if not monkey.is_module_patched("threading"):
        return function(*args, **kwargs)
    result: R = gevent.get_hub().threadpool.apply(function, args, kwargs)
    return result
