"""Chapters: their titles and their order."""

import pytest
from flask.testing import FlaskClient

from tests.conftest import act
from tests.plugins.story import COURSE, Story, on_sqlite, read, refused

GONE = "This is gone, or you may not see it. Nothing was saved."
DEMO = ["Light", "Lens and focus", "Composition"]


def ids(story: Story) -> dict[str, int]:
    """The ids of the chapters, by title."""
    return {chapter["title"]: chapter["id"] for chapter in story.chapters()}


def test_a_chapter_is_added_at_the_end(story: Story) -> None:
    added = story.act("chapters/add", course_id=COURSE, title="Editing")

    assert added["position"] == 3
    assert story.titles() == [*DEMO, "Editing"]


def test_course_detail_and_chapter_list_show_the_same(story: Story, viewer: FlaskClient) -> None:
    chapters = story.chapters()

    assert chapters[0]["videos"]
    assert story.read(f"courses/detail/{COURSE}")["chapters"] == chapters
    assert read(viewer, f"chapters/outline/{COURSE}") == chapters


def test_a_chapter_sums_the_length_of_its_videos(story: Story) -> None:
    light = story.chapter("Light")

    assert light["duration_s"] == sum(video["duration_s"] for video in light["videos"]) > 0


def test_a_chapter_is_renamed(story: Story) -> None:
    chapter_id = ids(story)["Light"]

    answer = act(
        story.client,
        "chapters/rename",
        chapter_id=chapter_id,
        title="Light and shade",
        was={"title": "Light"},
    )

    assert answer["message"] == "Renamed to “Light and shade”."
    assert story.titles()[0] == "Light and shade"


def test_a_chapter_renamed_meanwhile_is_not_overwritten(story: Story, editor: FlaskClient) -> None:
    rename = {"chapter_id": ids(story)["Light"], "was": {"title": "Light"}}
    act(editor, "chapters/rename", **rename, title="Theirs")

    problem = refused(story.client, "chapters/rename", 409, **rename, title="Mine")

    assert problem["detail"] == (
        "Somebody else renamed this chapter to “Theirs” meanwhile. Nothing was saved. Keep your "
        "title or use theirs."
    )
    assert (problem["theirs"], problem["mine"]) == ({"title": "Theirs"}, {"title": "Mine"})
    story.act("chapters/rename", **rename | {"was": problem["theirs"]}, title="Mine")
    assert story.titles()[0] == "Mine"


def test_two_who_rename_alike_do_not_conflict(story: Story, editor: FlaskClient) -> None:
    rename = {"chapter_id": ids(story)["Light"], "was": {"title": "Light"}, "title": "Same"}
    act(editor, "chapters/rename", **rename)

    assert act(story.client, "chapters/rename", **rename)["stale"] == []


@pytest.mark.parametrize(
    ("moving", "after", "order"),
    [
        ("Composition", None, ["Composition", "Light", "Lens and focus"]),
        ("Composition", "Light", ["Light", "Composition", "Lens and focus"]),
        ("Light", "Composition", ["Lens and focus", "Composition", "Light"]),
        ("Light", None, DEMO),
    ],
)
def test_a_chapter_moves_behind_another(
    story: Story, moving: str, after: str | None, order: list[str]
) -> None:
    of = ids(story)

    result = story.act(
        "chapters/move",
        chapter_id=of[moving],
        after_chapter_id=of[after] if after is not None else None,
    )

    assert story.titles() == order
    assert result == [of[title] for title in order]


def test_a_form_moves_a_chapter_to_the_front(story: Story) -> None:
    form = {"chapter_id": str(ids(story)["Composition"]), "after_chapter_id": ""}

    assert story.client.post("/a/chapters/move", data=form).status_code == 303

    assert story.titles()[0] == "Composition"


def test_a_move_that_changes_nothing_makes_nothing_stale(story: Story) -> None:
    answer = act(
        story.client, "chapters/move", chapter_id=ids(story)["Light"], after_chapter_id=None
    )

    assert answer["stale"] == []


def test_a_chapter_cannot_follow_one_of_another_course(story: Story) -> None:
    other = story.act("courses/add", title="Other")["id"]
    foreign = story.act("chapters/add", course_id=other, title="Foreign")["id"]

    problem = refused(
        story.client,
        "chapters/move",
        409,
        chapter_id=ids(story)["Light"],
        after_chapter_id=foreign,
    )

    assert problem["detail"] == (
        "The chapter that “Light” was to follow is not in this course any more. Nothing was "
        "moved. Look at the order as it is now, and try again."
    )
    assert story.titles() == DEMO


def test_all_chapters_are_put_in_order(story: Story) -> None:
    order = list(reversed(ids(story).values()))

    story.act("chapters/reorder", course_id=COURSE, chapter_ids=order)

    assert story.titles() == DEMO[::-1]


