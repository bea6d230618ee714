"""Reactions that hang or raise, in a real worker: they are ended, tried again, and delay nobody."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.faults.ledger import Ledger
from tests.faults.site import Writer, running, watched
from tests.servers import RedisServer, sqlite_copy, wait_until

POKES = 3


def test_a_reaction_that_hangs_is_ended_and_delays_nobody(
    tmp_path: Path, filled_sqlite: Path, own_redis: RedisServer, ledger: Ledger
) -> None:
    database_url, poked = sqlite_copy(filled_sqlite, tmp_path), tmp_path / "poked"
    poked.touch()

    def ran(what: str) -> set[str]:
        return {line for line in poked.read_text().splitlines() if line.startswith(what)}

    with (
        running(
            tmp_path,
            own_redis.url,
            database_url,
            app="tests.faults.hanging:app",
            POKED=str(poked),
            WEB_CONCURRENCY="1",
            COURSEWIRE_REACTION_TIMEOUT_S="3",
        ) as site,
        watched(site, ledger, 2),
        Writer(site, ledger, 3) as writer,
    ):
        for number in range(POKES):
            site.act("hanging/poke", number=number)
        wait_until(lambda: len(ran("note")) == POKES, "reactions beside the one that hangs")
        assert len(ran("hang")) < POKES, "they ran while it hung"
        wait_until(lambda: len(ran("hang")) == POKES, "turn of each that hangs")
        wait_until(lambda: len(errors(database_url)) == 2 * POKES, "word of each in its row")
        writer.close()
        assert writer.committed > POKES

    assert errors(database_url) == {
        *(("hanging.hang", n, "ReactionTooSlow: hanging.hang took longer than 3 s")
          for n in range(POKES)),
        *(("hanging.fail", n, f"RuntimeError: poked {n} times") for n in range(POKES)),
    }  # fmt: skip


def errors(database_url: str) -> set[tuple[str, int, str]]:
    """What stands in the rows of those that failed: reaction, number, error."""
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
        rows = connection.execute(
            "SELECT reaction, json_extract(payload, '$.number'), error FROM outbox_reaction "
            "WHERE error IS NOT NULL"
        )
        return {(str(row[0]), int(row[1]), str(row[2])) for row in rows}
