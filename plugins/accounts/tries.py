"""How often a password may be guessed, and why nobody can lock somebody else out.

A browser that has signed in to an account carries a signed cookie that says so. Its tries are
counted for itself. What others try counts against the account from one network, and, from all of
them together, against the account for strangers: an attacker with many addresses is stopped there,
and can keep out only browsers that this account has never been used on. (OWASP: "Slow Down Online
Guessing Attacks with Device Cookies".) A link to reset the password helps those.
"""

import secrets
from hashlib import sha256

from flask import Response, after_this_request, request
from itsdangerous import BadData

from core import (
    Limit,
    Tries,
    current_settings,
    current_throttle,
    network_of,
    read_cookie,
    set_cookie,
    signer,
)
from core.languages import gettext as _
from core.languages import later
from plugins.accounts.public import normal_email

DEVICE_COOKIE = "coursewire_device"

_DEVICE_DAYS = 365
_ACCOUNTS_KEPT = 8
_WORDS = later(
    "Too many wrong passwords. Wait a few minutes, then try again, or reset your password."
)


def count_try(email: str) -> Tries:
    """Count one try to sign in as *email*; raises `TooMany`. Whether the account exists is all one.

    ::

        known browser        own tries ─────────────── network
        any other browser    account and network ───── network ───── account, for strangers
    """
    settings = current_settings()
    account = normal_email(email)
    network = network_of(request.remote_addr or "")
    device = _known_device(account)
    whole = Limit("network", settings.sign_in_tries_per_address, 300)
    own = Limit("account", settings.sign_in_tries, 300)
    if device is not None:
        return current_throttle().take(_(_WORDS), (own, f"{account} {device}"), (whole, network))
    strangers = Limit("strangers", settings.sign_in_tries_per_account, 3600)
    return current_throttle().take(
        _(_WORDS), (own, f"{account} {network}"), (whole, network), (strangers, account)
    )


def remember_device(email: str) -> None:
    """Let the answer to this request say that this browser has signed in as *email*."""
    device, accounts = _device() or (secrets.token_urlsafe(12), [])
    name = _name(normal_email(email))
    kept = [name, *(other for other in accounts if other != name)][:_ACCOUNTS_KEPT]
    text = signer("device").dumps([device, kept])

    @after_this_request
    def set_it(response: Response) -> Response:
        return set_cookie(response, DEVICE_COOKIE, text, _DEVICE_DAYS * 86_400)


def _known_device(account: str) -> str | None:
    found = _device()
    return found[0] if found is not None and _name(account) in found[1] else None


def _device() -> tuple[str, list[str]] | None:
    try:
        device, accounts = signer("device").loads(
            read_cookie(DEVICE_COOKIE) or "", max_age=_DEVICE_DAYS * 86_400
        )
    except BadData:
        return None
    return device, accounts


def _name(account: str) -> str:
    """The cookie is signed and not sealed; it need not tell whose accounts they are."""
    return sha256(account.encode("utf-8", "surrogatepass")).hexdigest()[:16]
