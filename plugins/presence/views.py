"""What presence shows to others."""

from pydantic import BaseModel


class ChapterRef(BaseModel):
    """A chapter that somebody works in."""

    id: int
    title: str


class PersonView(BaseModel):
    """Somebody who has the course open, in one tab or several."""

    user_id: int
    name: str
    chapters: list[ChapterRef]
