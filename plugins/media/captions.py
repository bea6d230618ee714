"""Captions: one WebVTT file for each language of a video, at an address of ours."""

import hashlib
from typing import Annotated, TypeAlias

from flask import Response
from flask.typing import ResponseReturnValue
from pydantic import StringConstraints
from sqlalchemy import select

from core import Invalid, NotFound, Upload, db, emit, say
from core.languages import gettext as _
from plugins.media import plugin
from plugins.media.delivery import HEADERS
from plugins.media.events import MediaChanged
from plugins.media.guards import media_access
from plugins.media.languages import TAG, language_name
from plugins.media.models import Caption, Media
from plugins.media.removal import locked_media
from plugins.media.views import MediaDetail
from plugins.media.webvtt import MAX_BYTES, Captions, read_captions

Language: TypeAlias = Annotated[str, StringConstraints(pattern=TAG, max_length=35)]


@plugin.action(guard=media_access)
def add_captions(media_id: int, language: Language, file: Upload) -> MediaDetail:
    """Give a video captions in a language, in place of those that it has in it.

    None are its default until somebody says so: players show those that the browser prefers.
    """
    media, captions = locked_media(media_id), _read(file)
    found = _in_language(media, language)
    if found is None:
        found = Caption(language=language, is_default=False)
        media.captions.append(found)
    found.content, found.cues = captions.text, captions.cues
    found.sha256 = hashlib.sha256(captions.text.encode()).hexdigest()
    return _changed(
        media,
        _(
            "“%(title)s” has captions in %(language)s.",
            title=media.title,
            language=language_name(language),
        ),
    )


@plugin.action(guard=media_access)
def remove_captions(media_id: int, language: Language) -> MediaDetail:
    """Take the captions in a language away."""
    media = locked_media(media_id)
    db.session.delete(_existing(media, language))
    return _changed(
        media, _("The captions in %(language)s were removed.", language=language_name(language))
    )


@plugin.action(guard=media_access)
def choose_captions(media_id: int, language: Language | None) -> MediaDetail:
    """Show everybody the captions in a language, unless they choose others; ``None`` shows each
    those in the language that their browser prefers.
    """
    media = locked_media(media_id)
    chosen = _existing(media, language) if language is not None else None
    for caption in media.captions:
        caption.is_default = caption is chosen
    if language is None:
        return _changed(media, _("Everybody is shown captions in their own language."))
    return _changed(
        media,
        _(
            "Everybody is shown the captions in %(language)s.",
            language=language_name(language),
        ),
    )


@plugin.page("/media/<int:media_id>/captions/<language>", guard=media_access)
def captions_file(media_id: int, language: str) -> ResponseReturnValue:
    """Captions as the browser's player reads them: always text, never a page."""
    content = db.session.scalar(
        select(Caption.content).where(Caption.media_id == media_id, Caption.language == language)
    )
    if content is None:
        raise NotFound(
            _("This video has no captions in this language. They may have been removed.")
        )
    response = Response(content, content_type="text/vtt; charset=utf-8")
    response.headers.update(HEADERS)
    return response


def _read(file: Upload) -> Captions:
    try:
        return read_captions(file.stream.read(MAX_BYTES + 1))
    except ValueError as error:
        raise Invalid(
            _("%(error)s Nothing was saved.", error=error), errors={"file": str(error)}
        ) from None


def _in_language(media: Media, language: str) -> Caption | None:
    return next((each for each in media.captions if each.language == language), None)


def _existing(media: Media, language: str) -> Caption:
    found = _in_language(media, language)
    if found is None:
        raise NotFound(
            _(
                "This video has no captions in %(language)s any more. Nothing was changed.",
                language=language_name(language),
            )
        )
    return found


def _changed(media: Media, told: str) -> MediaDetail:
    db.session.flush()
    db.session.expire(media, ["captions"])
    emit(MediaChanged(media_id=media.id))
    say(told)
    return MediaDetail.of(media)