def test_an_order_that_misses_a_colleagues_chapter_changes_nothing(
    story: Story, editor: FlaskClient
) -> None:
    order = list(reversed(ids(story).values()))
    added = act(editor, "chapters/add", course_id=COURSE, title="New")["result"]["id"]

    problem = refused(story.client, "chapters/reorder", 409, course_id=COURSE, chapter_ids=order)

    assert problem["detail"] == (
        "The chapters of “Photography basics” are not the ones that were to be put in order: "
        "somebody added or removed one meanwhile. Nothing was moved. Look at the order as it is "
        "now, and try again."
    )
    assert problem["chapter_ids"] == [*reversed(order), added]
    assert story.titles() == [*DEMO, "New"]


@pytest.mark.parametrize("spoil", [lambda o: [*o, o[0]], lambda o: o[1:], lambda o: [*o, 10**6]])
def test_an_order_names_each_chapter_once(story: Story, spoil: object) -> None:
    order = spoil(list(ids(story).values()))  # type: ignore[operator]

    refused(story.client, "chapters/reorder", 409, course_id=COURSE, chapter_ids=order)

    assert story.titles() == DEMO


def test_removing_a_chapter_closes_the_gap_and_uncounts_its_videos(story: Story) -> None:
    chapter = story.chapter("Lens and focus")
    media_id = chapter["videos"][0]["media_file_id"]

    answer = act(story.client, "chapters/remove", chapter_id=chapter["id"])

    assert answer["message"] == (
        "“Lens and focus” was removed. Its videos are still in the library."
    )
    assert story.titles() == ["Light", "Composition"]
    assert story.read(f"media/usage/{media_id}") == {
        "media_file_id": media_id,
        "title": "Choosing a lens",
        "trashed_at": None,
        "use_count": 0,
        "chapters": [],
    }


def test_a_removed_chapter_is_gone_for_every_action(story: Story) -> None:
    chapter_id = ids(story)["Light"]
    story.act("chapters/remove", chapter_id=chapter_id)

    actions: dict[str, dict[str, object]] = {
        "rename": {"title": "X", "was": {"title": "Light"}},
        "move": {"after_chapter_id": None},
        "remove": {},
        "link-media": {"media_ids": [1]},
        "reorder-media": {"link_ids": [1]},
    }
    for action, more in actions.items():
        problem = refused(story.client, f"chapters/{action}", 404, chapter_id=chapter_id, **more)
        assert problem["detail"] == GONE


def test_an_id_is_never_given_twice(story: Story) -> None:
    """The button of an old screen must not reach a new row."""
    gone = story.add_chapter("Gone", "Video")
    old_link = story.links("Gone")["Video"]
    media_id = story.chapter("Gone")["videos"][0]["media_file_id"]
    story.act("chapters/remove", chapter_id=gone)
    story.act("media/remove", media_id=media_id)

    assert story.add_chapter("New", "Video") > gone
    assert story.links("New")["Video"] > old_link
    assert story.chapter("New")["videos"][0]["media_file_id"] > media_id


def test_another_courses_chapters_are_out_of_reach(story: Story, editor: FlaskClient) -> None:
    other = story.act("courses/add", title="Other")["id"]
    foreign = story.act("chapters/add", course_id=other, title="Foreign")["id"]

    refused(editor, "chapters/rename", 404, chapter_id=foreign, title="X", was={"title": "Foreign"})
    refused(editor, "chapters/link-media", 404, chapter_id=foreign, media_ids=[1])
    assert editor.get(f"/q/chapters/picker/{foreign}").status_code == 404


def test_viewers_look_and_change_nothing(viewer: FlaskClient, story: Story) -> None:
    chapter = story.chapter("Light")
    chapter_id, link_id = chapter["id"], chapter["videos"][0]["link_id"]

    for action, arguments in {
        "add": {"course_id": COURSE, "title": "X"},
        "rename": {"chapter_id": chapter_id, "title": "X", "was": {"title": "Light"}},
        "move": {"chapter_id": chapter_id, "after_chapter_id": None},
        "reorder": {"course_id": COURSE, "chapter_ids": [1]},
        "remove": {"chapter_id": chapter_id},
        "link-media": {"chapter_id": chapter_id, "media_ids": [1]},
        "unlink": {"link_id": link_id},
        "move-media": {"link_id": link_id, "chapter_id": chapter_id, "after_link_id": None},
        "reorder-media": {"chapter_id": chapter_id, "link_ids": [link_id]},
    }.items():
        refused(viewer, f"chapters/{action}", 403, **arguments)

    assert viewer.get(f"/q/chapters/picker/{chapter_id}").status_code == 404


@on_sqlite
@pytest.mark.parametrize(
    "arguments",
    [
        {"course_id": "1", "title": "X"},
        {"course_id": COURSE},
        {"course_id": COURSE, "title": "X", "position": 0},
        {"course_id": COURSE, "title": ["X"]},
        {"course_id": True, "title": "X"},
    ],
)
def test_bad_input_is_named_and_leaves_nothing_behind(
    story: Story, arguments: dict[str, object]
) -> None:
    problem = refused(story.client, "chapters/add", 422, **arguments)

    assert problem["errors"]
    assert story.titles() == DEMO


def test_numbers_beyond_the_database_are_nobodys(story: Story) -> None:
    for number in (2**31, 2**63, 2**70, -1):
        response = story.client.post(
            "/a/chapters/add", json={"course_id": number, "title": "Nowhere"}
        )
        assert response.status_code in (404, 422), number
