"""What reading costs: as many SQL statements for a large course and library as for small ones."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from core import db, reading, transaction
from plugins.chapters.models import Chapter, ChapterMedia
from plugins.courses.models import Course, CourseMember
from plugins.media.models import Media, folded
from tests.conftest import act
from tests.core.test_deltas import applied
from tests.plugins.story import add_videos, react, read, statements_of

CHAPTERS, LINKS, LIBRARY = 200, 2_000, 10_000


def make_course(app: Flask, owner_id: int, chapters: int, links: int, library: int) -> list[int]:
    """A course of that size; returns its id, a chapter's and a video's."""
    with app.app_context(), transaction():
        session = db.session
        course = Course(title="Measured")
        session.add(course)
        session.flush()
        session.add(CourseMember(course_id=course.id, user_id=owner_id, role="owner"))
        titles = [f"Film {number}" for number in range(library)]
        media_ids = session.scalars(
            insert(Media).returning(Media.id),
            [
                {
                    "title": title,
                    "title_folded": folded(title),
                    "source": "url",
                    "url": "https://video.test/a.mp4",
                    "use_count": links // library + (number < links % library),
                }
                for number, title in enumerate(titles)
            ],
        ).all()
        chapter_ids = session.scalars(
            insert(Chapter).returning(Chapter.id),
            [{"course_id": course.id, "title": "C", "position": n} for n in range(chapters)],
        ).all()
        session.execute(
            insert(ChapterMedia),
            [
                {
                    "chapter_id": chapter_ids[n % chapters],
                    "media_id": media_ids[n % library],
                    "position": n // chapters,
                }
                for n in range(links)
            ],
        )
        return [course.id, chapter_ids[0], media_ids[0]]


@pytest.fixture
def sizes(app: Flask, owner: FlaskClient) -> list[list[int]]:
    """The ids of a small and of a large course."""
    owner_id = read(owner, "accounts/me")["user_id"]
    return [
        make_course(app, owner_id, chapters=1, links=1, library=1),
        make_course(app, owner_id, CHAPTERS, LINKS, LIBRARY),
    ]


def test_every_query_reads_with_a_constant_number_of_statements(
    app: Flask, owner: FlaskClient, sizes: list[list[int]]
) -> None:
    paths: list[Callable[[int, int, int], str]] = [
        lambda course, chapter, media: f"chapters/list/{course}",
        lambda course, chapter, media: f"chapters/outline/{course}",
        lambda course, chapter, media: f"courses/detail/{course}",
        lambda course, chapter, media: f"courses/members/{course}",
        lambda course, chapter, media: f"chapters/picker/{chapter}",
        lambda course, chapter, media: f"media/usage/{media}",
        lambda course, chapter, media: f"media/detail/{media}",
    ]

    for path in paths:
        costs = []
        for ids in sizes:
            with statements_of(app) as noted:
                read(owner, path(*ids))
            costs.append(len(noted))
        assert costs[0] == costs[1] <= 12, (path(0, 0, 0), costs)


def test_the_library_reads_with_a_constant_number_of_statements(
    app: Flask, owner: FlaskClient
) -> None:
    owner_id = read(owner, "accounts/me")["user_id"]
    asked: list[dict[str, int | str]] = [
        {},
        {"search": "film", "sort": "title"},
        {"use": "unused", "kind": "video", "by": owner_id, "page": 2},
    ]

    def costs() -> list[int]:
        found = []
        for options in asked:
            with statements_of(app) as noted:
                read(owner, "media/list", **options)
            found.append(len(noted))
        return found

    small = costs()
    make_course(app, owner_id, chapters=1, links=1, library=LIBRARY)
    add_videos(owner, "Makes what was read stale")

    large = costs()

    # Of the first ones, the worker still knows who asks.
    assert all(few <= many <= 12 for few, many in zip(large, small, strict=True)), (small, large)


def test_the_large_course_shows_everything(owner: FlaskClient, sizes: list[list[int]]) -> None:
    chapters = read(owner, f"chapters/list/{sizes[1][0]}")

    assert len(chapters) == CHAPTERS
    assert sum(len(chapter["videos"]) for chapter in chapters) == LINKS
    assert read(owner, "media/list", search="film")["total"] == LIBRARY + 1


def test_one_change_of_a_large_course_renders_one_chapter_anew(
    app: Flask, owner: FlaskClient, sizes: list[list[int]]
) -> None:
    course_id, chapter_id, _ = sizes[1]
    pieces = app.extensions["coursewire"].pieces

    def fragment() -> str:
        address = f"/q/chapters/list/{course_id}"
        return owner.get(address, headers={"Accept": "text/html"}).get_data(as_text=True)

    before, made = fragment(), pieces.made
    act(owner, "chapters/rename", chapter_id=chapter_id, title="Renamed", was={"title": "C"})
    after = fragment()

    assert pieces.made - made == 2  # for those who may edit, and for those who may not
    assert (before.count("<bdi>C</bdi>"), after.count("<bdi>C</bdi>")) == (CHAPTERS, CHAPTERS - 1)
    assert after.count("<bdi>Renamed</bdi>") == 1
    assert after.count('id="link-') == LINKS


def test_a_browser_that_holds_the_last_fragment_is_sent_what_is_new(
    owner: FlaskClient, sizes: list[list[int]]
) -> None:
    course_id, chapter_id, _ = sizes[1]
    address, html = f"/q/chapters/list/{course_id}", {"Accept": "text/html"}
    first = owner.get(address, headers=html)
    act(owner, "chapters/rename", chapter_id=chapter_id, title="Renamed", was={"title": "C"})
    asks = {**html, "If-None-Match": first.headers["ETag"], "Live-Delta": "lines"}

    whole = owner.get(address, headers=html)
    delta = owner.get(address, headers=asks)
    same = owner.get(address, headers={**asks, "If-None-Match": whole.headers["ETag"]})
    unknown = owner.get(address, headers={**asks, "If-None-Match": '"0"'})

    assert "Live-Delta" not in whole.headers
    assert delta.headers["Live-Delta"] == "lines"
    assert delta.headers["Cache-Control"] == "no-store"
    for header in ("ETag", "Live-Stamp", "Live-Key", "Live-Access"):
        assert delta.headers[header] == whole.headers[header]
    assert len(delta.data) < len(whole.data) / 50
    assert applied(first.text, delta.get_json()) == whole.text
    assert (same.status_code, same.data) == (304, b"")
    assert unknown.text == whole.text
    assert not {"Live-Delta"} & {*dict(same.headers), *dict(unknown.headers)}


def test_writing_costs_the_same_in_a_large_course(
    app: Flask, owner: FlaskClient, sizes: list[list[int]]
) -> None:
    costs = []
    for course_id, chapter_id, _ in sizes:
        media_ids, more = add_videos(owner, *"ABC"), add_videos(owner, "D")
        with statements_of(app) as noted:
            act(owner, "chapters/link-media", chapter_id=chapter_id, media_ids=media_ids)
            act(owner, "chapters/add", course_id=course_id, title="New")
            act(owner, "chapters/move", chapter_id=chapter_id, after_chapter_id=None)
            (linked,) = act(owner, "chapters/link-media", chapter_id=chapter_id, media_ids=more)[
                "result"
            ]
            act(
                owner,
                "chapters/move-media",
                link_id=linked["link_id"],
                chapter_id=chapter_id,
                after_link_id=None,
            )
        costs.append(len(noted))

    assert costs[0] == costs[1]


def test_a_large_course_is_put_in_order_and_removed(
    app: Flask, owner: FlaskClient, sizes: list[list[int]]
) -> None:
    course_id, _, _ = sizes[1]
    order = [chapter["id"] for chapter in read(owner, f"chapters/list/{course_id}")][::-1]

    act(owner, "chapters/reorder", course_id=course_id, chapter_ids=order)
    shown = [chapter["id"] for chapter in read(owner, f"chapters/list/{course_id}")]
    act(owner, "courses/remove", course_id=course_id)

    assert shown == order
    react(app)
    with app.app_context(), reading() as session:
        counted = session.scalar(db.select(db.func.sum(Media.use_count)))
        linked = session.scalar(db.select(db.func.count(ChapterMedia.id)))
    assert counted == linked
