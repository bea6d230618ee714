"""Three demonstration chapters, with the first videos of the library."""

from itertools import islice

from sqlalchemy import select

from core import db
from plugins.chapters import actions, links, plugin
from plugins.courses.demo import DEMO_TITLE
from plugins.courses.models import Course
from plugins.media.models import Media

_CHAPTERS = (("Light", 2), ("Lens and focus", 2), ("Composition", 1))
"""Titles, and how many videos each gets; the rest of the library is left to be linked."""


@plugin.demo
def demo_chapters() -> None:
    """The same actions that people use, in the transaction at hand."""
    course_id = db.session.scalars(select(Course.id).where(Course.title == DEMO_TITLE)).one()
    media_ids = iter(db.session.scalars(select(Media.id).order_by(Media.id)).all())
    for title, count in _CHAPTERS:
        chapter_id = actions.add(course_id, title).id
        if chosen := list(islice(media_ids, count)):
            links.link_media(chapter_id, chosen)
