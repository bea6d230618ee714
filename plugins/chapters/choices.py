"""The library, seen from a chapter or a course that videos are chosen for: one search for both."""

from typing import TypedDict

from sqlalchemy import Select

from core import db
from plugins.chapters.models import ChapterMedia
from plugins.chapters.views import ChoiceRow, Standing
from plugins.media.models import Media
from plugins.media.public import IN_LIBRARY, search_media
from plugins.media.views import Kind, Sort


class Choices(TypedDict):
    """What a `views.ChoicePage` shows."""

    rows: list[ChoiceRow]
    total: int
    page: int
    pages: int


def find_choices(
    here: Select[int], search: str, page: int, sort: Sort, use: Standing, kind: Kind
) -> Choices:
    """A page of the library; *here* selects the ids of the videos that stand here already."""
    among = [IN_LIBRARY]
    if use != "any":
        among.append(Media.id.in_(here) if use == "here" else Media.id.not_in(here))
    if kind != "any":
        among.append(Media.kind == kind)
    found = search_media(search, page, sort, among=among)
    ids = [media.id for media in found.rows]
    linked = set(db.session.scalars(here.where(ChapterMedia.media_id.in_(ids))))
    return Choices(
        rows=[ChoiceRow.of(media, linked=media.id in linked) for media in found.rows],
        total=found.total,
        page=found.page,
        pages=found.pages,
    )
