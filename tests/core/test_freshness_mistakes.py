"""Every line of the table of mistakes in docs/freshness.md, proven."""

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, text

from core import SetupError, create_app, db
from core.database import writing
from core.freshness.findings import Finding
from tests.conftest import dispose, settings_for
from tests.core import planted
from tests.core.conftest import runtime_of
from tests.core.planted import MISTAKES, Bed, Mistake
from tests.servers import ROOT, wait_until

TABLE = ROOT / "docs" / "freshness.md"

Plant = Callable[[Mistake, str], tuple[Flask, Bed]]


def of(*caught: str) -> Any:
    found = [mistake for mistake in MISTAKES if mistake.caught in caught]
    return pytest.mark.parametrize("mistake", found, ids=lambda m: m.plant.__name__)


@pytest.fixture
def plant(sqlite_url: str, valkey: str, tmp_path: Path) -> Iterator[Plant]:
    """Starts a worker with a mistake planted in it, over two rooms with a box each."""
    made: list[Flask] = []

    def start(mistake: Mistake, mode: str) -> tuple[Flask, Bed]:
        bed = Bed()
        mistake.plant(bed)
        settings = settings_for(sqlite_url, valkey, tmp_path).model_copy(
            update={"plugins": (), "freshness": mode, "heartbeat_s": 0.1, "sweep_s": 0.1}
        )
        app = create_app(settings, [bed.plugin])
        made.append(app)
        fill(app)
        runtime_of(app).start()
        wait_until(lambda: runtime_of(app).hub.settled, "hub")
        return app, bed

    yield start
    for app in made:
        runtime_of(app).stop()
        dispose(app)


def fill(app: Flask) -> None:
    rooms = [planted.ROOM, planted.OTHER_ROOM]
    with app.app_context():
        planted.metadata.create_all(db.engine)
        with writing() as session:
            for statement in planted.EXTRAS:
                session.execute(text(statement))
            session.execute(insert(planted.room), [{"id": number} for number in rooms])
            boxes = [{"room_id": n, "label": f"box {n}", "owner_id": planted.ME} for n in rooms]
            session.execute(insert(planted.box), boxes)
            session.execute(
                insert(planted.member), {"room_id": planted.ROOM, "user_id": planted.ME}
            )


def tell(app: Flask, bed: Bed) -> tuple[bytes, bytes]:
    """Look, make the mistake, and look again; what was shown."""
    client = client_of(app)
    before = client.get(f"/q/{bed.shows}", follow_redirects=True)
    assert before.status_code == 200, before.text
    if bed.act is not None:
        answer = client.post(f"/a/{bed.act}", json=bed.arguments)
        assert answer.status_code == 200, answer.text
    if bed.visit is not None:
        assert client.get(bed.visit).status_code == 200
    return before.data, client.get(f"/q/{bed.shows}", follow_redirects=True).data


def client_of(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.set_cookie("user", str(planted.ME))
    return client


def findings_of(app: Flask) -> list[Finding]:
    return list(runtime_of(app).freshness.findings)


@of("at start")
def test_it_is_caught_at_start(mistake: Mistake) -> None:
    bed = Bed()
    mistake.plant(bed)

    with pytest.raises(SetupError) as caught:
        create_app(
            settings_for("sqlite://", "", Path()).model_copy(update={"plugins": ()}), [bed.plugin]
        )

    assert mistake.told in str(caught.value)


@of("at the first run")
def test_it_is_caught_at_the_first_run(
    plant: Plant, mistake: Mistake, caplog: pytest.LogCaptureFixture
) -> None:
    app, bed = plant(mistake, "off")
    client = client_of(app)

    answers = [client.get(f"/q/{bed.shows}"), client.post(f"/a/{bed.act}", json=bed.arguments)]

    assert 500 in [answer.status_code for answer in answers]
    assert mistake.told in caplog.text.lower() + caplog.text


@of("strict and heal", "strict")
def test_it_is_caught_in_strict_mode(plant: Plant, mistake: Mistake) -> None:
    app, bed = plant(mistake, "strict")

    tell(app, bed)
    wait_until(lambda: findings_of(app), "finding")
    assert runtime_of(app).freshness.wait(20)

    (found,) = findings_of(app)
    assert mistake.told in str(found)
    assert found.plugin == "planted"


@of("strict and heal")
def test_it_is_healed_in_production(
    plant: Plant, mistake: Mistake, caplog: pytest.LogCaptureFixture
) -> None:
    app, bed = plant(mistake, "heal")
    guard = runtime_of(app).freshness

    with caplog.at_level(logging.WARNING, "coursewire.freshness"):
        before, _ = tell(app, bed)
        wait_until(lambda: guard.report().healed, "healing")
    (key,) = {found.key for found in findings_of(app)}
    wait_until(lambda: guard.waste.cause_of(key) == "healed", "notice that heals")

    after = client_of(app).get(f"/q/{bed.shows}", follow_redirects=True)
    assert after.data != before
    assert mistake.told in caplog.text


@of("not")
def test_it_is_not_caught(plant: Plant, mistake: Mistake) -> None:
    app, bed = plant(mistake, "strict")

    before, after = tell(app, bed)

    assert runtime_of(app).freshness.wait(20)
    assert (findings_of(app), after) == ([], before)


def test_the_page_has_a_line_for_every_mistake() -> None:
    rows = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", TABLE.read_text("utf-8"), re.MULTILINE)

    assert [row for row in rows if row[0] in {m.name for m in MISTAKES}] == [
        (mistake.name, mistake.caught) for mistake in MISTAKES
    ]
    assert len(MISTAKES) - sum(mistake.caught == "not" for mistake in MISTAKES) >= 18
