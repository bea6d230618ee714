"""What can be done to the videos of a chapter. A link keeps its id wherever it moves."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field
from sqlalchemy import delete, exists, select, update

from core import Conflict, Invalid, db, emit, say, undone_by
from core.languages import gettext as _
from core.languages import ngettext
from plugins.chapters import plugin
from plugins.chapters.events import MediaLinked, MediaUnlinked
from plugins.chapters.guards import chapter_access, link_access
from plugins.chapters.locks import lock_chapter, lock_link
from plugins.chapters.models import Chapter, ChapterMedia
from plugins.chapters.positions import (
    link_order,
    placed,
    placed_before,
    without,
    write_positions,
)
from plugins.chapters.rows import emit_moved, insert_links
from plugins.chapters.several import put_back, relink, unlink_several
from plugins.chapters.views import LinkOutcome, LinkPlace, LostLink
from plugins.media.models import Media
from plugins.media.public import count_use, lock_media


@plugin.action(guard=chapter_access)
def link_media(
    chapter_id: int,
    media_ids: Annotated[list[int], Field(min_length=1, max_length=200)],
    before_link_id: int | None = None,
) -> list[LinkOutcome]:
    """Link videos to a chapter, in this order: right in front of another one, or at the end.

    One that is there already, or not in the library any more, is an outcome and not an error.
    When the one that they were to precede is gone, they stand at the end.
    """
    chapter = lock_chapter(chapter_id, _("Nothing was linked."))
    wanted = list(dict.fromkeys(media_ids))
    titles = lock_media(wanted)
    existing = _links_of(chapter_id)
    new = [media_id for media_id in wanted if media_id in titles and media_id not in existing]
    order = link_order(chapter_id)
    inserted = insert_links(chapter_id, new, len(existing))
    links = existing | inserted
    if new:
        _place(order, [inserted[media_id] for media_id in new], before_link_id)
        count_use(dict.fromkeys(new, 1))
        emit(MediaLinked(course_id=chapter.course_id, chapter_id=chapter_id, media_ids=new))
        undone_by(unlink_several, course_id=chapter.course_id, link_ids=list(inserted.values()))
    outcomes = [_outcome(media_id, titles, links, set(new)) for media_id in wanted]
    say(_told(outcomes, chapter.title))
    return outcomes


@plugin.action(guard=link_access)
def unlink(link_id: int) -> None:
    """Take a video out of a chapter; it stays in the library."""
    link, chapter = lock_link(link_id, _("Nothing was changed."))
    media_id, position, title = link.media_id, link.position, _title_of(link)
    before = link_order(chapter.id)
    db.session.execute(delete(ChapterMedia).where(ChapterMedia.id == link_id))
    write_positions(ChapterMedia, before, without(before, link_id))
    count_use({media_id: -1})
    emit(
        MediaUnlinked(
            course_id=chapter.course_id,
            chapter_id=chapter.id,
            link_ids=[link_id],
            media_ids=[media_id],
        )
    )
    lost = LostLink(chapter_id=chapter.id, media_id=media_id, position=position)
    undone_by(relink, course_id=chapter.course_id, links=[lost])
    say(
        _(
            "“%(title)s” was taken out of “%(chapter)s”. It is still in the library.",
            title=title,
            chapter=chapter.title,
        )
    )


@plugin.action(guard=link_access)
def move_media(link_id: int, chapter_id: int, after_link_id: int | None) -> LinkPlace:
    """Put a video right behind another one, or first, in its chapter or another of the course."""
    link, source = lock_link(link_id, _("Nothing was moved."))
    target = source if chapter_id == source.id else _other_chapter(link, source, chapter_id)
    was = LinkPlace(link_id=link_id, chapter_id=source.id, position=link.position)
    before = link_order(target.id)
    try:
        after = placed(before, link_id, after_link_id)
    except ValueError:
        raise Conflict(
            _(
                "The video that “%(title)s” was to follow is not in “%(chapter)s” any more. "
                "Nothing was moved. Look at the order as it is now, and try again.",
                title=_title_of(link),
                chapter=target.title,
            )
        ) from None
    if target is not source:
        _leave(link, source, target)
    if after != before:
        write_positions(ChapterMedia, before, after)
        emit_moved(source, target, [link_id])
        undone_by(put_back, course_id=source.course_id, places=[was])
    say(_("“%(title)s” was moved.", title=_title_of(link)))
    return LinkPlace(link_id=link_id, chapter_id=target.id, position=after.index(link_id))


@plugin.action(guard=chapter_access)
def reorder_media(
    chapter_id: int, link_ids: Annotated[list[int], Field(min_length=1)]
) -> list[int]:
    """Put all videos of a chapter in this order; it must name each link once."""
    chapter = lock_chapter(chapter_id, _("Nothing was moved."))
    before = link_order(chapter_id)
    if sorted(link_ids) != sorted(before):
        raise Conflict(
            _(
                "The videos of “%(title)s” are not the ones that were to be put in order: "
                "somebody added or removed one meanwhile. Nothing was moved. Look at the order "
                "as it is now, and try again.",
                title=chapter.title,
            ),
            link_ids=before,
        )
    if link_ids != before:
        write_positions(ChapterMedia, before, link_ids)
        emit_moved(chapter, chapter, link_ids)
    say(_("The videos of “%(title)s” are in their new order.", title=chapter.title))
    return link_ids


def _links_of(chapter_id: int) -> dict[int, int]:
    """The ids of a chapter's links, by media id."""
    rows = db.session.execute(
        select(ChapterMedia.media_id, ChapterMedia.id).where(ChapterMedia.chapter_id == chapter_id)
    )
    return {row.media_id: row.id for row in rows}


