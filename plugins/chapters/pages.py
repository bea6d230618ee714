"""The screens of chapters. Both open in a dialog over the course, and stand alone without one."""

from flask import render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from core import Access, NotFound, db, options_asked, reading
from plugins.chapters import plugin
from plugins.chapters.guards import link_access, picker_access
from plugins.chapters.models import Chapter, ChapterMedia
from plugins.chapters.queries import chapters_list, chapters_picker
from plugins.chapters.views import ChapterView, LinkedVideo


@plugin.page("/chapters/<int:chapter_id>/add-videos", guard=picker_access, needs=Access.EDIT)
def picker_page(chapter_id: int) -> ResponseReturnValue:
    """The library, to choose videos for a chapter from."""
    options = options_asked(chapters_picker)
    return render_template("chapters/picker_page.html", chapter_id=chapter_id, **options)


@plugin.page("/chapters/links/<int:link_id>/move", guard=link_access, needs=Access.EDIT)
def move_page(link_id: int) -> ResponseReturnValue:
    """The chapters of a course, to move a video to."""
    with reading():
        chapters = _chapters_around(link_id)
    here, video = _place(chapters, link_id)
    return render_template("chapters/move_page.html", chapters=chapters, here=here, video=video)


def _chapters_around(link_id: int) -> list[ChapterView]:
    course_id = db.session.scalar(
        select(Chapter.course_id)
        .join(ChapterMedia, ChapterMedia.chapter_id == Chapter.id)
        .where(ChapterMedia.id == link_id)
    )
    return [] if course_id is None else chapters_list(course_id)


def _place(chapters: list[ChapterView], link_id: int) -> tuple[ChapterView, LinkedVideo]:
    for chapter in chapters:
        for video in chapter.videos:
            if video.link_id == link_id:
                return chapter, video
    raise NotFound("This video was unlinked meanwhile. Go back to the course and look again.")
