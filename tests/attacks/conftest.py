"""What the attacks share: the world that they are made on."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.world import World, world_of
from tests.conftest import settings_for


@pytest.fixture(scope="module")
def shared_world(
    tmp_path_factory: pytest.TempPathFactory, filled_sqlite: Path, valkey: str
) -> Iterator[World]:
    """One world for the tests of a module."""
    folder = tmp_path_factory.mktemp("world") / "var"
    shutil.copytree(filled_sqlite, folder)
    settings = settings_for(f"sqlite:///{folder / 'db.sqlite3'}", valkey, folder)
    with world_of(settings, folder) as world:
        yield world


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """The same for each test, as if no other had written."""
    yield shared_world
    shared_world.restore()
