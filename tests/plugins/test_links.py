"""Videos in chapters."""

import pytest
from flask.testing import FlaskClient

from tests.conftest import act
from tests.plugins.story import COURSE, Story, add_videos, on_sqlite, read, refused

CHANGED = (
    "The videos of “Basics” are not the ones that were to be put in order: somebody added or "
    "removed one meanwhile. Nothing was moved. Look at the order as it is now, and try again."
)


def link(story: Story, chapter_id: int, *media_ids: int) -> list[str]:
    """Link videos; returns what became of each."""
    outcomes = story.act("chapters/link-media", chapter_id=chapter_id, media_ids=list(media_ids))
    return [outcome["status"] for outcome in outcomes]


def test_several_videos_are_linked_in_the_order_chosen(story: Story) -> None:
    chapter_id = story.add_chapter("Basics", "One")
    media_ids = add_videos(story.client, "Three", "Two")

    answer = act(
        story.client, "chapters/link-media", chapter_id=chapter_id, media_ids=media_ids[::-1]
    )

    assert answer["message"] == "2 videos added to “Basics”."
    assert story.videos("Basics") == ["One", "Two", "Three"]
    assert [outcome["link_id"] for outcome in answer["result"]] == [
        story.links("Basics")["Two"],
        story.links("Basics")["Three"],
    ]


def test_a_linked_video_shows_the_same_fields_everywhere(story: Story, viewer: FlaskClient) -> None:
    linked = story.chapter("Light")["videos"][0]
    media_id = linked["media_file_id"]
    common = {k: v for k, v in linked.items() if k not in ("link_id", "position")}

    rows = story.read("media/list")["rows"]
    picked = story.read(f"chapters/picker/{story.chapter('Light')['id']}")["rows"]

    for row in (
        next(row for row in rows if row["media_file_id"] == media_id),
        next(row for row in picked if row["media_file_id"] == media_id),
        story.read(f"media/detail/{media_id}"),
        read(viewer, f"chapters/outline/{COURSE}")[0]["videos"][0],
        story.read(f"courses/detail/{COURSE}")["chapters"][0]["videos"][0],
    ):
        assert row.items() >= common.items()
    assert common["video_url"] == f"/media/{media_id}/file"


def test_what_cannot_be_linked_is_an_outcome_and_not_a_failure(story: Story) -> None:
    chapter_id = story.add_chapter("Basics", "There")
    (new,) = add_videos(story.client, "New")
    there = story.chapter("Basics")["videos"][0]["media_file_id"]

    answer = act(
        story.client,
        "chapters/link-media",
        chapter_id=chapter_id,
        media_ids=[there, new, 10**6, new],
    )

    assert answer["result"] == [
        {
            "media_file_id": there,
            "status": "already_linked",
            "link_id": story.links("Basics")["There"],
            "title": "There",
        },
        {
            "media_file_id": new,
            "status": "linked",
            "link_id": story.links("Basics")["New"],
            "title": "New",
        },
        {"media_file_id": 10**6, "status": "not_found", "link_id": None, "title": None},
    ]
    assert answer["message"] == (
        "1 video added to “Basics”. 1 video is in “Basics” already. "
        "1 video is not in the library any more."
    )


def test_linking_nothing_new_says_so_and_makes_nothing_stale(story: Story) -> None:
    chapter_id = story.add_chapter("Basics", "One", "Two")
    media_ids = [video["media_file_id"] for video in story.chapter("Basics")["videos"]]

    answer = act(story.client, "chapters/link-media", chapter_id=chapter_id, media_ids=media_ids)

    assert answer["message"] == "2 videos are in “Basics” already. Nothing was added."
    assert answer["stale"] == []


@on_sqlite
@pytest.mark.parametrize("media_ids", [[], list(range(1, 202)), ["1"], "1", None])
def test_one_to_two_hundred_videos_are_linked_at_once(story: Story, media_ids: object) -> None:
    chapter_id = story.add_chapter("Basics")

    refused(story.client, "chapters/link-media", 422, chapter_id=chapter_id, media_ids=media_ids)


def test_one_video_may_stand_in_several_chapters(story: Story) -> None:
    story.add_chapter("Basics", "Shared")
    second = story.add_chapter("More")
    media_id = story.chapter("Basics")["videos"][0]["media_file_id"]

    assert link(story, second, media_id) == ["linked"]

    usage = story.read(f"media/usage/{media_id}")
    assert usage["use_count"] == 2
    assert [use["chapter_title"] for use in usage["chapters"]] == ["Basics", "More"]
    assert usage["chapters"][0] == {
        "course_id": COURSE,
        "course_title": "Photography basics",
        "chapter_id": story.chapter("Basics")["id"],
        "chapter_title": "Basics",
        "link_id": story.links("Basics")["Shared"],
        "url": f"/courses/{COURSE}/edit#chapter-{story.chapter('Basics')['id']}",
    }


def test_unlinking_closes_the_gap_and_keeps_the_file(story: Story) -> None:
    story.add_chapter("Basics", "One", "Two", "Three")

    answer = act(story.client, "chapters/unlink", link_id=story.links("Basics")["One"])

    assert answer["message"] == "“One” was taken out of “Basics”. It is still in the library."
    assert story.videos("Basics") == ["Two", "Three"]
    row = story.read("media/list", search="One")["rows"][0]
    assert row["use_count"] == 0


def test_unlinking_twice_says_that_it_is_gone(story: Story) -> None:
    story.add_chapter("Basics", "One")
    link_id = story.links("Basics")["One"]
    story.act("chapters/unlink", link_id=link_id)

    refused(story.client, "chapters/unlink", 404, link_id=link_id)


