"""The runtime of the app at hand, for modules that the runtime itself is made of."""

from typing import TYPE_CHECKING

from flask import current_app

if TYPE_CHECKING:
    from core.rates import Rates
    from core.runtime import Runtime
    from core.settings import Settings
    from core.throttle import Throttle

EXTENSION = "coursewire"


def current_runtime() -> "Runtime":
    """The runtime of the app at hand."""
    runtime: Runtime = current_app.extensions[EXTENSION]
    return runtime


def current_settings() -> "Settings":
    """The settings of the app at hand."""
    return current_runtime().settings


def current_throttle() -> "Throttle":
    """How often something may be tried in the app at hand; ask it outside of transactions."""
    return current_runtime().throttle


def current_rates() -> "Rates":
    """How often something may be asked of this worker; counted in its own memory."""
    return current_runtime().rates
