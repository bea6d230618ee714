"""Who may see and change chapters: whoever may see and change their course.

The library, which knows no courses, learns here who its users are.
"""

from collections.abc import Iterable

from sqlalchemy import exists, select

from core import Access, Me, db
from plugins.accounts.events import AccountChanged
from plugins.chapters import plugin
from plugins.chapters.events import ChapterRemoved, MediaUnlinked
from plugins.chapters.models import Chapter, ChapterMedia
from plugins.courses.events import CourseRemoved, MemberChanged
from plugins.courses.guards import authoring, course_access, former_members
from plugins.courses.models import CourseMember
from plugins.courses.public import viewer_ids
from plugins.media.guards import library_access, media_access

_NO_COURSE = 0


@plugin.guard(stale_on=[MemberChanged, AccountChanged])
def chapter_access(me: Me, chapter_id: int) -> Access:
    """As in the chapter's course."""
    course_id = db.session.scalar(select(Chapter.course_id).where(Chapter.id == chapter_id))
    return _as_in_course(me, course_id)


@plugin.guard(stale_on=[MemberChanged, AccountChanged])
def link_access(me: Me, link_id: int) -> Access:
    """As in the course of the link's chapter."""
    course_id = db.session.scalar(
        select(Chapter.course_id)
        .join(ChapterMedia, ChapterMedia.chapter_id == Chapter.id)
        .where(ChapterMedia.id == link_id)
    )
    return _as_in_course(me, course_id)


@plugin.guard(stale_on=[MemberChanged, AccountChanged])
def picker_access(me: Me, chapter_id: int) -> Access:
    """Only who edits the chapter: the picker shows the whole library, which viewers may not see."""
    access = chapter_access(me, {"chapter_id": chapter_id})
    return access if access is Access.EDIT else Access.NONE


@plugin.guard(stale_on=[MemberChanged, AccountChanged])
def panel_access(me: Me, course_id: int) -> Access:
    """Only who edits the course, for the same reason."""
    access = course_access(me, {"course_id": course_id})
    return access if access is Access.EDIT else Access.NONE


@library_access.extend(plugin, stale_on=[MemberChanged, AccountChanged])
def library_of_authors(me: Me) -> Access:
    """Authors use the library."""
    return authoring(me, {})


@media_access.extend(plugin, stale_on=[MemberChanged, AccountChanged])
def media_of_courses(me: Me, media_id: int) -> Access:
    """Authors edit videos; viewers view what their courses link.

    A link that goes takes the viewers' access with it. One that comes is no event here: it would
    end the streams of everybody who learns from the course, for access that nobody had asked for.
    """
    seen_in_a_course = (
        exists()
        .where(CourseMember.user_id == me.user_id)
        .where(CourseMember.course_id == Chapter.course_id)
        .where(Chapter.id == ChapterMedia.chapter_id)
        .where(ChapterMedia.media_id == media_id)
    )
    if authoring(me, {}) is Access.EDIT:
        return Access.EDIT
    return Access.VIEW if db.session.scalar(select(seen_in_a_course)) else Access.NONE


def viewers_without(event: MediaUnlinked | ChapterRemoved) -> Iterable[int]:
    """Those who saw the videos in the course."""
    return viewer_ids(event.course_id)


media_of_courses.stale_on(MediaUnlinked)(viewers_without)
media_of_courses.stale_on(ChapterRemoved)(viewers_without)

for guard in (
    chapter_access,
    link_access,
    picker_access,
    panel_access,
    library_of_authors,
    media_of_courses,
):
    guard.stale_on(CourseRemoved)(former_members)


def _as_in_course(me: Me, course_id: int | None) -> Access:
    """What is not there is in no course, of which is asked all the same: one cannot tell by time
    whether it is there.
    """
    return course_access(me, {"course_id": course_id if course_id is not None else _NO_COURSE})
