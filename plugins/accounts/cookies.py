"""How the cookies of accounts are set."""

from flask import Response, request

from core import current_settings


def set_cookie(response: Response, name: str, value: str, max_age_s: int) -> Response:
    """Put the cookie on *response*: out of scripts' reach, and of other sites'."""
    response.set_cookie(
        name,
        value,
        max_age=max_age_s,
        httponly=True,
        samesite="Lax",
        secure=current_settings().secure_cookies == "always" or request.is_secure,
    )
    return response