@pytest.mark.parametrize(
    ("moving", "after", "order"),
    [
        ("Three", None, ["Three", "One", "Two"]),
        ("One", "Two", ["Two", "One", "Three"]),
        ("One", "Three", ["Two", "Three", "One"]),
    ],
)
def test_a_video_moves_inside_its_chapter(
    story: Story, moving: str, after: str | None, order: list[str]
) -> None:
    chapter_id = story.add_chapter("Basics", "One", "Two", "Three")
    links = story.links("Basics")

    place = story.act(
        "chapters/move-media",
        link_id=links[moving],
        chapter_id=chapter_id,
        after_link_id=links[after] if after is not None else None,
    )

    assert story.videos("Basics") == order
    assert story.links("Basics") == links
    assert place == {
        "link_id": links[moving],
        "chapter_id": chapter_id,
        "position": order.index(moving),
    }


def test_a_video_moves_to_another_chapter_and_keeps_its_link(story: Story) -> None:
    story.add_chapter("From", "One", "Two")
    target = story.add_chapter("To", "A", "B")
    link_id = story.links("From")["One"]

    story.act(
        "chapters/move-media",
        link_id=link_id,
        chapter_id=target,
        after_link_id=story.links("To")["A"],
    )

    assert story.videos("From") == ["Two"]
    assert story.videos("To") == ["A", "One", "B"]
    assert story.links("To")["One"] == link_id


def test_a_move_is_refused_where_the_video_is_already(story: Story) -> None:
    story.add_chapter("From", "One")
    target = story.add_chapter("To")
    link(story, target, story.chapter("From")["videos"][0]["media_file_id"])

    problem = refused(
        story.client,
        "chapters/move-media",
        409,
        link_id=story.links("From")["One"],
        chapter_id=target,
        after_link_id=None,
    )

    assert problem["detail"] == (
        "“One” is in “To” already. Nothing was moved. Take it out of “From” if once is enough."
    )


def test_a_move_to_another_course_is_refused(story: Story) -> None:
    story.add_chapter("From", "One")
    other = story.act("courses/add", title="Other")["id"]
    foreign = story.act("chapters/add", course_id=other, title="Foreign")["id"]
    link_id = story.links("From")["One"]

    for chapter_id in (foreign, 10**6):
        problem = refused(
            story.client,
            "chapters/move-media",
            422,
            link_id=link_id,
            chapter_id=chapter_id,
            after_link_id=None,
        )
        assert problem["errors"] == {"chapter_id": "Choose a chapter of the same course."}
    assert story.videos("From") == ["One"]


def test_a_move_behind_a_video_that_left_is_refused(story: Story, editor: FlaskClient) -> None:
    chapter_id = story.add_chapter("Basics", "One", "Two")
    links = story.links("Basics")
    act(editor, "chapters/unlink", link_id=links["Two"])

    problem = refused(
        story.client,
        "chapters/move-media",
        409,
        link_id=links["One"],
        chapter_id=chapter_id,
        after_link_id=links["Two"],
    )

    assert problem["detail"] == (
        "The video that “One” was to follow is not in “Basics” any more. Nothing was moved. Look "
        "at the order as it is now, and try again."
    )


def test_all_videos_of_a_chapter_are_put_in_order(story: Story) -> None:
    chapter_id = story.add_chapter("Basics", "One", "Two", "Three")
    order = list(story.links("Basics").values())[::-1]

    story.act("chapters/reorder-media", chapter_id=chapter_id, link_ids=order)

    assert story.videos("Basics") == ["Three", "Two", "One"]


def test_a_stale_order_never_unlinks_a_colleagues_video(story: Story, editor: FlaskClient) -> None:
    chapter_id = story.add_chapter("Basics", "One", "Two")
    order = list(story.links("Basics").values())[::-1]
    act(editor, "chapters/link-media", chapter_id=chapter_id, media_ids=add_videos(editor, "New"))

    problem = refused(
        story.client, "chapters/reorder-media", 409, chapter_id=chapter_id, link_ids=order
    )

    assert problem["detail"] == CHANGED
    assert problem["link_ids"] == list(story.links("Basics").values())
    assert story.videos("Basics") == ["One", "Two", "New"]


def test_the_picker_tells_what_is_linked_and_follows_search_and_order(story: Story) -> None:
    chapter_id = story.add_chapter("Basics", "Zebra alpha", "Zebra beta")
    add_videos(story.client, "Zebra gamma")

    page = story.read(f"chapters/picker/{chapter_id}", search="zebra", sort="title")

    assert [(row["title"], row["linked"]) for row in page["rows"]] == [
        ("Zebra alpha", True),
        ("Zebra beta", True),
        ("Zebra gamma", False),
    ]
    assert {name: page[name] for name in ("chapter_id", "chapter_title", "course_id", "total")} == {
        "chapter_id": chapter_id,
        "chapter_title": "Basics",
        "course_id": COURSE,
        "total": 3,
    }


def test_links_of_another_course_are_out_of_reach(story: Story, editor: FlaskClient) -> None:
    other = story.act("courses/add", title="Other")["id"]
    foreign = Story(story.app, story.client, other)
    chapter_id = foreign.add_chapter("Foreign", "One")
    link_id = foreign.links("Foreign")["One"]
    mine = story.chapter("Light")["id"]

    refused(editor, "chapters/unlink", 404, link_id=link_id)
    refused(
        editor, "chapters/move-media", 404, link_id=link_id, chapter_id=mine, after_link_id=None
    )
    refused(
        editor,
        "chapters/move-media",
        422,
        link_id=story.chapter("Light")["videos"][0]["link_id"],
        chapter_id=chapter_id,
        after_link_id=None,
    )
