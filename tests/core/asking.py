"""The words that the tests of the HTTP surface are told in."""

import json
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.core.conftest import BOOK

LIST = f"/q/notes/list/{BOOK}"
HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}


def write(client: FlaskClient, text: str) -> Any:
    response = client.post("/a/notes/write", json={"book_id": BOOK, "text": text})
    assert response.status_code == 200
    return response.get_json()


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    """The problem of *response*, whose shape is checked (RFC 9457)."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    body: dict[str, Any] = json.loads(response.data)
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in response.get_data(as_text=True)
    return body
