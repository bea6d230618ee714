"""``kill -9`` at each point of a write's way: what is committed is on every screen in the end."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.faults.ledger import Ledger, State
from tests.faults.site import Site, Writer, postgresql_copy, running, watched
from tests.servers import redis_server, sqlite_copy, wait_until

CHAPTER = 3

NOT_COMMITTED = "before the commit of the action"
COMMITTED = [
    "after the commit of the action",
    "before the action's publication",
    "after the action's publication",
    "before the deletion",
    "after the commit of the deletion",
]
SWEPT = [
    "after the commit of the claim",
    "after the sweeper's publication",
    "before the deletion",
]


@dataclass
class Doomed:
    """A site in which processes die where `kill_at` says, and its database."""

    site: Site
    database_url: str
    file: Path

    def kill_at(self, *points: str) -> None:
        """Let whoever reaches these points, one after the other, die there."""
        self.file.write_text("\n".join(points))

    @property
    def all_died(self) -> bool:
        """Whether every point was reached."""
        return not self.file.read_text()

    def ask(self, query: str) -> object:
        """One value out of the database."""
        url = self.database_url.replace("postgresql://", "postgresql+psycopg://")
        with create_engine(url, poolclass=NullPool).connect() as connection:
            return connection.execute(text(query)).scalar()

    @property
    def title(self) -> object:
        """What the chapter is called."""
        return self.ask(f"SELECT title FROM chapter WHERE id = {CHAPTER}")  # noqa: S608

    @property
    def owed(self) -> object:
        """How many rows the outbox holds."""
        return self.ask("SELECT count(*) FROM outbox_event")


@contextmanager
def doomed(folder: Path, database_url: str) -> Iterator[Doomed]:
    file = folder / "doom"
    file.touch()
    with (
        redis_server("valkey") as redis,
        running(
            folder, redis.url, database_url, app="tests.faults.doomed:app", DOOM=str(file)
        ) as site,
    ):
        yield Doomed(site, database_url, file)


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory, filled_sqlite: Path) -> Iterator[Doomed]:
    folder = tmp_path_factory.mktemp("doomed")
    with doomed(folder, sqlite_copy(filled_sqlite, folder)) as site:
        yield site


@pytest.fixture(scope="module")
def on_postgresql(
    tmp_path_factory: pytest.TempPathFactory, filled_postgresql: Path, postgresql_url: str
) -> Iterator[Doomed]:
    folder = tmp_path_factory.mktemp("doomed-postgresql")
    shutil.copytree(filled_postgresql, folder / "uploads")
    with postgresql_copy(postgresql_url) as url, doomed(folder, url) as site:
        yield site


def kill_and_judge(doomed: Doomed, ledger: Ledger, *points: str, committed: bool) -> None:
    """One write well; one whose process dies; one well again. Then the screens are judged."""
    # A row that was published by one who died before it was deleted is published again.
    ledger.repeated = 1
    with watched(doomed.site, ledger, 3), Writer(doomed.site, ledger, CHAPTER, 3600) as writer:
        assert writer.write() is not None
        before = str(doomed.title)

        doomed.kill_at(*points)
        assert writer.write() is None, "the process that should have answered is dead"

        last = ledger.commits[-1]
        assert doomed.title == (f"v{last.value}" if committed else before)
        ledger.end(last, State.COMMITTED if committed else State.REFUSED)
        wait_until(lambda: doomed.all_died, "death")
        wait_until(lambda: doomed.owed == 0, "empty outbox")
        wait_until(ledger.is_settled, "word of it on every screen")
        assert writer.write() is not None
    wait_until(lambda: len(doomed.site.server.workers) == 2, "worker in the place of the dead")


def test_what_is_not_committed_is_never_shown(on_sqlite: Doomed, ledger: Ledger) -> None:
    kill_and_judge(on_sqlite, ledger, NOT_COMMITTED, committed=False)


@pytest.mark.parametrize("point", COMMITTED)
def test_what_is_committed_is_shown_wherever_its_process_dies(
    on_sqlite: Doomed, ledger: Ledger, point: str
) -> None:
    kill_and_judge(on_sqlite, ledger, point, committed=True)


@pytest.mark.parametrize("point", SWEPT)
def test_what_is_committed_is_shown_wherever_the_sweeper_dies_too(
    on_sqlite: Doomed, ledger: Ledger, point: str
) -> None:
    kill_and_judge(on_sqlite, ledger, COMMITTED[0], point, committed=True)


@pytest.mark.postgres
@pytest.mark.parametrize("point", [NOT_COMMITTED, *COMMITTED[:3]])
def test_the_same_on_postgresql(on_postgresql: Doomed, ledger: Ledger, point: str) -> None:
    kill_and_judge(on_postgresql, ledger, point, committed=point != NOT_COMMITTED)
