"""What open pages say by themselves, every few seconds and as they close.

It is no action: nobody does anything. So it is no use of a session either, and nothing for a log of
who did what.
"""

from typing import Annotated

from flask import request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from core import (
    BadRequest,
    Limit,
    NotFound,
    SignInNeeded,
    TooLarge,
    current_me,
    current_rates,
    may_view,
)
from core import gettext as _
from plugins.presence import people, plugin
from plugins.presence.queries import presence_people

_MOST_BYTES = 1_000
_OFTEN = Limit("presence", 120, 60)

Id = Annotated[int, Field(ge=1, le=2**53)]


class Said(BaseModel):
    """A tab that has a course open, and the chapter that is worked in there; or that it closes."""

    model_config = ConfigDict(extra="forbid")

    course_id: Id
    tab: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,40}$")]
    chapter_id: Id | None = None
    leaves: bool = False


@plugin.post("/presence/here")
def hear() -> ResponseReturnValue:
    """Note who is there; sent with ``fetch``, and with ``sendBeacon`` while a page goes away."""
    me = current_me()
    if me is None:
        raise SignInNeeded(_("Sign in to be seen by others."))
    current_rates().count(
        _OFTEN,
        str(me.user_id),
        _("This page says too often that it is open. It is believed again in a minute."),
    )
    said = _said()
    if not may_view(presence_people, said.course_id):
        raise NotFound(_("This course is gone, or you may not edit it."))
    if said.leaves:
        people.gone(me, said.course_id, said.tab)
    else:
        people.here(me, said.course_id, said.tab, said.chapter_id)
    return "", 204


def _said() -> Said:
    request.max_content_length = _MOST_BYTES
    if (request.content_length or 0) > _MOST_BYTES:
        raise TooLarge(f"This takes at most {_MOST_BYTES} bytes.")
    try:
        return Said.model_validate_json(request.get_data())
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise BadRequest(f"Check {place or 'the body'}: {error.errors()[0]['msg']}.") from None
