"""What the tests of the first-party plugins share: the demonstration course and its people."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.plugins.story import COURSE, Story


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
