"""What the tests of the first-party plugins share: the demonstration course and its people."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.plugins.story import COURSE, Story
from tests.s3 import CREDENTIALS, Bucket, s3_server


@pytest.fixture(scope="session")
def make_bucket() -> Iterator[Callable[..., Bucket]]:
    """Makes buckets in an S3 of this test run."""
    with s3_server() as make:
        yield make


@pytest.fixture
def bucket(make_bucket: Callable[..., Bucket], monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket of this test's own, and in the environment what opens it."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return make_bucket()


@pytest.fixture
def owner(client_for: Callable[[str | None], FlaskClient]) -> FlaskClient:
    return client_for("owner")


@pytest.fixture
def editor(client_for: Callable[[str | None], FlaskClient]) -> FlaskClient:
    return client_for("editor")


@pytest.fixture
def viewer(client_for: Callable[[str | None], FlaskClient]) -> FlaskClient:
    return client_for("viewer")


@pytest.fixture
def anonymous(client_for: Callable[[str | None], FlaskClient]) -> FlaskClient:
    return client_for(None)


@pytest.fixture
def story(app: Flask, owner: FlaskClient) -> Story:
    """The demonstration course, told by its owner."""
    return Story(app, owner, COURSE)
