"""What can be done to many videos of a course at once, and what takes such a thing back.

Each is one transaction: all of it happens, or nothing. A video that somebody else took out of its
chapter meanwhile is left out, and the message counts only what was done.
"""

from collections import defaultdict
from typing import Annotated, TypeAlias

from pydantic import Field
from sqlalchemy import delete, select, update

from core import Conflict, Invalid, NotFound, db, emit, say, undone_by
from core.languages import gettext as _
from core.languages import ngettext
from plugins.chapters import plugin
from plugins.chapters.events import MediaLinked, MediaUnlinked
from plugins.chapters.models import Chapter, ChapterMedia
from plugins.chapters.positions import (
    link_order,
    placed_at,
    placed_before,
    without,
    write_positions,
)
from plugins.chapters.rows import emit_moved, insert_links
from plugins.chapters.views import LinkPlace, LostLink
from plugins.courses.guards import course_access
from plugins.courses.public import lock_course
from plugins.media.public import count_use, lock_media

LinkIds: TypeAlias = Annotated[list[int], Field(min_length=1, max_length=200)]


@plugin.action(guard=course_access)
def unlink_several(course_id: int, link_ids: LinkIds) -> list[int]:
    """Take videos out of their chapters; they stay in the library. Returns those that were."""
    lock_course(course_id)
    links = _links(course_id, link_ids, _("Nothing was unlinked."))
    lost = [
        LostLink(chapter_id=link.chapter_id, media_id=link.media_id, position=link.position)
        for link in links
    ]
    for chapter_id, gone in _by_chapter(links).items():
        before = link_order(chapter_id)
        ids, media_ids = [link.id for link in gone], [link.media_id for link in gone]
        db.session.execute(delete(ChapterMedia).where(ChapterMedia.id.in_(ids)))
        write_positions(ChapterMedia, before, without(before, *ids))
        emit(
            MediaUnlinked(
                course_id=course_id, chapter_id=chapter_id, link_ids=ids, media_ids=media_ids
            )
        )
    _count([link.media_id for link in lost], -1)
    undone_by(relink, course_id=course_id, links=lost)
    say(
        ngettext(
            "%(num)s video unlinked. They are still in the library.",
            "%(num)s videos unlinked. They are still in the library.",
            len(lost),
        )
    )
    return [link.id for link in links]


@plugin.action(guard=course_access)
def move_several(
    course_id: int, link_ids: LinkIds, chapter_id: int, before_link_id: int | None = None
) -> list[LinkPlace]:
    """Put videos into a chapter, in this order: right in front of another one, or at the end.

    One that stands in that chapter a second time stays where it is.
    """
    lock_course(course_id)
    target = _chapter(course_id, chapter_id)
    links = _links(course_id, link_ids, _("Nothing was moved."))
    moving = [link for link in links if not _is_double(link, target)]
    if not moving:
        raise Conflict(
            _(
                "“%(title)s” has what was to be moved there already. Nothing was moved.",
                title=target.title,
            ),
            title=_("Already there"),
        )
    was = [
        LinkPlace(link_id=link.id, chapter_id=link.chapter_id, position=link.position)
        for link in moving
    ]
    ids = [link.id for link in moving]
    order = link_order(chapter_id)
    try:
        after = placed_before(order, ids, before_link_id)
    except ValueError:
        raise Conflict(
            _(
                "The video in front of which this was to stand is not in “%(title)s” any more. "
                "Nothing was moved. Look at the order as it is now, and try again.",
                title=target.title,
            )
        ) from None
    if after != order:
        _move(moving, target)
        write_positions(ChapterMedia, order, after)
        _tell_moved(was, {place.link_id: chapter_id for place in was}, course_id)
        undone_by(put_back, course_id=course_id, places=was)
    stay = len(links) - len(moving)
    say(_told_of_move(len(moving), stay, target.title))
    return [
        LinkPlace(link_id=link_id, chapter_id=chapter_id, position=after.index(link_id))
        for link_id in ids
    ]


@plugin.action(guard=course_access)
def put_back(
    course_id: int, places: Annotated[list[LinkPlace], Field(min_length=1, max_length=200)]
) -> list[LinkPlace]:
    """Put videos where they stood; in a chapter that is shorter now, at its end."""
    lock_course(course_id)
    wanted = {place.link_id: place for place in places}
    chapters = {
        id_: _chapter(course_id, id_) for id_ in {place.chapter_id for place in wanted.values()}
    }
    links = [
        link
        for link in _links(course_id, list(wanted), _("Nothing was moved."))
        if not _is_double(link, chapters[wanted[link.id].chapter_id])
    ]
    if not links:
        raise Conflict(
            _("The videos stand there already. Nothing was moved."), title=_("Already there")
        )
    was = [
        LinkPlace(link_id=link.id, chapter_id=link.chapter_id, position=link.position)
        for link in links
    ]
    for chapter_id, chapter in chapters.items():
        coming = [link for link in links if wanted[link.id].chapter_id == chapter_id]
        order = link_order(chapter_id)
        _move(coming, chapter)
        positions = {link.id: wanted[link.id].position for link in coming}
        write_positions(ChapterMedia, order, placed_at(order, positions))
    _tell_moved(was, {id_: place.chapter_id for id_, place in wanted.items()}, course_id)
    undone_by(put_back, course_id=course_id, places=was)
    say(ngettext("%(num)s video moved back.", "%(num)s videos moved back.", len(links)))
    return [wanted[link.id] for link in links]


