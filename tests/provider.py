"""An OpenID Connect provider for tests, on loopback: it asks nobody, and lets ``person`` in.

It is strict where a provider must be: a code works once, for the client and the redirect address it
was given for, and only with the verifier that its PKCE challenge came from.
"""

import secrets
import threading
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any, Self
from urllib.parse import urlencode

from flask import Flask, abort, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "coursewire", "the client's secret"
BACK = "https://courses.test/sign-in/provider/back"


@cache
def _first_key() -> RSAKey:
    """Making one takes long."""
    return RSAKey.generate_key(2048, {"kid": "first"})


@dataclass
class Provider:
    """``changes`` are made to each id_token before it is signed with ``key``."""

    person: dict[str, Any] = field(
        default_factory=lambda: {
            "sub": "person-1",
            "name": "Olive of the Provider",
            "email": "owner@example.test",
            "email_verified": True,
        }
    )
    changes: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=_first_key)
    published: RSAKey | None = None
    issuer: str = ""
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def new_key(self) -> None:
        """Sign with another key from now on, and publish it."""
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)})

    def _app(self) -> Flask:
        app = Flask("provider")
        app.before_request(lambda: self.asked.append(request.path))
        app.add_url_rule("/.well-known/openid-configuration", view_func=self._metadata)
        app.add_url_rule("/authorize", view_func=self._authorize)
        app.add_url_rule("/token", view_func=self._token, methods=["POST"])
        app.add_url_rule("/jwks", view_func=self._jwks)
        return app

    def _metadata(self) -> ResponseReturnValue:
        return jsonify(
            issuer=self.issuer,
            authorization_endpoint=f"{self.issuer}/authorize",
            token_endpoint=f"{self.issuer}/token",
            jwks_uri=f"{self.issuer}/jwks",
        )

    def _authorize(self) -> ResponseReturnValue:
        asked = request.args
        if (asked["client_id"], asked["redirect_uri"]) != (CLIENT, BACK):
            abort(400)
        if asked["code_challenge_method"] != "S256" or "openid" not in asked["scope"].split():
            abort(400)
        code = secrets.token_urlsafe(16)
        self._codes[code] = {"nonce": asked["nonce"], "challenge": asked["code_challenge"]}
        query = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        answer: Any = redirect(f"{BACK}?{query}")
        return answer  # type: ignore[no-any-return]

    def _token(self) -> ResponseReturnValue:
        known = self._codes.pop(request.form["code"], None)
        login = request.authorization
        if login is None or (login.username, login.password) != (CLIENT, SECRET):
            return jsonify(error="invalid_client"), 401
        digest = sha256(request.form["code_verifier"].encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        if known is None or challenge != known["challenge"] or request.form["redirect_uri"] != BACK:
            return jsonify(error="invalid_grant"), 400
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": known["nonce"],
            **self.person,
            **self.changes,
        }
        header = {"alg": "RS256", "kid": self.key.kid}
        token = jwt.encode(header, claims, self.key)
        return jsonify(access_token="unused", token_type="Bearer", id_token=token)

    def _jwks(self) -> ResponseReturnValue:
        return jsonify(KeySet([self.published or self.key]).as_dict(private=False))
