"""Courses, their fields, and their members."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from core import db, transaction
from plugins.accounts.models import User
from tests.conftest import act
from tests.plugins.story import COURSE, on_sqlite, react, read, refused

GONE = "This is gone, or you may not see it. Nothing was saved."
ONLY_OWNER = (
    "Olive Owner is the only owner of “Photography basics”. Make somebody else an owner first; "
    "then try again."
)


def fields(client: FlaskClient, **changes: str) -> dict[str, str]:
    """The editable fields of the course, with *changes*."""
    detail = read(client, f"courses/detail/{COURSE}")
    return {name: detail[name] for name in ("title", "description", "status")} | changes


def user_id(client: FlaskClient) -> int:
    """Who the client is."""
    found: int = read(client, "accounts/me")["user_id"]
    return found


def make_staff(app: Flask, email: str) -> None:
    """Let the user with *email* see every course."""
    with app.app_context(), transaction():
        db.session.execute(update(User).where(User.email == email).values(staff=True))


def test_a_new_course_is_a_draft_owned_by_whoever_added_it(editor: FlaskClient) -> None:
    answer = act(editor, "courses/add", title="  Darkroom \n work ")

    added = answer["result"]
    assert answer["message"] == "“Darkroom work” was added as a draft."
    assert added["url"] == f"/courses/{added['id']}/edit"
    assert read(editor, "courses/list")[0] == {
        "id": added["id"],
        "title": "Darkroom work",
        "status": "draft",
        "role": "owner",
    }
    assert read(editor, f"courses/detail/{added['id']}")["chapters"] == []


@on_sqlite
@pytest.mark.parametrize("title", ["", "   ", "\x00\n", "x" * 201])
def test_a_course_needs_a_title_that_fits(owner: FlaskClient, title: str) -> None:
    problem = refused(owner, "courses/add", 422, title=title)

    assert list(problem["errors"]) == ["title"]


def test_viewers_add_no_courses(viewer: FlaskClient) -> None:
    assert refused(viewer, "courses/add", 404, title="Mine")["detail"] == GONE


def test_an_author_without_courses_adds_one(owner: FlaskClient) -> None:
    act(owner, "courses/remove", course_id=COURSE)

    assert read(owner, "courses/list") == []
    act(owner, "courses/add", title="A new start")


def test_a_list_shows_only_the_courses_of_its_user(owner: FlaskClient, viewer: FlaskClient) -> None:
    act(owner, "courses/add", title="Not for viewers")

    assert [row["title"] for row in read(viewer, "courses/list")] == ["Photography basics"]
    assert viewer.get(f"/q/courses/list/{user_id(owner)}").status_code == 404


def test_staff_see_and_change_every_course(
    app: Flask, owner: FlaskClient, viewer: FlaskClient
) -> None:
    other = act(owner, "courses/add", title="Another")["result"]["id"]
    make_staff(app, "viewer@example.test")

    assert [row["role"] for row in read(viewer, "courses/list")] == [None, "viewer"]
    act(viewer, "courses/remove", course_id=other)


@pytest.mark.parametrize(
    ("role", "see", "change", "own"),
    [
        ("owner", 200, 200, 200),
        ("editor", 200, 200, 403),
        ("viewer", 200, 403, 404),
        (None, 401, 401, 401),
    ],
)
def test_roles_decide_what_may_be_done(
    client_for: Callable[[Any], FlaskClient], role: str | None, see: int, change: int, own: int
) -> None:
    client = client_for(role)
    same = {"title": "Photography basics", "description": "x", "status": "draft"}

    seen = client.get(f"/q/courses/detail/{COURSE}")
    changed = client.post("/a/courses/edit", json={"course_id": COURSE, **same, "was": same})
    owned = client.post(
        "/a/courses/set-member",
        json={"course_id": COURSE, "email": "viewer@example.test", "role": "viewer"},
    )

    assert (seen.status_code, changed.status_code, owned.status_code) == (see, change, own)


def test_who_is_no_member_sees_nothing_of_a_course(owner: FlaskClient, editor: FlaskClient) -> None:
    secret = act(owner, "courses/add", title="Secret")["result"]["id"]
    absent = secret + 1000

    for course_id in (secret, absent):
        for path in ("courses/detail", "courses/members", "chapters/list", "chapters/outline"):
            assert editor.get(f"/q/{path}/{course_id}").status_code == 404
        assert refused(editor, "courses/remove", 404, course_id=course_id)["detail"] == GONE


def test_an_edit_is_seen_by_everybody(owner: FlaskClient, viewer: FlaskClient) -> None:
    was = fields(owner)

    answer = act(
        owner,
        "courses/edit",
        course_id=COURSE,
        title="Photography, basics",
        description="First line\r\nsecond line",
        status="draft",
        was=was,
    )

    assert answer["message"] == "Saved."
    assert fields(viewer) == {
        "title": "Photography, basics",
        "description": "First line\nsecond line",
        "status": "draft",
    }
    assert read(viewer, "courses/list")[0]["title"] == "Photography, basics"


def test_an_edit_that_changes_nothing_makes_nothing_stale(owner: FlaskClient) -> None:
    same = fields(owner)

    assert act(owner, "courses/edit", course_id=COURSE, **same, was=same)["stale"] == []


def test_two_edits_of_different_fields_both_stay(owner: FlaskClient, editor: FlaskClient) -> None:
    was = fields(owner)

    act(owner, "courses/edit", course_id=COURSE, **fields(owner, title="Theirs"), was=was)
    act(editor, "courses/edit", course_id=COURSE, **(was | {"description": "Mine"}), was=was)

    assert fields(owner) == was | {"title": "Theirs", "description": "Mine"}


def test_two_edits_of_one_field_conflict_and_show_both(
    owner: FlaskClient, editor: FlaskClient
) -> None:
    was = fields(owner)
    theirs = was | {"title": "Theirs", "description": "Both changed this alike"}
    mine = was | {"title": "Mine", "description": "Both changed this alike"}
    act(owner, "courses/edit", course_id=COURSE, **theirs, was=was)

    problem = refused(editor, "courses/edit", 409, course_id=COURSE, **mine, was=was)

    assert problem["theirs"] == {"title": "Theirs"}
    assert problem["mine"] == {"title": "Mine"}
    assert problem["detail"] == (
        "Somebody else changed the title of this course meanwhile. Nothing was saved. Keep your "
        "version or use theirs."
    )
    assert fields(owner)["title"] == "Theirs"


def test_keeping_mine_keeps_what_others_did_to_the_rest(
    owner: FlaskClient, editor: FlaskClient
) -> None:
    was = fields(owner)
    act(
        owner,
        "courses/edit",
        course_id=COURSE,
        **(was | {"title": "Theirs", "status": "draft"}),
        was=was,
    )
    mine = was | {"title": "Mine"}
    theirs = refused(editor, "courses/edit", 409, course_id=COURSE, **mine, was=was)["theirs"]

    act(editor, "courses/edit", course_id=COURSE, **mine, was=was | theirs)

    assert fields(owner) == was | {"title": "Mine", "status": "draft"}


def test_a_form_without_javascript_edits_too(owner: FlaskClient) -> None:
    was = fields(owner)
    form = {"course_id": COURSE, **was, "title": "From a form", "_next": "/courses/1/edit"}

    response = owner.post(
        "/a/courses/edit", data=form | {f"was.{name}": value for name, value in was.items()}
    )

    assert (response.status_code, response.location) == (303, "/courses/1/edit")
    assert fields(owner)["title"] == "From a form"


def test_removing_a_course_takes_its_chapters_and_leaves_the_videos(
    app: Flask, owner: FlaskClient, viewer: FlaskClient
) -> None:
    total = read(owner, "media/list")["total"]
    used = [row for row in read(owner, "media/list")["rows"] if row["use_count"]]

    answer = act(owner, "courses/remove", course_id=COURSE)

    assert used
    assert answer["message"] == "“Photography basics” was removed."
    assert viewer.get(f"/q/courses/detail/{COURSE}").status_code == 404
    assert read(viewer, "courses/list") == []
    library = read(owner, "media/list")
    assert library["total"] == total
    react(app)
    assert [row["use_count"] for row in read(owner, "media/list")["rows"]] == [0] * total


def test_a_video_of_a_removed_course_can_be_removed_at_once(owner: FlaskClient) -> None:
    used = next(row for row in read(owner, "media/list")["rows"] if row["use_count"])
    act(owner, "courses/remove", course_id=COURSE)

    act(owner, "media/remove", media_id=used["media_file_id"])


def test_members_are_listed_owners_first(editor: FlaskClient) -> None:
    members = read(editor, f"courses/members/{COURSE}")

    assert [(member["name"], member["role"]) for member in members] == [
        ("Olive Owner", "owner"),
        ("Edgar Editor", "editor"),
        ("Vera Viewer", "viewer"),
    ]


def test_a_role_is_given_and_taken_at_once(owner: FlaskClient, viewer: FlaskClient) -> None:
    edit = {"course_id": COURSE, "title": "A chapter"}
    refused(viewer, "chapters/add", 403, **edit)

    answer = act(
        owner, "courses/set-member", course_id=COURSE, email="VIEWER@example.test", role="editor"
    )

    assert answer["message"] == "Vera Viewer is an editor of “Photography basics”."
    act(viewer, "chapters/add", **edit)
    act(owner, "courses/remove-member", course_id=COURSE, user_id=user_id(viewer))
    refused(viewer, "chapters/add", 404, **edit)
    assert read(viewer, "courses/list") == []


def test_a_member_must_have_an_account(owner: FlaskClient) -> None:
    problem = refused(
        owner, "courses/set-member", 422, course_id=COURSE, email="x@y.test", role="editor"
    )

    assert problem["detail"] == "Nobody signs in here as “x@y.test”. Nothing was saved."
    assert problem["errors"] == {"email": "Enter the e-mail address of an account of this site."}


def test_a_course_keeps_an_owner(owner: FlaskClient) -> None:
    me = {"course_id": COURSE, "email": "owner@example.test"}

    demoted = refused(owner, "courses/set-member", 409, **me, role="editor")
    removed = refused(owner, "courses/remove-member", 409, course_id=COURSE, user_id=user_id(owner))

    assert demoted["detail"] == removed["detail"] == ONLY_OWNER
    act(owner, "courses/set-member", course_id=COURSE, email="editor@example.test", role="owner")
    act(owner, "courses/set-member", **me, role="editor")


def test_removing_a_member_twice_says_so(owner: FlaskClient, viewer: FlaskClient) -> None:
    gone = {"course_id": COURSE, "user_id": user_id(viewer)}
    act(owner, "courses/remove-member", **gone)

    problem = refused(owner, "courses/remove-member", 404, **gone)

    assert problem["detail"] == (
        "This user is no longer a member of “Photography basics”. Nothing was changed."
    )
