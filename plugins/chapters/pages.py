"""The screens of chapters. They open in a dialog over the course, and stand alone without one."""

from collections.abc import Sequence

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from core import Access, NotFound, db, options_asked, reading
from core.languages import gettext as _
from plugins.chapters import plugin
from plugins.chapters.guards import chapter_access, link_access, panel_access, picker_access
from plugins.chapters.models import Chapter, ChapterMedia
from plugins.chapters.queries import chapters_list, chapters_picker
from plugins.chapters.views import ChapterView
from plugins.courses.guards import course_access
from plugins.media.models import Media
from plugins.media.public import IN_LIBRARY

MOST_LINKED = 200
"""As many as one action links."""


@plugin.page("/chapters/<int:chapter_id>/add-videos", guard=picker_access, needs=Access.EDIT)
def picker_page(chapter_id: int) -> ResponseReturnValue:
    """The library, to choose videos for a chapter from."""
    options = options_asked(chapters_picker)
    return render_template("chapters/picker_page.html", chapter_id=chapter_id, **options)


@plugin.page("/courses/<int:course_id>/link-videos", guard=panel_access, needs=Access.EDIT)
def link_page(course_id: int) -> ResponseReturnValue:
    """The chapters of a course, to link the videos to that ``media_ids`` name."""
    media_ids = request.args.getlist("media_ids", type=int)[:MOST_LINKED]
    with reading():
        chapters = chapters_list(course_id)
        titles = db.session.execute(
            select(Media.id, Media.title).where(Media.id.in_(media_ids), IN_LIBRARY)
        ).all()
    if not titles:
        raise NotFound(_("Choose at least one video of the library, then say where it goes."))
    return render_template(
        "chapters/link_page.html", course_id=course_id, chapters=chapters, videos=titles
    )


@plugin.page("/courses/<int:course_id>/actions", guard=course_access, needs=Access.EDIT)
def actions_page(course_id: int) -> ResponseReturnValue:
    """What can be done with the video that ``link_id`` names, or the chapter ``chapter_id``.

    Scripts open the same as a menu.
    """
    link_id = request.args.get("link_id", type=int)
    chapter_id = request.args.get("chapter_id", type=int)
    with reading():
        chapters = chapters_list(course_id)
    for chapter in chapters:
        video = next((each for each in chapter.videos if each.link_id == link_id), None)
        if video is None and chapter.id != chapter_id:
            continue
        order = [each.link_id for each in chapter.videos] if video else [c.id for c in chapters]
        up, down = _steps(order, video.link_id if video else chapter.id)
        return render_template(
            "chapters/actions_page.html",
            chapter=chapter,
            video=video,
            up=up,
            down=down,
            elsewhere=len(chapters) > 1,
        )
    raise NotFound("What this was about was removed meanwhile. Go back to the course.")


@plugin.page("/chapters/links/<int:link_id>/move", guard=link_access, needs=Access.EDIT)
def move_page(link_id: int) -> ResponseReturnValue:
    """The chapters of a course, to move a video to."""
    with reading():
        course_id = db.session.scalar(
            select(Chapter.course_id)
            .join(ChapterMedia, ChapterMedia.chapter_id == Chapter.id)
            .where(ChapterMedia.id == link_id)
        )
        chapters = [] if course_id is None else chapters_list(course_id)
    return _move_page(course_id, chapters, {link_id})


@plugin.page("/courses/<int:course_id>/move-videos", guard=course_access, needs=Access.EDIT)
def move_videos_page(course_id: int) -> ResponseReturnValue:
    """The chapters of a course, to move the videos to that ``link_ids`` name."""
    with reading():
        chapters = chapters_list(course_id)
    return _move_page(course_id, chapters, set(request.args.getlist("link_ids", type=int)))


@plugin.page("/chapters/<int:chapter_id>/move", guard=chapter_access, needs=Access.EDIT)
def move_chapter_page(chapter_id: int) -> ResponseReturnValue:
    """The places in a course where a chapter may go."""
    with reading():
        chapter = db.session.get(Chapter, chapter_id)
        chapters = [] if chapter is None else chapters_list(chapter.course_id)
    here = next((each for each in chapters if each.id == chapter_id), None)
    if here is None:
        raise NotFound(
            _("This chapter was removed meanwhile. Go back to the course and look again.")
        )
    return render_template("chapters/move_chapter_page.html", chapter=here, chapters=chapters)


def _steps(order: Sequence[int], moved: int) -> tuple[int | str | None, int | None]:
    """What *moved* follows when it goes one step up (“”: nothing), and one down; ``None``: it is at
    that end already.
    """
    at = order.index(moved)
    up = None if at == 0 else order[at - 2] if at > 1 else ""
    return up, order[at + 1] if at + 1 < len(order) else None


def _move_page(
    course_id: int | None, chapters: list[ChapterView], link_ids: set[int]
) -> ResponseReturnValue:
    homes = [
        (chapter, video)
        for chapter in chapters
        for video in chapter.videos
        if video.link_id in link_ids
    ]
    if not homes:
        raise NotFound(_("What was to be moved was unlinked meanwhile. Go back to the course."))
    here = homes[0][0] if len({chapter.id for chapter, _ in homes}) == 1 else None
    return render_template(
        "chapters/move_page.html",
        course_id=course_id,
        chapters=chapters,
        here=here,
        videos=[video for _, video in homes],
    )
