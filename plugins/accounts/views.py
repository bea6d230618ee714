"""What accounts shows to others."""

from typing import Self

from pydantic import BaseModel

from core import Me


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
