"""A minute of chaos: what ``make chaos`` does for five."""

import pytest

from tests.chaos.__main__ import tell
from tests.chaos.run import Run, perform

pytestmark = [pytest.mark.serve, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("database", "duration_s"),
    [("sqlite", 60.0), pytest.param("postgresql", 30.0, marks=pytest.mark.postgres)],
)
def test_nothing_is_lost_or_shown_backwards_whatever_dies(
    database: str, duration_s: float, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(
        seed=20_261_122,
        duration_s=duration_s,
        database="postgresql" if database == "postgresql" else "sqlite",
        browsers=150,
    )

    outcome = perform(run)

    tell(outcome)
    told = capsys.readouterr().out
    verdict = outcome.verdict
    assert outcome.writes["done"] > 30, outcome.line
    assert sum(outcome.faults.values()) > 8, outcome.line
    assert len(verdict.fresh_s) > 100, outcome.line
    assert (verdict.lost, verdict.went_back, verdict.torn, verdict.doubled) == (0, 0, 0, 0), told
    assert outcome.owed == 0, outcome.line
