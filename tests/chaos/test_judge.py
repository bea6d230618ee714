"""The judge catches what it is there for: violations planted in small logs."""

import json
from collections.abc import Sequence

import pytest

from tests.chaos.faults import KINDS, plan
from tests.chaos.history import GONE, Happening, Write
from tests.chaos.judge import Judge, Verdict, Watcher
from tests.chaos.sights import Sight, look

KEY = "chapters:list:3"
OLD, NEW, NEWEST = "v0", "v1", "v2"


def body(*chapters: tuple[str, str], links: Sequence[int] = ()) -> bytes:
    return json.dumps(
        [
            {"title": f"c3_{name}.{value}", "videos": [{"link_id": link} for link in links]}
            for name, value in chapters
        ],
        separators=(",", ":"),
    ).encode()


BODIES = {value: body(("1", value)) for value in (OLD, NEW, NEWEST)}
BODIES["without"] = body()
BODIES["twice"] = body(("1", NEW), ("1", NEW))
BODIES["torn"] = body(("1", OLD), ("1", NEW))
BODIES["linked"] = body(("1", OLD), links=[81])


def write(number: int, value: str | None, begun: float, **more: object) -> Write:
    given: dict[str, object] = {"effects": {"c3_1": value}, "outcome": "done", **more}
    return Write(
        number,
        "chapters/rename",
        f"key {number}",
        1000,
        begun,
        answered=begun + 0.1,
        trace=f"trace {number}",
        **given,  # type: ignore[arg-type]  # the fields of a write
    )


WRITES = [write(1, NEW, 10.0), write(2, NEWEST, 20.0)]


def shown(at: float, digest: str, cause: str = "chapter-renamed", trace: str = "") -> Happening:
    return Happening(at, "shown", KEY, "", cause, trace, digest)


def same(at: float, cause: str, trace: str) -> Happening:
    return Happening(at, "same", KEY, "", cause, trace, "")


def judged(
    happenings: Sequence[Happening],
    *,
    truth: str = NEWEST,
    stands: str = NEWEST,
    writes: Sequence[Write] = WRITES,
) -> Verdict:
    sights: dict[tuple[str, str, str], Sight] = {
        (KEY, "json", digest): look(KEY, "json", text) for digest, text in BODIES.items()
    }
    judge = Judge(writes, {"c3_1": OLD}, sights)
    judge.watch(Watcher("ada", {KEY: "json"}, happenings), {KEY: truth})
    judge.truth([look(KEY, "json", BODIES[stands])])
    return judge.verdict


def test_a_browser_that_follows_every_write_is_never_accused() -> None:
    verdict = judged([shown(1, OLD), shown(10.5, NEW), shown(20.6, NEWEST)])

    assert verdict.stories == []
    assert [round(s, 3) for s in verdict.fresh_s] == [0.4, 0.5]
    assert verdict.freshness == {"2s": 1.0, "10s": 1.0}


def test_what_was_put_there_and_taken_away_between_two_reads_counts_as_shown_by_the_second() -> (
    None
):
    writes = [write(1, NEW, 10.0), write(2, OLD, 11.0)]

    verdict = judged(
        [shown(1, OLD), same(12.0, "chapter-renamed", "trace 2")],
        truth=OLD,
        stands=OLD,
        writes=writes,
    )

    assert (verdict.never_fresh, verdict.stories) == (0, [])
    assert [round(s, 3) for s in verdict.fresh_s] == [1.9, 0.9]


def test_a_browser_that_skips_a_value_is_not_accused() -> None:
    verdict = judged([shown(1, OLD), shown(20.6, NEWEST)])

    assert verdict.stories == []


def test_a_browser_that_dropped_the_last_notice_has_lost_a_write() -> None:
    verdict = judged([shown(1, OLD), shown(10.5, NEW)])

    assert (verdict.lost, verdict.went_back, verdict.never_fresh) == (1, 0, 1)
    assert verdict.stories[0].startswith(
        "LOST: browser ada shows chapters:list:3 as v1, and should as v2"
    )


def test_a_browser_that_applies_an_older_answer_went_back_even_if_it_recovers() -> None:
    verdict = judged([shown(1, OLD), shown(20.5, NEWEST), shown(20.6, NEW), shown(21, NEWEST)])

    assert (verdict.lost, verdict.went_back) == (0, 1)
    assert "WENT BACK: browser ada, chapters:list:3, c3_1 = v1 at 20.600" in verdict.stories[0]
    assert "write 2 chapters/rename (c3_1 = v2)" in verdict.stories[0]


