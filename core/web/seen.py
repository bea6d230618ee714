"""``POST /live/seen``: what browsers report of the writes that they were asked about.

Sent with ``navigator.sendBeacon``, also while a page goes away; nobody reads the answer.
"""

from typing import Annotated

from flask import Blueprint, Response, request
from pydantic import BaseModel, Field, StringConstraints, ValidationError

from core.access import current_me
from core.current import current_runtime
from core.errors import BadRequest, SignInNeeded, TooLarge
from core.sightings import Sighting, State

blueprint = Blueprint("coursewire_seen", __name__)

_MOST_BYTES = 16_384
_LONGEST_MS = 3_600_000

Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Milliseconds = Annotated[float, Field(ge=0, le=_LONGEST_MS)]


class Seen(BaseModel):
    """One write on one screen; further members, for people to read, are passed over.

    ``painted_ms`` is from the arrival of the frame to the paint, ``age_ms`` what the frame said.
    """

    trace: Name
    state: State
    age_ms: Milliseconds = 0
    painted_ms: Milliseconds = 0


class Report(BaseModel):
    """What a browser sends; ``stream`` is the name that its ``hello`` gave it."""

    stream: Name
    seen: Annotated[list[Seen], Field(max_length=200)]


@blueprint.post("/live/seen")
def take() -> Response:
    """Note it, here or in the worker that has the stream; what nobody knows is no error."""
    if current_me() is None:
        raise SignInNeeded("Sign in to report what you see.")
    if (request.content_length or 0) > _MOST_BYTES:
        raise TooLarge(f"A report takes at most {_MOST_BYTES} bytes.")
    try:
        report = Report.model_validate_json(request.get_data())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"This is no report: {place or 'body'}: {first['msg']}.") from None
    sightings = [
        Sighting(each.trace, each.state, (each.age_ms + each.painted_ms) / 1000)
        for each in report.seen
    ]
    heard = current_runtime().hub.sightings
    if sightings and not heard.seen(report.stream, sightings):
        heard.forward(report.stream, sightings)
    return Response(status=204)
