"""Floors: the stamp below which an answer is too old for the one who asks.

A program sends its floor in a header. A browser that goes from page to page carries the stamp of
its last action in a short-lived cookie; ``bypass`` there means that the action is not published
yet, so that nothing remembered may answer.

The same is asked for a few seconds after an answer that may show what is not published yet: the
next one, of another worker, must not show less.

::

    worker A, cut off from Redis    commits ─ answers: shows it, ``bypass``
    worker B                                       asked next: ``bypass``, reads the database
    any sweeper                                                    publishes it within seconds
"""

from flask import Response, g, request

from core.cookies import read_cookie, set_cookie
from core.errors import BadRequest, InvalidStamp
from core.stamps import Stamp

COOKIE = "live_floor"
BYPASS = "bypass"
HEADER = "Live-Floor"
_COOKIE_AGE_S = 60
_AHEAD_S = 10


def floor_of_header() -> Stamp | None:
    """The floor in the header of this request; raises `BadRequest` for a text that is no stamp."""
    header = request.headers.get(HEADER)
    if header is None:
        return None
    try:
        return Stamp.parse(header)
    except InvalidStamp as error:
        raise BadRequest(str(error)) from None


def floor_of_cookie() -> Stamp | None:
    """The floor in the cookie. People cannot mend their cookies: one that is none asks nothing."""
    return _lenient(read_cookie(COOKIE))


def bypasses_memory() -> bool:
    """Whether nothing remembered may answer: what this browser did last is not published yet."""
    return read_cookie(COOKIE) == BYPASS


def floors_of_request() -> tuple[Stamp, ...] | None:
    """Both floors, as far as they are stamps; ``None`` when nothing remembered may answer.

    Each key and each guard of a request asks, so the request is read once.
    """
    if "coursewire_floors" not in g:
        found = (_lenient(request.headers.get(HEADER)), floor_of_cookie())
        floors = tuple(floor for floor in found if floor is not None)
        g.coursewire_floors = None if bypasses_memory() else floors
    known: tuple[Stamp, ...] | None = g.coursewire_floors
    return known


def allows_memory(heard: Stamp) -> bool:
    """Whether what a worker remembers, having *heard* so far, may answer this request."""
    floors = floors_of_request()
    return floors is not None and all(heard.reaches(floor) for floor in floors)


def remember_floor(response: Response, stamp: Stamp | None) -> None:
    """Let the next page, on whatever worker, be at or above *stamp*; ``None`` asks the database."""
    _set(response, str(stamp) if stamp is not None else BYPASS, _COOKIE_AGE_S)


def remember_that_it_is_ahead(response: Response) -> Response:
    """Let what this browser reads next show no less than *response* does."""
    _set(response, BYPASS, _AHEAD_S)
    return response


def _set(response: Response, value: str, age_s: int) -> None:
    set_cookie(response, COOKIE, value, age_s)


def _lenient(text: str | None) -> Stamp | None:
    try:
        return Stamp.parse(text) if text else None
    except InvalidStamp:
        return None
