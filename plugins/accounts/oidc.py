"""Signing in with an OpenID Connect provider: the authorization code flow, with PKCE and a nonce.

What the browser must bring back is in a signed cookie of its own, for ten minutes and one use::

    browser   /sign-in/provider ──► provider's pages ──► /sign-in/provider/back?code=…&state=…
    cookie    state, nonce, verifier ─────────────────────► state is compared
    server                                       code, verifier ──► provider ──► id_token: nonce

Somebody else's code is of no use here (state, PKCE), and ours is of no use to somebody else (PKCE).
This module and its libraries (the extra ``oidc``) are imported only where a provider is set. They
wait for the network, cooperatively; never inside a transaction.
"""

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from flask import Response, current_app, redirect, request
from itsdangerous import BadData
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from core import Problem, current_settings, read_cookie, set_cookie, signer
from core.languages import gettext as _

_COOKIE = "coursewire_provider"
_MINUTES = 10
_TIMEOUT_S = 10.0
_KNOWN_FOR_S = 3600.0
_CLOCKS_DIFFER_S = 60
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Those with a public key. With ``none``, or a secret for a key, anybody could sign."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

log = logging.getLogger("coursewire.accounts")


@dataclass(frozen=True)
class Claims:
    """Whom the provider means; ``email`` only where it says that they have proven it."""

    issuer: str
    subject: str
    name: str
    email: str | None


def begin(next_path: str) -> Response:
    """Send the browser to the provider; from there it comes back to `finish`."""
    state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
    address, _ = _client().create_authorization_url(
        _endpoint("authorization_endpoint"), state=state, nonce=nonce, code_verifier=verifier
    )
    text = str(signer("provider").dumps([state, nonce, verifier, next_path]))
    response: Any = redirect(address)
    return set_cookie(response, _COOKIE, text, _MINUTES * 60)


def finish() -> tuple[Claims, str]:
    """Who came back from the provider, and where they were going. Raises `Problem`."""
    state, nonce, verifier, next_path = _begun()
    if not compare_digest(request.args.get("state", "").encode(), state.encode()):
        raise failed(_("This sign-in did not begin in this browser."))
    if request.args.get("iss", current_settings().oidc_issuer) != current_settings().oidc_issuer:
        raise failed(_("The answer is not the provider's."))
    if "code" not in request.args:
        raise failed(_("The provider did not let you in."))
    try:
        token = _client().fetch_token(
            _endpoint("token_endpoint"),
            code=request.args["code"],
            code_verifier=verifier,
            timeout=_TIMEOUT_S,
        )
        return _verified(str(token["id_token"]), nonce), next_path
    except (AuthlibBaseError, JoseError, requests.RequestException, LookupError, ValueError) as why:
        log.warning("A sign-in with the provider failed: %s", type(why).__name__)
        raise failed(_("The provider's answer could not be verified.")) from None


def forget(response: Response) -> Response:
    """Let *response* take the cookie away: it was for one use."""
    return set_cookie(response, _COOKIE, "", 0)


def failed(why: str) -> Problem:
    """What a person is told when it did not work out."""
    problem = Problem(
        _("%(why)s Begin again, or sign in with a password.", why=why), title=_("Not signed in")
    )
    problem.status = 400
    return problem


def _begun() -> list[str]:
    try:
        found: list[str] = signer("provider").loads(
            read_cookie(_COOKIE) or "", max_age=_MINUTES * 60
        )
    except BadData:
        raise failed(_("This sign-in took too long, or did not begin in this browser.")) from None
    return found


def _verified(id_token: str, nonce: str) -> Claims:
    settings = current_settings()
    try:
        token = jwt.decode(id_token, _provider().keys, algorithms=_ALGORITHMS)
    except (JoseError, ValueError):
        _provider().forget()  # it may have new keys
        token = jwt.decode(id_token, _provider().keys, algorithms=_ALGORITHMS)
    options = {
        "iss": {"essential": True, "value": settings.oidc_issuer},
        "aud": {"essential": True, "value": settings.oidc_client_id},
    }
    claims = CodeIDToken(
        token.claims, token.header, options, {"nonce": nonce, "client_id": settings.oidc_client_id}
    )
    claims.validate(leeway=_CLOCKS_DIFFER_S)
    subject, email = str(claims["sub"]), claims.get("email")
    if not 0 < len(subject) <= 255:
        raise ValueError(subject)
    proven = claims.get("email_verified") is True and isinstance(email, str) and "@" in email
    name = str(claims.get("name") or email or "New member")[:120]
    return Claims(settings.oidc_issuer, subject, name, email if proven else None)


def _client() -> OAuth2Session:
    settings = current_settings()
    return OAuth2Session(
        settings.oidc_client_id,
        settings.oidc_client_secret or None,
        scope="openid email profile",
        redirect_uri=f"{settings.public_url.rstrip('/')}/sign-in/provider/back",
        code_challenge_method="S256",
        token_endpoint_auth_method="client_secret_basic" if settings.oidc_client_secret else "none",
    )


@dataclass
class _Provider:
    """What the provider says of itself, asked once an hour."""

    issuer: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    asked_at: float = -_KNOWN_FOR_S
    _keys: KeySet | None = None

    def about(self) -> Mapping[str, Any]:
        """Its metadata (OpenID Connect Discovery 1.0, section 4)."""
        if time.monotonic() - self.asked_at >= _KNOWN_FOR_S:
            address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
            metadata = _fetched(address)
            if metadata.get("issuer") != self.issuer:
                raise ValueError("The provider calls itself by another name.")
            self.metadata, self._keys, self.asked_at = metadata, None, time.monotonic()
        return self.metadata

    @property
    def keys(self) -> KeySet:
        """Its public keys."""
        if self._keys is None or time.monotonic() - self.asked_at >= _KNOWN_FOR_S:
            self._keys = KeySet.import_key_set(_fetched(str(self.about()["jwks_uri"])))  # type: ignore[arg-type]  # checked inside
        return self._keys

    def forget(self) -> None:
        """Ask anew, next time."""
        self.asked_at = -_KNOWN_FOR_S


def _provider() -> _Provider:
    issuer = current_settings().oidc_issuer
    provider: _Provider = current_app.extensions.setdefault(
        "coursewire_provider", _Provider(issuer)
    )
    return provider


def _endpoint(name: str) -> str:
    """The address that the provider gives for *name*. Raises `Problem` when it cannot be asked."""
    try:
        return _safe(str(_provider().about()[name]))
    except (requests.RequestException, LookupError, ValueError) as why:
        log.warning("The provider cannot be asked: %s", type(why).__name__)
        raise failed(_("The provider does not answer.")) from None


def _fetched(address: str) -> dict[str, Any]:
    answer = requests.get(_safe(address), timeout=_TIMEOUT_S, allow_redirects=False)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _safe(address: str) -> str:
    """*address*, where nobody in between can answer in its place."""
    parts = urlsplit(address)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise ValueError("The provider's address is not https.")
    return address