@plugin.action(guard=course_access)
def relink(
    course_id: int, links: Annotated[list[LostLink], Field(min_length=1, max_length=200)]
) -> list[int]:
    """Link videos where they stood before they were unlinked; the links are new ones.

    What is linked there again meanwhile, or has left the library, is left out. Returns the ids.
    """
    lock_course(course_id)
    in_library = lock_media({link.media_id for link in links})
    wanted: dict[int, dict[int, int]] = defaultdict(dict)
    for link in links:
        if link.media_id in in_library:
            wanted[link.chapter_id][link.media_id] = link.position
    linked: list[int] = []
    media_ids: list[int] = []
    for chapter_id, positions in wanted.items():
        _chapter(course_id, chapter_id)
        new = _relink(chapter_id, positions)
        if new:
            linked += new.values()
            media_ids += new
            emit(MediaLinked(course_id=course_id, chapter_id=chapter_id, media_ids=list(new)))
    if not linked:
        raise Conflict(_("There was nothing to link again. Nothing was changed."))
    _count(media_ids, 1)
    undone_by(unlink_several, course_id=course_id, link_ids=linked)
    say(ngettext("%(num)s video linked again.", "%(num)s videos linked again.", len(linked)))
    return linked


def _relink(chapter_id: int, positions: dict[int, int]) -> dict[int, int]:
    there = set(
        db.session.scalars(
            select(ChapterMedia.media_id).where(ChapterMedia.chapter_id == chapter_id)
        )
    )
    missing = [media_id for media_id in positions if media_id not in there]
    order = link_order(chapter_id)
    new = insert_links(chapter_id, missing, len(order))
    now = [*order, *(new[media_id] for media_id in missing)]
    places = {new[media_id]: positions[media_id] for media_id in missing}
    write_positions(ChapterMedia, now, placed_at(now, places))
    return new


def _links(course_id: int, link_ids: list[int], undone: str) -> list[ChapterMedia]:
    """Those of the links that stand in the course, in this order; raises `NotFound` for none."""
    found = {
        link.id: link
        for link in db.session.scalars(
            select(ChapterMedia)
            .join(Chapter, Chapter.id == ChapterMedia.chapter_id)
            .where(ChapterMedia.id.in_(link_ids), Chapter.course_id == course_id)
            .execution_options(populate_existing=True)
        )
    }
    if not found:
        raise NotFound(
            _("These videos were taken out of their chapters meanwhile. %(undone)s", undone=undone)
        )
    return [found[link_id] for link_id in dict.fromkeys(link_ids) if link_id in found]


def _chapter(course_id: int, chapter_id: int) -> Chapter:
    chapter = db.session.get(Chapter, chapter_id, populate_existing=True)
    if chapter is None or chapter.course_id != course_id:
        raise Invalid(
            _("That chapter is not in this course, or was removed meanwhile. Nothing was changed."),
            errors={"chapter_id": _("Choose a chapter of the same course.")},
        )
    return chapter


def _is_double(link: ChapterMedia, target: Chapter) -> bool:
    """Whether the chapter has this video by another link."""
    if link.chapter_id == target.id:
        return False
    there = select(ChapterMedia.id).where(
        ChapterMedia.chapter_id == target.id, ChapterMedia.media_id == link.media_id
    )
    return db.session.scalar(there) is not None


def _move(links: list[ChapterMedia], target: Chapter) -> None:
    """Into the chapter, and out of those they stood in, which close up."""
    leaving = [link for link in links if link.chapter_id != target.id]
    orders = {id_: link_order(id_) for id_ in _by_chapter(leaving)}
    db.session.execute(
        update(ChapterMedia)
        .where(ChapterMedia.id.in_([link.id for link in leaving]))
        .values(chapter_id=target.id)
        .execution_options(synchronize_session=False)
    )
    for order in orders.values():
        write_positions(ChapterMedia, order, without(order, *(link.id for link in leaving)))
    for link in leaving:
        db.session.expire(link)


def _tell_moved(was: list[LinkPlace], to: dict[int, int], course_id: int) -> None:
    """One event for each pair of chapters."""
    pairs: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place in was:
        pairs[place.chapter_id, to[place.link_id]].append(place.link_id)
    for (source, target), link_ids in pairs.items():
        emit_moved(_chapter(course_id, source), _chapter(course_id, target), link_ids)


def _by_chapter(links: list[ChapterMedia]) -> dict[int, list[ChapterMedia]]:
    chapters: dict[int, list[ChapterMedia]] = defaultdict(list)
    for link in links:
        chapters[link.chapter_id].append(link)
    return chapters


def _count(media_ids: list[int], each: int) -> None:
    """A video may have stood in several of the chapters."""
    count_use({media_id: each * media_ids.count(media_id) for media_id in media_ids})


def _told_of_move(moved: int, stayed: int, title: str) -> str:
    told = [
        ngettext(
            "%(num)s video moved to “%(title)s”.",
            "%(num)s videos moved to “%(title)s”.",
            moved,
            title=title,
        )
    ]
    if stayed:
        told.append(
            ngettext(
                "%(num)s video stayed: “%(title)s” has it already.",
                "%(num)s videos stayed: “%(title)s” has them already.",
                stayed,
                title=title,
            )
        )
    return " ".join(told)
