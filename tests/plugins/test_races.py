"""What happens when two people do it at the same moment."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from core import Settings
from tests.conftest import act
from tests.plugins.story import COURSE, Story, add_videos, on_postgresql, read
from tests.servers import wait_until

PEOPLE = 4


@pytest.fixture
def crowd(app: Flask, client_for: Callable[[Any], FlaskClient]) -> list[FlaskClient]:
    """Several browsers of editors."""
    return [client_for(role) for role in ("owner", "editor") * (PEOPLE // 2)]


def together(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all *tasks* at once; returns what they return, in order."""
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]


def post(client: FlaskClient, action: str, **arguments: Any) -> Any:
    """POST an action; returns status and body."""
    response = client.post(f"/a/{action}", json=arguments)
    return response.status_code, response.get_json()


class Colleague:
    """Somebody who changes the database in a transaction that is still open."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def does(self, statement: str, *parameters: object) -> None:
        self.connection.execute(statement.encode(), parameters)

    def meanwhile(self, task: Callable[[], Any]) -> Any:
        """Start *task*, commit once it waits for this transaction, and return what came of it."""
        with ThreadPoolExecutor(1) as pool:
            waiting: Future[Any] = pool.submit(task)
            wait_until(lambda: waiting.done() or self._somebody_waits(), "waiting transaction")
            assert not waiting.done(), waiting.result()
            self.connection.commit()
            return waiting.result()

    def _somebody_waits(self) -> bool:
        rows = self.connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock'"
        )
        return rows.fetchone() is not None


@pytest.fixture
def colleague(settings: Settings) -> Iterator[Colleague]:
    url = settings.database_url.replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        yield Colleague(connection)


@on_postgresql
def test_linking_to_a_chapter_that_is_just_being_removed(
    story: Story, colleague: Colleague
) -> None:
    chapter_id = story.add_chapter("Basics")
    (media_id,) = add_videos(story.client, "New")
    colleague.does("SELECT id FROM course WHERE id = %s FOR UPDATE", COURSE)
    colleague.does("DELETE FROM chapter WHERE id = %s", chapter_id)

    status, body = colleague.meanwhile(
        lambda: post(
            story.client, "chapters/link-media", chapter_id=chapter_id, media_ids=[media_id]
        )
    )

    assert (status, body["detail"]) == (
        404,
        "“Basics” was removed meanwhile by another editor. Nothing was linked.",
    )
    assert story.read(f"media/usage/{media_id}")["use_count"] == 0


@on_postgresql
@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("DELETE FROM course_member WHERE course_id = %s AND user_id = %s", 404),
        ("UPDATE course_member SET role = 'viewer' WHERE course_id = %s AND user_id = %s", 403),
    ],
    ids=["removed", "made a viewer"],
)
def test_linking_while_one_is_just_losing_the_right_to(
    story: Story, client_for: Callable[[Any], FlaskClient], colleague: Colleague,
    statement: str, refusal: int,
) -> None:  # fmt: skip
    """They were let in before, and get the lock after."""
    editor = client_for("editor")
    chapter_id = story.add_chapter("Basics")
    (media_id,) = add_videos(story.client, "New")
    colleague.does("SELECT id FROM course WHERE id = %s FOR UPDATE", COURSE)
    colleague.does(statement, COURSE, read(editor, "accounts/me")["user_id"])

    status, _ = colleague.meanwhile(
        lambda: post(editor, "chapters/link-media", chapter_id=chapter_id, media_ids=[media_id])
    )

    assert status == refusal
    assert story.videos("Basics") == []


@on_postgresql
def test_an_owner_who_is_just_being_demoted_makes_nobody_a_member(
    story: Story, client_for: Callable[[Any], FlaskClient], colleague: Colleague
) -> None:
    owner = client_for("owner")
    me = read(owner, "accounts/me")["user_id"]
    before = story.read(f"courses/members/{COURSE}")
    colleague.does("SELECT id FROM course WHERE id = %s FOR UPDATE", COURSE)
    colleague.does(
        "UPDATE course_member SET role = 'editor' WHERE course_id = %s AND user_id = %s", COURSE, me
    )

    status, _ = colleague.meanwhile(
        lambda: post(
            owner,
            "courses/set-member",
            course_id=COURSE,
            email="viewer@example.test",
            role="owner",
        )
    )

    assert status == 403
    viewer = next(m for m in before if m["email"] == "viewer@example.test")
    assert viewer in story.read(f"courses/members/{COURSE}")


@on_postgresql
def test_adding_to_a_course_that_is_just_being_removed(story: Story, colleague: Colleague) -> None:
    colleague.does("DELETE FROM course WHERE id = %s", COURSE)

    status, body = colleague.meanwhile(
        lambda: post(story.client, "chapters/add", course_id=COURSE, title="Late")
    )

    assert (status, body["detail"]) == (
        404,
        "This course was removed meanwhile by another editor. Nothing was saved.",
    )


@on_postgresql
def test_linking_a_video_that_is_just_being_removed(story: Story, colleague: Colleague) -> None:
    chapter_id = story.add_chapter("Basics")
    going, staying = add_videos(story.client, "Going", "Staying")
    colleague.does("DELETE FROM media WHERE id = %s", going)

    status, body = colleague.meanwhile(
        lambda: post(
            story.client, "chapters/link-media", chapter_id=chapter_id, media_ids=[going, staying]
        )
    )

    assert status == 200
    assert [outcome["status"] for outcome in body["result"]] == ["not_found", "linked"]
    assert story.videos("Basics") == ["Staying"]


@on_postgresql
def test_linking_what_somebody_is_just_linking(story: Story, colleague: Colleague) -> None:
    chapter_id = story.add_chapter("Basics")
    (media_id,) = add_videos(story.client, "New")
    colleague.does("SELECT id FROM course WHERE id = %s FOR UPDATE", COURSE)
    colleague.does(
        "INSERT INTO chapter_media (chapter_id, media_id, position) VALUES (%s, %s, 0)",
        chapter_id,
        media_id,
    )

    status, body = colleague.meanwhile(
        lambda: post(
            story.client, "chapters/link-media", chapter_id=chapter_id, media_ids=[media_id]
        )
    )

    assert (status, body["result"][0]["status"]) == (200, "already_linked")


@on_postgresql
def test_removing_a_video_that_is_just_being_linked(story: Story, colleague: Colleague) -> None:
    chapter_id = story.add_chapter("Basics")
    (media_id,) = add_videos(story.client, "New")
    colleague.does(
        "INSERT INTO chapter_media (chapter_id, media_id, position) VALUES (%s, %s, 0)",
        chapter_id,
        media_id,
    )

    status, body = colleague.meanwhile(
        lambda: post(story.client, "media/remove", media_id=media_id)
    )

    assert status == 409
    assert [use["chapter_title"] for use in body["uses"]] == ["Basics"]


@on_postgresql
def test_moving_behind_a_video_that_is_just_being_unlinked(
    story: Story, colleague: Colleague
) -> None:
    chapter_id = story.add_chapter("Basics", "One", "Two")
    links = story.links("Basics")
    colleague.does("SELECT id FROM course WHERE id = %s FOR UPDATE", COURSE)
    colleague.does("DELETE FROM chapter_media WHERE id = %s", links["Two"])

    status, _ = colleague.meanwhile(
        lambda: post(
            story.client,
            "chapters/move-media",
            link_id=links["One"],
            chapter_id=chapter_id,
            after_link_id=links["Two"],
        )
    )

    assert status == 409
    assert story.videos("Basics") == ["One"]


@on_postgresql
def test_an_edit_sees_what_was_committed_while_it_waited(
    story: Story, colleague: Colleague
) -> None:
    detail = story.read(f"courses/detail/{COURSE}")
    was = {name: detail[name] for name in ("title", "description", "status")}
    colleague.does("UPDATE course SET title = 'Theirs' WHERE id = %s", COURSE)

    status, body = colleague.meanwhile(
        lambda: post(
            story.client, "courses/edit", course_id=COURSE, **(was | {"title": "Mine"}), was=was
        )
    )

    assert (status, body["theirs"]) == (409, {"title": "Theirs"})


def test_everybody_links_the_same_videos_and_each_is_there_once(
    story: Story, crowd: list[FlaskClient]
) -> None:
    chapter_id = story.add_chapter("Basics")
    media_ids = add_videos(story.client, *"ABC")

    def work(client: FlaskClient) -> Any:
        order = random.sample(media_ids, 3)
        return act(client, "chapters/link-media", chapter_id=chapter_id, media_ids=order)

    answers = together([partial(work, client) for client in crowd])

    became = Counter(
        (outcome["media_file_id"], outcome["status"])
        for answer in answers
        for outcome in answer["result"]
    )
    assert {media_id: became[media_id, "linked"] for media_id in media_ids} == dict.fromkeys(
        media_ids, 1
    )
    assert sorted(story.videos("Basics")) == ["A", "B", "C"]
    for media_id in media_ids:
        assert story.read(f"media/usage/{media_id}")["use_count"] == 1


def test_everybody_adds_and_moves_chapters_and_positions_stay_dense(
    story: Story, crowd: list[FlaskClient]
) -> None:
    def work(client: FlaskClient) -> None:
        for _ in range(5):
            added = act(client, "chapters/add", course_id=COURSE, title="New")["result"]["id"]
            status, _body = post(client, "chapters/move", chapter_id=added, after_chapter_id=None)
            assert status == 200
        act(client, "chapters/remove", chapter_id=added)

    together([partial(work, client) for client in crowd])

    assert story.titles().count("New") == 4 * PEOPLE


def test_links_go_to_and_fro_between_chapters_and_none_is_lost(
    story: Story, crowd: list[FlaskClient]
) -> None:
    chapters = [story.add_chapter("Left", *"ABC"), story.add_chapter("Right", *"DEF")]
    links = [*story.links("Left").values(), *story.links("Right").values()]

    def work(client: FlaskClient, seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(8):
            status, _body = post(
                client,
                "chapters/move-media",
                link_id=dice.choice(links),
                chapter_id=dice.choice(chapters),
                after_link_id=dice.choice([None, *links]),
            )
            assert status in (200, 409)

    together([partial(work, client, seed) for seed, client in enumerate(crowd)])

    left, right = story.links("Left"), story.links("Right")
    assert sorted([*left.values(), *right.values()]) == sorted(links)


def test_two_courses_that_link_the_same_videos_never_wait_for_each_other_for_ever(
    story: Story, crowd: list[FlaskClient]
) -> None:
    media_ids = add_videos(story.client, *"ABCDEF")
    other = Story(story.app, story.client, story.act("courses/add", title="Other")["id"])
    places = [story.add_chapter("Here"), other.add_chapter("There")]

    def work(client: FlaskClient, chapter_id: int, order: list[int]) -> None:
        for media_id in order:
            act(client, "chapters/link-media", chapter_id=chapter_id, media_ids=order[:3])
            act(client, "chapters/link-media", chapter_id=chapter_id, media_ids=[media_id])

    owners = [crowd[0], crowd[2]]
    together(
        [
            partial(work, client, place, order)
            for client, place, order in zip(
                owners, places, (media_ids, media_ids[::-1]), strict=True
            )
        ]
    )

    for media_id in media_ids:
        assert story.read(f"media/usage/{media_id}")["use_count"] == 2


def test_two_owners_who_demote_each_other_leave_one(
    app: Flask, client_for: Callable[[Any], FlaskClient]
) -> None:
    owner, editor = client_for("owner"), client_for("editor")
    act(owner, "courses/set-member", course_id=COURSE, email="editor@example.test", role="owner")
    demote = {"course_id": COURSE, "role": "viewer"}

    answers = together(
        [
            lambda: post(owner, "courses/set-member", **demote, email="editor@example.test"),
            lambda: post(editor, "courses/set-member", **demote, email="owner@example.test"),
        ]
    )

    assert sorted(status for status, _ in answers) in ([200, 404], [200, 403], [200, 409])
    boss = owner if answers[0][0] == 200 else editor
    roles = [member["role"] for member in read(boss, f"courses/members/{COURSE}")]
    assert roles.count("owner") == 1


@on_postgresql
def test_a_count_made_true_again_does_not_lose_a_link_made_meanwhile(
    story: Story, colleague: Colleague
) -> None:
    from core import db, transaction
    from plugins.chapters.reactions import recount_uses
    from plugins.courses.events import CourseRemoved

    chapter_id = story.add_chapter("Basics")
    (media_id,) = add_videos(story.client, "New")
    with story.app.app_context(), transaction():
        db.session.execute(
            db.text("UPDATE media SET use_count = 7 WHERE id = :id"), {"id": media_id}
        )
    colleague.does("SELECT id FROM media WHERE id = %s FOR UPDATE", media_id)
    colleague.does(
        "INSERT INTO chapter_media (chapter_id, media_id, position) VALUES (%s, %s, 0)",
        chapter_id,
        media_id,
    )
    colleague.does("UPDATE media SET use_count = use_count + 1 WHERE id = %s", media_id)

    def recount() -> None:
        with story.app.app_context(), transaction():
            recount_uses(CourseRemoved(course_id=COURSE, member_ids=[]))

    colleague.meanwhile(recount)

    assert story.read(f"media/usage/{media_id}")["use_count"] == 1
