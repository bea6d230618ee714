"""Whatever is sent to what `/openapi.json` describes is answered as that says."""

import shutil
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import Failure, FailureGroup
from werkzeug.test import TestResponse

from plugins.media.views import one_line
from tests.attacks.world import SEVERAL, World, world_of
from tests.conftest import settings_for

EXAMPLES = 6
"""Requests of each operation, of each kind of data."""

GOOD, BAD = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
REQUEST = ("method", "url", "headers", "params", "data", "json", "files")
AS_DESCRIBED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)

load_all_checks()


@pytest.fixture(scope="module")
def shared_world(
    tmp_path_factory: pytest.TempPathFactory, filled_sqlite: Path, valkey: str
) -> Iterator[World]:
    """A world in which nobody is told to wait, however much is asked."""
    folder = tmp_path_factory.mktemp("world") / "var"
    shutil.copytree(filled_sqlite, folder)
    calm = settings_for(f"sqlite:///{folder / 'db.sqlite3'}", valkey, folder)
    endless = dict.fromkeys(("actions_per_user", "actions_per_address", "searches_per_user"), 10**6)
    with world_of(calm.model_copy(update=endless), folder) as world:
        yield world


def description(world: World) -> dict[str, Any]:
    """What `/openapi.json` says."""
    told: dict[str, Any] = world.client("anonymous").get("/openapi.json").get_json()
    return told


def operations(told: Mapping[str, Any]) -> list[Any]:
    """Each operation of the description *told*."""
    schema = schemathesis.openapi.from_dict(deepcopy(dict(told)))
    schema.config.generation.with_security_parameters = False  # who asks is ours to say
    found: list[Any] = list(schema.get_all_operations())
    return [each.ok() for each in found]


def try_out(operation: Any, mode: GenerationMode, ask: Any) -> list[str]:
    """What *ask* finds wrong with the answers to requests of *operation* that are made up."""
    wrong: list[str] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), aimed=st.booleans())
    def one(case: Case[Any], aimed: bool) -> None:
        wrong.extend(ask(case, aimed))

    one()
    return wrong


def sent(world: World, case: Case[Any], who: str, session: str = "") -> TestResponse:
    """The answer to *case*, to a program: the very bytes that would go over the wire."""
    said = case.as_transport_kwargs(base_url="http://localhost")
    plain = requests.Request(**{name: said[name] for name in said if name in REQUEST})
    wire = plain.prepare()
    client = world.client(who)
    if session:
        client.set_cookie("coursewire_session", session)
    wire.headers["Accept"] = "application/json"
    headers = list(wire.headers.items())
    return client.open(wire.path_url, method=case.method, headers=headers, data=wire.body)


def aim(case: Case[Any], ids: Mapping[str, int | str]) -> None:
    """Let *case* name what is there, wherever it names anything."""
    for place in (case.path_parameters, case.body):
        if isinstance(place, dict):
            place.update({name: ids[name] for name in place if name in ids})
            place.update({name: [ids[SEVERAL[name]]] for name in place if name in SEVERAL})


def check_named(name: str) -> Any:
    """A judgement of Schemathesis."""
    return CHECKS.get_one(name)


def became_good(case: Case[Any], answer: TestResponse) -> bool:
    """Whether bad data may have been good when it was looked at.

    What nobody sees is taken out of texts, and a form says nothing of a field that holds nothing.
    """
    texts = case.body.values() if isinstance(case.body, dict) else ()
    emptied = case.method == "POST" and not answer.request.content_length
    return emptied or any(one_line(text) != text for text in texts)


def faults(case: Case[Any], answer: TestResponse) -> list[str]:
    """What about *answer* is not as described; bad data that was taken is a fault too."""
    bad = case.meta is not None and case.meta.generation.mode is BAD
    names: tuple[str, ...] = AS_DESCRIBED
    if bad and answer.status_code < 400 and not became_good(case, answer):
        names = (*AS_DESCRIBED, "negative_data_rejection")
    try:
        case.validate_response(answer, checks=[check_named(name) for name in names])
    except (Failure, FailureGroup) as error:
        found = error.exceptions if isinstance(error, FailureGroup) else (error,)
        return [f"{case.operation.label}: {each}\n{case.as_curl_command()}" for each in found]
    return []


def is_open(operation: Any) -> bool:
    """Whether nobody need be signed in for *operation*."""
    return {} in operation.definition.raw["security"]


@pytest.mark.parametrize("mode", [GOOD, BAD], ids=["good", "bad"])
@pytest.mark.parametrize("who", ["anonymous", "owner"])
def test_whatever_is_asked_is_answered_as_described(
    shared_world: World, who: str, mode: GenerationMode
) -> None:
    statuses: set[int] = set()
    wrong = []

    def ask(case: Case[Any], aimed: bool) -> list[str]:
        if aimed and mode is GOOD:
            aim(case, shared_world.mine)
        answer = sent(shared_world, case, who)
        statuses.add(answer.status_code)
        return faults(case, answer)

    for operation in operations(description(shared_world)):
        if who != "anonymous" or is_open(operation):
            wrong += try_out(operation, mode, ask)
            shared_world.restore()

    assert wrong == [], "\n\n".join(wrong)
    assert (200 if mode is GOOD else 422) in statuses


@pytest.mark.parametrize("mode", [GOOD, BAD], ids=["good", "bad"])
def test_nobody_gets_past_a_session_that_is_asked_for(
    shared_world: World, mode: GenerationMode
) -> None:
    """Not even to hear that the rest of the request was wrong; a token of one's own is none."""
    guarded = [each for each in operations(description(shared_world)) if not is_open(each)]

    def ask(case: Case[Any], aimed: bool) -> list[str]:
        aim(case, shared_world.mine)
        answer = sent(shared_world, case, "anonymous", "a-token-that-nobody-gave" * aimed)
        let_in = [] if answer.status_code == 401 else [f"let in: {case.as_curl_command()}"]
        return let_in + faults(case, answer)

    wrong = [each for operation in guarded for each in try_out(operation, mode, ask)]

    assert wrong == [], "\n\n".join(wrong)
    assert len(guarded) > 50


def test_an_answer_that_is_not_described_is_found(shared_world: World) -> None:
    """Else all of the above would prove nothing."""
    told = description(shared_world)
    listing = told["paths"]["/q/courses/list/{me}"]["get"]
    renaming = told["paths"]["/a/accounts/rename"]["post"]
    listing["responses"]["200"]["content"]["application/json"]["schema"] = {"type": "null"}
    del listing["responses"]["404"]
    del renaming["responses"]["422"]
    changed = {operation.label: operation for operation in operations(told)}

    def ask(case: Case[Any], aimed: bool) -> list[str]:
        if aimed and case.path_parameters:
            case.path_parameters["me"] = shared_world.mine["user_id"]
        return faults(case, sent(shared_world, case, "owner"))

    listed = "\n".join(try_out(changed["GET /q/courses/list/{me}"], GOOD, ask))
    renamed = "\n".join(try_out(changed["POST /a/accounts/rename"], BAD, ask))
    shared_world.restore()

    assert "Response violates schema" in listed
    assert "Received: 404" in listed
    assert "Received: 422" in renamed
