"""Coursewire's core: real-time course authoring, and the plugin framework under it.

What a plugin author needs is here. Core never imports a plugin. Its modules, in the order a write
travels: ``actions`` → ``writes`` → ``transactions`` → ``outbox`` → ``relay`` → ``bus`` → ``hub`` →
``streams`` → ``web.live``; then the refetch: ``web.queries`` → ``reads`` → ``queries``.
"""

from core.access import Access, Me, current_me
from core.actions import Upload
from core.app import create_app
from core.cookies import read_cookie, set_cookie
from core.current import current_rates, current_settings, current_throttle
from core.database import Model, UtcDateTime, db, now, reading, writing
from core.errors import (
    BadRequest,
    Conflict,
    CoursewireError,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    SetupError,
    SignInNeeded,
    TooLarge,
    TooMany,
    Unavailable,
)
from core.events import Event
from core.guards import Guard, public, signed_in, staff_only
from core.languages import gettext, in_language, later, ngettext
from core.listeners import Origin
from core.offload import run_blocking
from core.plugin import Plugin
from core.queries import Query
from core.settings import Settings
from core.signing import signer
from core.staleness import Params
from core.throttle import Limit, Tries, network_of
from core.transactions import emit, say, transaction, undone_by
from core.web.pages import may_view, options_asked
from core.writes import check_access

__all__ = [
    "Access",
    "BadRequest",
    "Conflict",
    "CoursewireError",
    "Event",
    "Forbidden",
    "Guard",
    "Invalid",
    "Limit",
    "Me",
    "Model",
    "NotFound",
    "Origin",
    "Params",
    "Plugin",
    "Problem",
    "Query",
    "Settings",
    "SetupError",
    "SignInNeeded",
    "TooLarge",
    "TooMany",
    "Tries",
    "Unavailable",
    "Upload",
    "UtcDateTime",
    "check_access",
    "create_app",
    "current_me",
    "current_rates",
    "current_settings",
    "current_throttle",
    "db",
    "emit",
    "gettext",
    "in_language",
    "later",
    "may_view",
    "network_of",
    "ngettext",
    "now",
    "options_asked",
    "public",
    "read_cookie",
    "reading",
    "run_blocking",
    "say",
    "set_cookie",
    "signed_in",
    "signer",
    "staff_only",
    "transaction",
    "undone_by",
    "writing",
]
