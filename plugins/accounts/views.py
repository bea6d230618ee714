"""What accounts shows to others, and what its actions accept."""

import re
from datetime import datetime
from typing import Annotated, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, StringConstraints

from core import Me
from plugins.accounts.devices import device_of
from plugins.accounts.models import AccountSession


def _one_line(text: object) -> object:
    return " ".join(_CONTROLS.sub(" ", text).split()) if isinstance(text, str) else text


_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Email: TypeAlias = Annotated[str, StringConstraints(max_length=254)]
Name: TypeAlias = Annotated[
    str, BeforeValidator(_one_line), StringConstraints(min_length=1, max_length=120)
]
Password: TypeAlias = Annotated[str, StringConstraints(max_length=1024, strip_whitespace=False)]


class AccountView(BaseModel):
    """A user, as that user sees themselves."""

    user_id: int
    name: str
    email: str
    staff: bool

    @classmethod
    def of(cls, me: Me) -> Self:
        """The view of *me*."""
        return cls(user_id=me.user_id, name=me.name, email=me.email, staff=me.staff)


class SessionView(BaseModel):
    """One of a user's sessions; ``device`` and ``address`` as of when it was seen last."""

    id: int
    device: str
    address: str
    began_at: datetime
    seen_at: datetime

    @classmethod
    def of(cls, session: AccountSession) -> Self:
        """The view of *session*."""
        return cls(
            id=session.id,
            device=device_of(session.agent),
            address=session.address or "",
            began_at=session.created_at,
            seen_at=session.seen_at or session.created_at,
        )
