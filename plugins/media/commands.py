"""Commands: ``flask media …``."""

import click
from sqlalchemy import select

from core import db, reading, transaction
from plugins.media import plugin
from plugins.media.models import Media, MediaUpload
from plugins.media.removal import empty_trash
from plugins.media.sessions import give_up_abandoned
from plugins.media.storage import current_storage

_YOUNG_S = 24 * 3600


@plugin.cli.command("clean")
def clean() -> None:
    """End abandoned uploads, empty the old trash, delete stored files that nothing refers to.

    Young files are spared: one is there before its row is.
    """
    with transaction():
        ended, emptied = give_up_abandoned(), empty_trash()
    removed = clean_files(older_than_s=_YOUNG_S)
    files = "1 file" if removed == 1 else f"{removed} files"
    click.echo(f"{files} deleted; {ended} uploads ended; {emptied} videos left the trash.")


def clean_files(*, older_than_s: float) -> int:
    """Delete stored files and parts without a row; returns how many.

    A file is there before its row is committed, so young ones are left alone.
    """
    with reading():
        keys = {
            key
            for row in db.session.execute(select(Media.storage_key, Media.poster_key))
            for key in row
            if key
        }
        open_uploads = MediaUpload.state.in_(("receiving", "checking"))
        keys |= set(
            db.session.scalars(
                select(MediaUpload.poster_key).where(MediaUpload.poster_key.is_not(None))
            )
        )
        handles = set(db.session.scalars(select(MediaUpload.handle).where(open_uploads)))
    return current_storage().clean(keys, handles, older_than_s)
