"""Floors: the stamp below which an answer is too old for the one who asks.

A program sends its floor in a header. A browser that goes from page to page carries the stamp of
its last action in a short-lived cookie; ``bypass`` there means that the action is not published
yet, so that nothing remembered may answer.
"""

from flask import Response, request

from core.errors import BadRequest, InvalidStamp
from core.stamps import Stamp

COOKIE = "live_floor"
BYPASS = "bypass"
HEADER = "Live-Floor"
_COOKIE_AGE_S = 60


def floor_of_header() -> Stamp | None:
    """The floor in the header of this request; raises `BadRequest` for a text that is no stamp."""
    header = request.headers.get(HEADER)
    if not header:
        return None
    try:
        return Stamp.parse(header)
    except InvalidStamp as error:
        raise BadRequest(str(error)) from None


def floor_of_cookie() -> Stamp | None:
    """The floor in the cookie. People cannot mend their cookies: one that is none asks nothing."""
    return _lenient(request.cookies.get(COOKIE))


def bypasses_memory() -> bool:
    """Whether nothing remembered may answer: what this browser did last is not published yet."""
    return request.cookies.get(COOKIE) == BYPASS


def floors_of_request() -> list[Stamp]:
    """Both floors of this request, as far as they are stamps."""
    found = (_lenient(request.headers.get(HEADER)), floor_of_cookie())
    return [floor for floor in found if floor is not None]


def remember_floor(response: Response, stamp: Stamp | None) -> None:
    """Let the next page, on whatever worker, be at or above *stamp*; ``None`` asks the database."""
    response.set_cookie(
        COOKIE,
        str(stamp) if stamp is not None else BYPASS,
        max_age=_COOKIE_AGE_S,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )


def _lenient(text: str | None) -> Stamp | None:
    try:
        return Stamp.parse(text or "")
    except InvalidStamp:
        return None