def test_a_value_shown_before_anybody_began_to_write_it_is_a_violation() -> None:
    verdict = judged([shown(1, OLD), shown(9.0, NEW), shown(20.5, NEWEST)])

    assert verdict.went_back == 1


def test_a_chapter_that_vanishes_though_nobody_removed_it_went_back() -> None:
    verdict = judged([shown(1, OLD), shown(11, "without"), shown(20.5, NEWEST)])

    assert verdict.went_back == 1


def test_a_removed_chapter_that_is_seen_again_went_back() -> None:
    writes = [*WRITES, write(3, None, 30.0)]
    happenings = [
        shown(20.5, NEWEST),
        shown(31, "without"),
        shown(32, NEWEST),
        shown(33, "without"),
    ]

    verdict = judged(happenings, truth="without", stands="without", writes=writes)

    assert verdict.went_back == 1


def test_an_acknowledged_write_that_the_database_does_not_hold_is_lost() -> None:
    verdict = judged([shown(1, OLD), shown(10.5, NEW)], truth=NEW, stands=NEW)

    assert verdict.lost == 1
    assert verdict.stories[0].startswith("LOST by the database: c3_1 is v1, and should be v2")


def test_a_write_that_nobody_answered_may_stand_there_or_not() -> None:
    writes = [WRITES[0], write(2, NEWEST, 20.0, outcome="unknown")]

    for last in (NEW, NEWEST):
        happenings = [shown(10.5, NEW), *([shown(21, NEWEST)] if last == NEWEST else [])]
        verdict = judged(happenings, truth=last, stands=last, writes=writes)

        assert verdict.stories == []


def test_a_link_whose_id_nobody_was_told_is_no_violation() -> None:
    writes = [write(1, "", 5.0, outcome="unknown", effects={"l3_?": "there"})]

    happenings = [shown(1, OLD), shown(6, "linked")]
    verdict = judged(happenings, truth="linked", stands="linked", writes=writes)

    assert verdict.stories == []


def test_a_refused_write_counts_as_never_made() -> None:
    writes = [WRITES[0], write(2, NEWEST, 20.0, outcome="refused")]

    verdict = judged([shown(1, OLD), shown(10.5, NEW)], truth=NEW, stands=NEW, writes=writes)

    assert verdict.stories == []


def test_a_body_of_two_moments_is_torn_and_a_repeated_chapter_doubled() -> None:
    torn = judged([shown(10.5, "torn")], truth="torn")
    doubled = judged([shown(10.5, NEW)], truth=NEW, stands="twice", writes=WRITES[:1])

    assert (torn.torn, doubled.doubled) == (1, 1)


def test_a_page_that_should_be_gone_and_is_not_counts_as_lost() -> None:
    verdict = judged([shown(20.5, NEWEST)], truth=GONE)

    assert verdict.lost == 1


def test_refetches_that_change_nothing_are_extra_unless_something_explains_them() -> None:
    happenings = [
        shown(10.5, NEW, trace="trace 1"),
        same(10.6, "chapter-renamed", "trace 1"),  # published twice
        same(10.7, "reset", ""),
        shown(20.4, NEWEST, "reset"),
        same(20.5, "chapter-renamed", "trace 2"),  # the reset's answer held it already
        same(20.6, "media-renamed", "trace 8"),  # a frame that was merged: write 1 or 2
        same(20.7, "media-renamed", "trace 9"),  # no write is left that could explain this one
    ]

    verdict = judged(happenings)

    assert (verdict.extra_refetches, verdict.early_refetches) == (1, 2)
    assert verdict.extra == {"media-renamed chapters.list json": 1}


def test_fragments_are_read_like_json() -> None:
    html = (
        b'<li id="chapter-7"><h3><bdi>c3_post1.v0</bdi></h3></li><li><h3>c3_hand.v2</h3>'
        b'<li id="link-81" data-key="link-81">m5.v4</li></li><button>Remove c3_hand.v2</button>'
    )

    sight = look(KEY, "html", html)

    assert sight.values == {
        "c3_post1": "v0",
        "c3_hand": "v2",
        "m5": "v4",
        "l3_81": "there",
        "h3": "c3_post1",
    }
    assert (sight.whole, sight.torn, sight.doubled) == (("c3_", "l3_"), (), ())


@pytest.mark.parametrize("seed", range(20))
def test_a_seed_decides_the_plan_and_a_minute_has_nearly_every_kind_of_fault(seed: int) -> None:
    faults = plan(seed, 60)

    assert faults == plan(seed, 60)
    assert faults != plan(seed + 1, 60)
    assert sum(fault.after_s for fault in faults) < 60
    assert len({fault.kind for fault in faults}) >= len(KINDS) - 4
