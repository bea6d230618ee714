"""What courses shows to others, and what its actions accept."""

import re
from typing import Annotated, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, StringConstraints

from plugins.accounts.models import User
from plugins.courses.models import Course, CourseStatus, Role


def _one_line(text: object) -> object:
    return " ".join(_CONTROLS.sub(" ", text).split()) if isinstance(text, str) else text


def _lines(text: object) -> object:
    if not isinstance(text, str):
        return text
    return "\n".join(_CONTROLS.sub(" ", line) for line in text.splitlines())


_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


Title: TypeAlias = Annotated[
    str, BeforeValidator(_one_line), StringConstraints(min_length=1, max_length=200)
]
"""One line, without control characters."""
Description: TypeAlias = Annotated[
    str,
    BeforeValidator(_lines),
    StringConstraints(strip_whitespace=True, max_length=5000),
]
"""Several lines. Forms send other line ends than programs do; they are no difference."""


class CourseRow(BaseModel):
    """One course in a user's list; ``role`` is ``None`` for staff who are no members."""

    id: int
    title: str
    status: CourseStatus
    role: Role | None


class CourseFields(BaseModel):
    """The editable fields of a course, as an editor's form started from them."""

    title: Title
    description: Description
    status: CourseStatus

    @classmethod
    def of(cls, course: Course) -> Self:
        """The fields of *course*."""
        return cls(title=course.title, description=course.description, status=course.status)


class CourseView(BaseModel):
    """A course's own fields; other plugins add parts (chapters)."""

    id: int
    title: str
    description: str
    status: CourseStatus

    @classmethod
    def of(cls, course: Course) -> Self:
        """The view of *course*."""
        return cls(
            id=course.id, title=course.title, description=course.description, status=course.status
        )


class NewCourse(BaseModel):
    """A course just added, and where to go on with it."""

    id: int
    title: str
    url: str


class MemberView(BaseModel):
    """Somebody who works on a course, or learns from it; ``invited`` until they first sign in."""

    user_id: int
    name: str
    email: str
    role: Role
    invited: bool

    @classmethod
    def of(cls, user: User, role: Role) -> Self:
        """*user* as a member with *role*."""
        return cls(
            user_id=user.id, name=user.name, email=user.email, role=role, invited=user.invited
        )
