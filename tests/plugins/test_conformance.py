"""Every first-party plugin conforms: whatever its actions change for anybody, an event names."""

import importlib

import pytest
from sqlalchemy import select

from core import Plugin, db
from core.testing import Client, Site, conforms
from plugins.media.models import Media, MediaUpload

ROLES = ("owner", "editor", "viewer")


@pytest.fixture
def people(site: Site) -> list[Client]:
    clients = [site.client() for _ in ROLES]
    for client, role in zip(clients, ROLES, strict=True):
        client.act("accounts/sign-in", email=f"{role}@example.test", password="demo")
    return clients


VALUES = {
    "email": lambda: [f"{role}@example.test" for role in ROLES],
    "url": lambda: ["https://video.test/a.mp4", "https://video.test/b.webm"],
    "media_id": lambda: db.session.scalars(
        select(Media.id).where(Media.trashed_at.is_not(None) | Media.captions.any())
    ).all(),
    "language": lambda: ["en", "es"],
    "upload_id": lambda: db.session.scalars(select(MediaUpload.id)).all(),
}
NEEDS_FILES = {"complete_upload"}
"""What is refused each time, since what is made up has no files: tests/plugins/test_uploads.py."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["courses", "media", "chapters"])
def test_it_conforms(site: Site, people: list[Client], name: str) -> None:
    plugin: Plugin = importlib.import_module(f"plugins.{name}").plugin
    for client in people[:2]:  # some videos lie in the trash, some files are on their way
        video = client.act("media/add-url", title="Old", url="https://video.test/old.mp4")
        client.act("media/remove", media_id=video["media_file_id"])
        client.act("media/start-upload", name="new.mp4", size_bytes=10_000)

    done = conforms(site, plugin, people, values=VALUES, examples=25)

    never = {action for action, times in done.items() if not times}
    assert never <= NEEDS_FILES, f"refused each time: {done}"