def _place(order: list[int], new: list[int], before_link_id: int | None) -> None:
    before = before_link_id if before_link_id in order else None
    now = [*order, *new]
    write_positions(ChapterMedia, now, placed_before(now, new, before))


def _outcome(
    media_id: int, titles: Mapping[int, str], links: Mapping[int, int], new: set[int]
) -> LinkOutcome:
    if media_id not in titles:
        return LinkOutcome(media_file_id=media_id, status="not_found", link_id=None, title=None)
    return LinkOutcome(
        media_file_id=media_id,
        status="linked" if media_id in new else "already_linked",
        link_id=links[media_id],
        title=titles[media_id],
    )


def _told(outcomes: Sequence[LinkOutcome], chapter_title: str) -> str:
    """One sentence for each kind of outcome."""
    counts = Counter(outcome.status for outcome in outcomes)
    linked, already, lost = counts["linked"], counts["already_linked"], counts["not_found"]
    told = []
    if linked:
        told.append(
            ngettext(
                "%(num)s video added to “%(title)s”.",
                "%(num)s videos added to “%(title)s”.",
                linked,
                title=chapter_title,
            )
        )
    if already:
        told.append(
            ngettext(
                "%(num)s video is in “%(title)s” already.",
                "%(num)s videos are in “%(title)s” already.",
                already,
                title=chapter_title,
            )
        )
    if lost:
        told.append(
            ngettext(
                "%(num)s video is not in the library any more.",
                "%(num)s videos are not in the library any more.",
                lost,
            )
        )
    if not linked:
        told.append(_("Nothing was added."))
    return " ".join(told)


def _title_of(link: ChapterMedia) -> str:
    return db.session.scalars(select(Media.title).where(Media.id == link.media_id)).one()


def _other_chapter(link: ChapterMedia, source: Chapter, chapter_id: int) -> Chapter:
    """The chapter to move to; raises `Invalid` and `Conflict`."""
    target = db.session.get(Chapter, chapter_id, populate_existing=True)
    if target is None or target.course_id != source.course_id:
        raise Invalid(
            _("That chapter is not in this course, or was removed meanwhile. Nothing was moved."),
            errors={"chapter_id": _("Choose a chapter of the same course.")},
        )
    there = exists().where(
        ChapterMedia.chapter_id == chapter_id, ChapterMedia.media_id == link.media_id
    )
    if db.session.scalar(select(there)):
        raise Conflict(
            _(
                "“%(title)s” is in “%(chapter)s” already. Nothing was moved. Take it out of "
                "“%(source)s” if once is enough.",
                title=_title_of(link),
                chapter=target.title,
                source=source.title,
            ),
            title=_("Already there"),
        )
    return target


def _leave(link: ChapterMedia, source: Chapter, target: Chapter) -> None:
    left = link_order(source.id)
    db.session.execute(
        update(ChapterMedia).where(ChapterMedia.id == link.id).values(chapter_id=target.id)
    )
    write_positions(ChapterMedia, left, without(left, link.id))
