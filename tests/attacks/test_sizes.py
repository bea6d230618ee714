"""A million keys, keys of a megabyte, numbers of 2^63 and beyond: refused, and kept by nobody."""

import time

import pytest

from core.access import Access
from core.actions import Action
from core.bus import Snapshot
from core.hub import Heard
from core.memory import MOST_ANSWERS
from core.shelves import Shelf
from core.stamps import Stamp
from core.versions import Arrival, Versions
from tests.attacks.test_courses_apart import declared
from tests.attacks.world import World, arguments_for

MILLION = 1_000_000
MEGABYTE = "1" * MILLION
GENERATION = "0" * 12
PATIENCE_S = 20


def test_a_stream_of_a_million_keys_is_refused(world: World) -> None:
    """In-process: a server refuses an address of more than 8,190 bytes before that."""
    keys = "&".join(f"key=courses:detail:{n}" for n in range(MILLION))

    answer = world.client("owner").get("/live", query_string=keys)

    assert answer.status_code == 400
    assert "1000000 were asked for" in answer.get_json()["detail"]


def test_of_a_million_keys_that_were_named_a_hub_knows_as_many_as_it_keeps() -> None:
    kept, first = 100_000, "courses:detail:0"
    versions = Versions(Snapshot(Stamp(GENERATION, 0), 0, {}), kept=kept)

    for number in range(1, 1_001):
        keys = [f"courses:detail:{number * 1_000 + n}" for n in range(1_000)]
        assert versions.arrive(Stamp(GENERATION, number), [first, *keys][: 1_001 - number % 2]) is (
            Arrival.NEXT
        )

    assert len(versions._versions) <= kept + kept // 4
    assert versions.horizon > 0
    assert not versions.is_current("courses:detail:1000", Stamp(GENERATION, 1))
    assert versions.is_current("courses:detail:1000", Stamp(GENERATION, 1_000))


def test_of_a_million_questions_a_worker_remembers_the_newest() -> None:
    class Calm:
        outages = 0

        def is_current(self, key: str, stamp: Stamp) -> bool:
            return True

    shelf: Shelf[Access] = Shelf(Calm(), MOST_ANSWERS)  # type: ignore[arg-type]  # as far as asked
    heard = Heard(Stamp(GENERATION, 2**63), 0)

    for number in range(MILLION):
        shelf.put(number, Access.VIEW, ("access:1",), heard)

    remembered = [number for number in range(MILLION) if shelf.get(number) is not None]
    assert remembered == list(range(MILLION - MOST_ANSWERS, MILLION))


@pytest.mark.parametrize("place", ["path", "option", "floor", "tag", "once", "cookie", "token"])
def test_a_megabyte_in_any_place_is_refused_or_nobodys(world: World, place: str) -> None:
    client = world.client("owner")
    path = "/q/courses/detail/1"
    path = {
        "path": f"/q/courses/detail/{MEGABYTE}",
        "option": f"/q/media/list?search={MEGABYTE}",
    }.get(place, path)
    names = {"floor": "Live-Floor", "tag": "If-None-Match", "once": "Idempotency-Key"}
    headers = {names[place]: MEGABYTE} if place in names else {}
    if place in ("cookie", "token"):
        client = world.app.test_client(use_cookies=False)
        kept = world.cookies["owner"] if place == "cookie" else ""
        name = "live_floor" if place == "cookie" else "coursewire_session"
        headers = {"Cookie": f"{name}={MEGABYTE}; {kept}"}
    began = time.monotonic()

    if place == "once":
        body = {"course_id": 1, "title": "Long"}
        answer = client.post("/a/chapters/add", json=body, headers=headers)
    else:
        answer = client.get(path, headers=headers)

    expected = {"tag": 200, "cookie": 200, "token": 401, "once": 422}.get(place, 400)
    assert answer.status_code == expected
    assert len(answer.data) < 100_000
    assert time.monotonic() - began < PATIENCE_S


@pytest.mark.parametrize("number", [2**31, 2**63 - 1, 2**63, 10**30, -(2**63) - 1])
def test_a_number_beyond_the_database_is_refused_everywhere(world: World, number: int) -> None:
    client = world.client("owner")
    wrong = []
    for query in declared("queries", world):
        for asked in (p for p in query.required if not p.is_me and p.annotation is int):
            path = f"/q/{query.plugin}/{query.path_name}/{number}"
            if len(query.required) == 1 and client.get(path).status_code not in (400, 404):
                wrong.append(f"{query.namespace}, {asked.name}")
    for action in declared("actions", world):
        acted: Action[..., object] = action
        body = arguments_for(acted, world.mine)
        for field in (p for p in acted.fields if p.annotation is int and not acted.takes_upload):
            address = f"/a/{acted.plugin}/{acted.path_name}"
            status = client.post(address, json=body | {field.name: number}).status_code
            if status not in (404, 413, 422):
                wrong.append(f"{acted.label}, {field.name}: {status}")

    assert wrong == []
