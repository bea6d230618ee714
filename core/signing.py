"""Texts that we give away and recognise when they come back: signed, each kind for itself."""

from itsdangerous import URLSafeTimedSerializer

from core.current import current_runtime


def signer(purpose: str) -> URLSafeTimedSerializer:
    """Signs with ``secret_key``; what was signed with one of ``secret_key_fallbacks`` holds too.

    What was signed for another *purpose* is no good.
    """
    settings = current_runtime().settings
    keys = [*reversed(settings.secret_key_fallbacks), settings.secret_key]
    return URLSafeTimedSerializer(keys, salt=f"coursewire.{purpose}")
