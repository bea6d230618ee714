"""Pieces of fragments: rendered once for what they show, and never stale."""

from flask import Flask
from markupsafe import Markup
from pydantic import BaseModel

from core.languages import in_language
from core.pieces import Pieces


class Row(BaseModel):
    id: int
    title: str


class Rendering:
    """Notes what is rendered."""

    def __init__(self) -> None:
        self.rendered: list[object] = []

    def __call__(self, template: str, *, result: Row, **more: object) -> str:
        self.rendered.append((template, result.title, more))
        return f"<li>{result.title}</li>"


def test_a_piece_is_rendered_once_for_what_it_shows(app: Flask) -> None:
    render = Rendering()
    pieces = Pieces(render)

    with app.app_context():
        first = pieces.piece("row.html", Row(id=1, title="Light"), may_edit=True)
        again = pieces.piece("row.html", Row(id=1, title="Light"), may_edit=True)

    assert first == again == Markup("<li>Light</li>")
    assert len(render.rendered) == 1


def test_whatever_it_depends_on_makes_it_another(app: Flask) -> None:
    render = Rendering()
    pieces = Pieces(render)

    with app.app_context():
        pieces.piece("row.html", Row(id=1, title="Light"), may_edit=True)
        pieces.piece("row.html", Row(id=1, title="Sound"), may_edit=True)
        pieces.piece("row.html", Row(id=2, title="Light"), may_edit=True)
        pieces.piece("row.html", Row(id=1, title="Light"), may_edit=False)
        pieces.piece("other.html", Row(id=1, title="Light"), may_edit=True)
        with in_language("de"):
            pieces.piece("row.html", Row(id=1, title="Light"), may_edit=True)

    assert len(render.rendered) == 6


def test_the_memory_is_bounded_and_the_least_used_go_first(app: Flask) -> None:
    render = Rendering()
    pieces = Pieces(render, most_bytes=1_000)
    rows = [Row(id=number, title="x" * 100) for number in range(10)]

    with app.app_context():
        pieces.piece("row.html", rows[0])
        for row in rows[1:]:
            pieces.piece("row.html", row)
            pieces.piece("row.html", rows[0])
        known = len(render.rendered)
        pieces.piece("row.html", rows[1])

    assert known == len(rows)
    assert len(render.rendered) == known + 1
