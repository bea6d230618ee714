"""Flask's session, a signed cookie: it carries the messages that the next page shows."""

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer

from core.cookies import cookie_name, cookies_are_secure


class CookieSessions(SecureCookieSessionInterface):
    """Flask's, of one app, with one signer instead of one for each request: they cost 30 µs."""

    def __init__(self) -> None:
        self._signer: URLSafeTimedSerializer | None = None

    def get_cookie_name(self, app: Flask) -> str:
        """Its name, as `core.cookies` has it for the request at hand."""
        return cookie_name(super().get_cookie_name(app))

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002  Flask's signature
        """Whether it is for https alone."""
        return cookies_are_secure()

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """The signer of the cookie; ``None`` without a secret key."""
        if self._signer is None:
            self._signer = super().get_signing_serializer(app)
        return self._signer
