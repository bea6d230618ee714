"""Commands: ``flask media …``."""

import time

import click
from sqlalchemy import select

from core import db
from plugins.media import plugin, storage
from plugins.media.models import Media

_YOUNG_S = 24 * 3600


@plugin.cli.command("clean")
def clean() -> None:
    """Delete stored files that no video refers to, if older than a day."""
    removed = clean_files(older_than_s=_YOUNG_S)
    click.echo(f"{removed} {'file' if removed == 1 else 'files'} deleted.")


def clean_files(*, older_than_s: float) -> int:
    """Delete stored files without a row; returns how many.

    An upload's file is there before its row is committed, so young files are left alone.
    """
    files = [path for path in storage.stored_files() if _age_s(path.stat().st_mtime) > older_than_s]
    known = {
        key
        for row in db.session.execute(select(Media.storage_key, Media.poster_key))
        for key in row
    }
    orphans = [path for path in files if path.name not in known]
    for path in orphans:
        path.unlink(missing_ok=True)
    return len(orphans)


def _age_s(modified_at: float) -> float:
    return time.time() - modified_at
