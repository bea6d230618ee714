"""Floors: the stamp below which an answer is too old for the one who asks."""

from flask import Response, request

from core.current import current_runtime
from core.errors import BadRequest, InvalidStamp
from core.stamps import Stamp

COOKIE = "live_floor"
BYPASS = "bypass"
_COOKIE_AGE_S = 60


def floor_of_header() -> Stamp | None:
    """The ``Live-Floor`` of this request; raises `BadRequest` for a text that is no stamp."""
    header = request.headers.get("Live-Floor")
    if not header:
        return None
    try:
        return Stamp.parse(header)
    except InvalidStamp as error:
        raise BadRequest(str(error)) from None


def stamp_of_page() -> Stamp | None:
    """The stamp for the regions of this page, at or above what its reader did last.

    People cannot mend their cookies, so one that makes no sense asks for nothing.
    """
    runtime = current_runtime()
    try:
        return runtime.read_stamp(Stamp.parse(request.cookies.get(COOKIE, BYPASS)))
    except (InvalidStamp, BadRequest):
        return runtime.read_stamp()


def remember_floor(response: Response, stamp: Stamp | None) -> None:
    """Let the next page, on whatever worker, be at or above *stamp*; ``None`` asks the database."""
    value = str(stamp) if stamp is not None else BYPASS
    response.set_cookie(
        COOKIE,
        value,
        max_age=_COOKIE_AGE_S,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )
