"""People, roles, courses, sessions and streams in any order: nobody is told what is not theirs."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from werkzeug.security import generate_password_hash

from core import db
from core.access import Access
from core.bodies import Bodies
from core.cache import Found
from core.testing import Site
from core.testing.site import prepare, start
from plugins.accounts.models import User
from tests.attacks.rights import KEEPER, PEOPLE, STAFF, Plant, Rights

PLUGINS = ("accounts", "courses", "media", "chapters")
HOLDS, FINDS = 12, 60
"""Stories that are tried: of the site as it is, and at most to find a mistake."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, valkey: str) -> Path:
    """A folder with a database that holds the demonstration data."""
    folder = tmp_path_factory.mktemp("rights")
    prepare(folder, valkey, PLUGINS)
    return folder


@contextmanager
def site_of(folder: Path, valkey: str) -> Iterator[tuple[Site, dict[str, int]]]:
    """A running site with the people of the model, and their ids."""
    endless = dict.fromkeys(("actions_per_user", "actions_per_address"), 10**6)
    site = start(
        folder,
        valkey,
        PLUGINS,
        freshness="off",
        heartbeat_s=0.05,
        streams_per_user=1_000,
        **endless,
    )
    try:
        yield site, _add_people(site)
    finally:
        site.stop()


def _add_people(site: Site) -> dict[str, int]:
    quick = generate_password_hash("demo", "scrypt:1024:8:1")
    with site.app.app_context():
        users = {
            name: User(
                email=f"{name}@example.test",
                name=name,
                password_hash=quick,
                staff=name in (STAFF, KEEPER),
            )
            for name in (*PEOPLE, KEEPER)
        }
        db.session.add_all(users.values())
        db.session.commit()
        ids = {name: user.id for name, user in users.items()}
        db.session.remove()
    return ids


def drive(folder: Path, valkey: str, stories: int, plant: Plant | None = None) -> None:
    """Tell so many stories, always the same ones; the first failure is raised as it is."""
    logging.disable(logging.CRITICAL)
    try:
        with site_of(folder, valkey) as (site, ids):
            keeper = site.app.test_client()
            body = {"email": f"{KEEPER}@example.test", "password": "demo"}
            assert keeper.post("/a/accounts/sign-in", json=body).status_code == 200
            if plant is not None:
                plant(site)
            parts = {"site": site, "ids": ids, "keeper": keeper}
            run_state_machine_as_test(
                type("Driven", (Rights,), parts),
                settings=settings(
                    max_examples=stories,
                    stateful_step_count=30,
                    deadline=None,
                    derandomize=True,
                    database=None,
                    report_multiple_bugs=False,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                ),
            )
    finally:
        logging.disable(logging.NOTSET)


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A copy of it, for one test."""
    shutil.copytree(prepared, tmp_path / "site")
    return tmp_path / "site"


@pytest.mark.timeout(300)
def test_nobody_is_told_shown_or_kept_anything_that_is_not_theirs(
    folder: Path, valkey: str
) -> None:
    drive(folder, valkey, HOLDS)


def sessions_are_never_forgotten(site: Site) -> None:
    _never_forget(site.runtime.memory.sessions)


def answers_of_guards_are_never_forgotten(site: Site) -> None:
    _never_forget(site.runtime.memory.answers)


def streams_outlive_the_access(site: Site) -> None:
    watchers = site.runtime.hub._watchers
    watchers.losing_access = lambda named: []  # type: ignore[method-assign]


def whoever_views_gets_the_fragment_of_editors(site: Site) -> None:
    cache = site.runtime.cache
    find = cache.find

    def wrong(*asked: Any, **how: Any) -> Found:
        found = find(*asked, **how)
        whole = found.bodies
        fragments = dict.fromkeys(whole.fragments, whole.fragments[Access.EDIT])
        return replace(found, bodies=Bodies(whole.json, fragments))

    cache.find = wrong  # type: ignore[method-assign]


def one_list_is_kept_for_everybody(site: Site) -> None:
    cache = site.runtime.cache
    find = cache.find
    kept: dict[Any, Found] = {}

    def wrong(key: Any, *asked: Any, **how: Any) -> Found:
        found = find(key, *asked, **how)
        mine = key.query.namespace == "courses.list"
        return kept.setdefault(found.stamp, found) if mine else found

    cache.find = wrong  # type: ignore[method-assign]


def _never_forget(shelf: Any) -> None:
    shelf._holds = lambda kept: True


MISTAKES: dict[Plant, tuple[str, ...]] = {
    sessions_are_never_forgotten: ("let in", "write", "watch", "open"),
    answers_of_guards_are_never_forgotten: ("let in", "watch", "bytes"),
    streams_outlive_the_access: ("open",),
    whoever_views_gets_the_fragment_of_editors: ("bytes",),
    one_list_is_kept_for_everybody: ("bytes", "crossed"),
}
"""Parts that are wrong, and by which comparisons that is to be found."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: each.__name__)
def test_a_mistake_about_rights_is_found(mistake: Plant, folder: Path, valkey: str) -> None:
    with pytest.raises(AssertionError) as caught:
        drive(folder, valkey, FINDS, mistake)

    found, _, _ = str(caught.value).partition(":")
    assert found in MISTAKES[mistake], caught.value
