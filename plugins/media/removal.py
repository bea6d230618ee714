"""How a video leaves the library: into the trash, and for good; never while it is used."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

from flask import current_app
from pydantic import BaseModel, Field
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from core import Conflict, NotFound, Settings, db, emit, now, say, undone_by
from core.languages import gettext as _
from core.languages import ngettext
from core.reads import run_query
from plugins.media import plugin
from plugins.media.events import MediaRemoved, MediaRestored, MediaTrashed
from plugins.media.guards import library_access, media_access
from plugins.media.models import Media, MediaUpload
from plugins.media.queries import media_usage
from plugins.media.sessions import ended

MediaIds = Annotated[list[int], Field(min_length=1, max_length=200)]


class RemovalOutcome(BaseModel):
    """What became of one of the videos that were to go into the trash."""

    media_file_id: int
    status: Literal["trashed", "in_use", "not_found"]
    title: str | None


@plugin.action(guard=media_access)
def remove(media_id: int) -> None:
    """Put a video into the trash, unless it is used; it can be restored for a while."""
    media = locked_media(media_id, against_use=True)
    if _uses_of(media_id):
        raise _still_used(media_id, media.title)
    _trash(media)
    undone_by(restore, media_id=media_id)
    say(_("“%(title)s” was moved to the trash.", title=media.title))


@plugin.action(guard=library_access)
def remove_several(media_ids: MediaIds) -> list[RemovalOutcome]:
    """Put videos into the trash; those that are used stay, and are told."""
    rows = db.session.scalars(
        select(Media).where(Media.id.in_(media_ids)).order_by(Media.id).with_for_update()
    )
    found = {media.id: media for media in rows}
    outcomes = [_outcome(media_id, found.get(media_id)) for media_id in dict.fromkeys(media_ids)]
    if gone := [each.media_file_id for each in outcomes if each.status == "trashed"]:
        undone_by(restore_several, media_ids=gone)
    say(_told(outcomes))
    return outcomes


@plugin.action(guard=media_access)
def restore(media_id: int) -> None:
    """Take a video out of the trash again."""
    media = locked_media(media_id)
    _restore(media)
    undone_by(remove, media_id=media_id)
    say(_("“%(title)s” is back in the library.", title=media.title))


@plugin.action(guard=library_access)
def restore_several(media_ids: MediaIds) -> int:
    """Take videos out of the trash again; returns how many are back."""
    rows = db.session.scalars(
        select(Media)
        .where(Media.id.in_(media_ids), Media.trashed_at.is_not(None))
        .order_by(Media.id)
        .with_for_update(key_share=True)
    ).all()
    for media in rows:
        _restore(media)
    if rows:
        undone_by(remove_several, media_ids=[media.id for media in rows])
    say(
        ngettext(
            "%(num)s video is back in the library.",
            "%(num)s videos are back in the library.",
            len(rows),
        )
    )
    return len(rows)


@plugin.action(guard=media_access)
def delete_for_good(media_id: int) -> None:
    """Delete a video that is in the trash, with its file; nobody can bring it back."""
    media = locked_media(media_id)
    title = media.title
    if media.trashed_at is None:
        raise Conflict(
            _(
                "“%(title)s” is not in the trash, so it was not deleted. Move it there first.",
                title=title,
            ),
            title=_("Not in the trash"),
        )
    discard_media(media)
    say(_("“%(title)s” and its file were deleted.", title=title))


def locked_media(media_id: int, *, against_use: bool = False) -> Media:
    """The video, locked until the commit; raises `NotFound`.

    *against_use* also waits for whoever is just linking it, by whatever statement, and keeps others
    from it: a foreign key takes a lock of the row that only this one excludes.
    """
    media = db.session.scalar(
        select(Media).where(Media.id == media_id).with_for_update(key_share=not against_use)
    )
    if media is None:
        raise NotFound(_("This video was removed from the library meanwhile. Nothing was changed."))
    return media


def discard_media(media: Media) -> None:
    """Delete the row, which is locked; the files follow. Raises `Conflict` when it is used."""
    media_id, title = media.id, media.title
    keys = [key for key in (media.storage_key, media.poster_key) if key]
    for upload in db.session.scalars(select(MediaUpload).where(MediaUpload.media_id == media_id)):
        ended(upload)
    db.session.flush()
    db.session.expunge(media)
    try:
        with db.session.begin_nested():
            db.session.execute(delete(MediaUpload).where(MediaUpload.media_id == media_id))
            db.session.execute(delete(Media).where(Media.id == media_id))
    except IntegrityError:
        raise _still_used(media_id, title) from None
    db.session.expire_all()
    emit(MediaRemoved(media_id=media_id, storage_keys=keys))


def empty_trash() -> int:
    """Delete what lies in the trash for longer than ``trash_days``, in the transaction at hand;
    returns how many.
    """
    settings: Settings = current_app.config["COURSEWIRE"]
    limit = now() - timedelta(days=settings.trash_days)
    old = db.session.scalars(
        select(Media).where(Media.trashed_at < limit).with_for_update(skip_locked=True)
    ).all()
    for media in old:
        discard_media(media)
    return len(old)


def _trash(media: Media) -> None:
    if media.trashed_at is None:
        media.trashed_at = now()
        emit(MediaTrashed(media_id=media.id))


def _restore(media: Media) -> None:
    if media.trashed_at is not None:
        media.trashed_at = None
        emit(MediaRestored(media_id=media.id))


def _outcome(media_id: int, media: Media | None) -> RemovalOutcome:
    if media is None:
        return RemovalOutcome(media_file_id=media_id, status="not_found", title=None)
    if media.use_count and _uses_of(media_id):
        return RemovalOutcome(media_file_id=media_id, status="in_use", title=media.title)
    _trash(media)
    return RemovalOutcome(media_file_id=media_id, status="trashed", title=media.title)


def _told(outcomes: Sequence[RemovalOutcome]) -> str:
    trashed = sum(outcome.status == "trashed" for outcome in outcomes)
    used = sum(outcome.status == "in_use" for outcome in outcomes)
    told = [
        ngettext(
            "%(num)s video was moved to the trash.",
            "%(num)s videos were moved to the trash.",
            trashed,
        )
    ]
    if used:
        told.append(
            ngettext(
                "%(num)s video is used and stayed.", "%(num)s videos are used and stayed.", used
            )
        )
    return " ".join(told)


def _uses_of(media_id: int) -> list[object]:
    """Where a video is used, as those who use it say; its row is locked, so no use can come."""
    _result, parts = run_query(media_usage.key(media_id), None)
    return [use.model_dump(mode="json") for part in parts.values() for use in part]


def _still_used(media_id: int, title: str) -> Conflict:
    uses = _uses_of(media_id)
    return Conflict(
        ngettext(
            "“%(title)s” is used in %(num)s place, so it was not removed. Take it out there first.",
            "“%(title)s” is used in %(num)s places, so it was not removed. Take it out there "
            "first.",
            len(uses),
            title=title,
        ),
        title=_("Still in use"),
        uses=uses,
    )
