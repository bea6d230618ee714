"""What the people who run it ask: health, readiness, and the description."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from sqlalchemy import text

from core import Settings, create_app, db
from core.database import writing
from tests.conftest import dispose, settings_for
from tests.core.asking import HTML, LIST, problem
from tests.core.conftest import (
    BOOK,
    MakeApp,
    client_of,
    runtime_of,
)
from tests.servers import RedisServer


def test_healthz_answers_whenever_the_process_does(make_app: MakeApp) -> None:
    app = make_app("sqlite:////nonexistent/folder/db", redis_url="unix:///nonexistent")

    response = client_of(app, None).get("/healthz")

    assert response.status_code == 200
    assert response.get_json() == {"status": "ok"}


def test_readyz_is_ok_when_everything_answers(notes_app: Flask) -> None:
    response = client_of(notes_app, None).get("/readyz")

    assert response.status_code == 200
    assert response.get_json() == {
        "status": "ok",
        "checks": {"database": "ok", "migrations": "ok", "redis": "ok", "plugins": "ok"},
    }


def not_ready(app: Flask) -> dict[str, str]:
    response = client_of(app, None).get("/readyz")
    assert response.status_code == 503
    body = response.get_json()
    assert body["status"] == "not ready"
    return {name: said for name, said in body["checks"].items() if said != "ok"}


def test_readyz_names_a_redis_that_does_not_answer(
    make_app: MakeApp, sqlite_url: str, own_redis: RedisServer
) -> None:
    app = make_app(sqlite_url, redis_url=own_redis.url)
    own_redis.freeze()
    hung = not_ready(app)
    own_redis.kill()

    assert hung == {"redis": "does not answer (TimeoutError); check REDIS_URL"}
    assert not_ready(app) == {"redis": "does not answer (ConnectionError); check REDIS_URL"}


def test_readyz_names_a_redis_that_may_forget_versions(
    make_app: MakeApp, sqlite_url: str, own_redis: RedisServer
) -> None:
    app = make_app(sqlite_url, redis_url=own_redis.url)
    with own_redis.client() as client:
        client.config_set("maxmemory-policy", "volatile-lru")
        assert client_of(app, None).get("/readyz").status_code == 200
        client.config_set("maxmemory-policy", "allkeys-lru")

    assert not_ready(app) == {
        "redis": "may forget versions (maxmemory-policy allkeys-lru); set it to noeviction"
    }


def test_readyz_names_a_database_that_does_not_answer(make_app: MakeApp) -> None:
    app = make_app("sqlite:////nonexistent/folder/db")

    assert not_ready(app) == {
        "database": "does not answer (OperationalError); check DATABASE_URL",
        "migrations": "unknown: the database does not answer",
    }


def test_readyz_names_the_chains_that_are_not_applied(notes_app: Flask) -> None:
    with notes_app.app_context(), writing() as session:
        session.execute(text("DELETE FROM alembic_version_core"))

    try:
        assert not_ready(notes_app) == {"migrations": "not applied: core; run flask db upgrade"}
    finally:
        with notes_app.app_context(), writing() as session:
            session.execute(
                text("INSERT INTO alembic_version_core (version_num) VALUES ('core_0001')")
            )


def test_people_are_told_in_words_when_the_database_is_away(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app("sqlite:////nonexistent/folder/db")
    client = client_of(app)

    page = client.get(f"/books/{BOOK}", headers=HTML)
    data = client.get(LIST)

    assert page.status_code == 503
    assert "The database does not answer. Nothing was saved; try again in a moment." in page.text
    assert problem(data, 503)
    assert data.headers["Retry-After"] == "2"


@pytest.mark.parametrize("path", ["/courses", "/nowhere"])
def test_people_who_are_signed_in_are_told_so_too(
    make_app: MakeApp, valkey: str, tmp_path: Path, path: str
) -> None:
    app = create_app(settings_for("sqlite:////nonexistent/folder/db", valkey, tmp_path))
    client = app.test_client()
    client.set_cookie("coursewire_session", "a token")

    response = client.get(path, headers=HTML)
    runtime_of(app).stop()
    dispose(app)

    assert response.status_code == (503 if path == "/courses" else 404)
    assert "</html>" in response.text


def test_the_description_of_the_first_party_plugins_is_valid_and_complete() -> None:
    app = create_app(Settings())

    description = app.test_client().get("/openapi.json").get_json()

    validate(description)
    registry = runtime_of(app).registry
    assert len(description["paths"]) == len(registry.queries) + len(registry.actions)
    ids = [op["operationId"] for path in description["paths"].values() for op in path.values()]
    assert len(ids) == len(set(ids))
    runtime_of(app).stop()


def test_the_description_tells_parameters_options_and_parts(owner: FlaskClient) -> None:
    paths = owner.get("/openapi.json").get_json()["paths"]

    listing = paths["/q/notes/list/{book_id}"]["get"]
    assert [(p["name"], p["in"]) for p in listing["parameters"]] == [
        ("book_id", "path"),
        ("search", "query"),
        ("page", "query"),
        ("starred", "query"),
        ("sort", "query"),
        ("Live-Floor", "header"),
    ]
    assert listing["parameters"][2]["schema"]["default"] == 1
    schema = listing["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["allOf"][1]["properties"] == {"count": {"type": "integer"}}
    assert paths["/a/notes/attach"]["post"]["requestBody"]["content"].keys() == {
        "multipart/form-data"
    }


def test_models_of_one_name_do_not_overwrite_each_other() -> None:
    """Two plugins may both call a class `TitleWas`; each action's body shows its own."""
    app = create_app(Settings())
    description = app.test_client().get("/openapi.json").get_json()
    runtime_of(app).stop()

    schemas = description["components"]["schemas"]
    for name in ("ChaptersRename", "MediaRename"):
        reference = schemas[name]["properties"]["was"]["$ref"].rpartition("/")[2]
        assert set(schemas[reference]["properties"]) == {"title"}


def test_the_database_is_free_after_every_kind_of_answer(notes_app: Flask) -> None:
    client = client_of(notes_app)
    for path in (LIST, "/q/notes/list/4711", "/nowhere", "/readyz", "/live?key=x", "/openapi.json"):
        client.get(path)
    client.post("/a/notes/write", json={"book_id": BOOK, "text": "a"})
    client.post("/a/notes/write-and-break", json={"book_id": BOOK})

    with notes_app.app_context():
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
