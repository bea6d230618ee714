"""The runtime of the app at hand, for modules that the runtime itself is made of."""

from typing import TYPE_CHECKING

from flask import current_app

if TYPE_CHECKING:
    from core.runtime import Runtime

EXTENSION = "coursewire"


def current_runtime() -> "Runtime":
    """The runtime of the app at hand."""
    runtime: Runtime = current_app.extensions[EXTENSION]
    return runtime
