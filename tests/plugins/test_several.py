"""Many videos at once, and what takes back what was done."""

from typing import Any

from tests.conftest import act
from tests.plugins.story import COURSE, Story, on_sqlite, refused


def undo(story: Story, answer: Any) -> Any:
    """Do what the answer says would take it back; returns the answer to that."""
    offered = answer["undo"]
    return act(story.client, offered["action"], **offered["arguments"])


def media_ids(story: Story, chapter: str) -> list[int]:
    return [video["media_file_id"] for video in story.chapter(chapter)["videos"]]


def test_videos_of_two_chapters_are_unlinked_at_once_and_linked_again(story: Story) -> None:
    story.add_chapter("Basics", "One", "Two", "Three")
    story.add_chapter("More", "Four", "Five")
    links = story.links("Basics") | story.links("More")
    chosen = [links["One"], links["Three"], links["Four"]]

    answer = act(story.client, "chapters/unlink-several", course_id=COURSE, link_ids=chosen)

    assert answer["message"] == "3 videos unlinked. They are still in the library."
    assert (story.videos("Basics"), story.videos("More")) == (["Two"], ["Five"])
    again = undo(story, answer)
    assert again["message"] == "3 videos linked again."
    assert story.videos("Basics") == ["One", "Two", "Three"]
    assert story.videos("More") == ["Four", "Five"]
    undo(story, again)
    assert (story.videos("Basics"), story.videos("More")) == (["Two"], ["Five"])
    (four,) = [row for row in story.read("media/list")["rows"] if row["title"] == "Four"]
    assert story.read(f"media/usage/{four['media_file_id']}")["use_count"] == 0


def test_videos_move_together_in_front_of_another_and_back(story: Story) -> None:
    basics = story.add_chapter("Basics", "One", "Two", "Three")
    more = story.add_chapter("More", "Four", "Five")
    links = story.links("Basics") | story.links("More")

    answer = act(
        story.client,
        "chapters/move-several",
        course_id=COURSE,
        link_ids=[links["Three"], links["One"], links["Five"]],
        chapter_id=more,
        before_link_id=links["Four"],
    )

    assert answer["message"] == "3 videos moved to “More”."
    assert (story.videos("Basics"), story.videos("More")) == (
        ["Two"],
        ["Three", "One", "Five", "Four"],
    )
    assert story.links("More")["One"] == links["One"]
    again = undo(story, answer)
    assert story.videos("Basics") == ["One", "Two", "Three"]
    assert story.videos("More") == ["Four", "Five"]
    undo(story, again)
    assert story.videos("More") == ["Three", "One", "Five", "Four"]
    story.act("chapters/move-several", course_id=COURSE, link_ids=[links["Three"]], chapter_id=more)
    assert story.videos("More") == ["One", "Five", "Four", "Three"]
    assert basics != more


def test_a_video_that_the_chapter_has_already_stays(story: Story) -> None:
    story.add_chapter("Basics", "Shared", "One")
    more = story.add_chapter("More")
    (shared, _) = media_ids(story, "Basics")
    story.act("chapters/link-media", chapter_id=more, media_ids=[shared])
    links = story.links("Basics")
    move = {"course_id": COURSE, "chapter_id": more}

    problem = refused(
        story.client, "chapters/move-several", 409, **move, link_ids=[links["Shared"]]
    )
    answer = act(story.client, "chapters/move-several", **move, link_ids=list(links.values()))

    assert problem["detail"] == "“More” has what was to be moved there already. Nothing was moved."
    assert answer["message"] == ("1 video moved to “More”. 1 video stayed: “More” has it already.")
    assert (story.videos("Basics"), story.videos("More")) == (["Shared"], ["Shared", "One"])


def test_what_was_unlinked_meanwhile_is_left_out(story: Story) -> None:
    basics = story.add_chapter("Basics", "One", "Two")
    links = story.links("Basics")
    more = story.add_chapter("More")
    move = {"course_id": COURSE, "chapter_id": more, "link_ids": list(links.values())}
    story.act("chapters/unlink", link_id=links["One"])

    beside = refused(story.client, "chapters/move-several", 409, **move, before_link_id=10**6)
    answer = act(story.client, "chapters/move-several", **move)
    story.act("chapters/unlink", link_id=links["Two"])
    problem = refused(story.client, "chapters/move-several", 404, **{**move, "chapter_id": basics})

    assert "in front of which" in beside["detail"]
    assert answer["message"] == "1 video moved to “More”."
    assert problem["detail"].startswith("These videos were taken out of their chapters meanwhile.")


@on_sqlite
def test_nothing_reaches_into_another_course(story: Story) -> None:
    story.add_chapter("Basics", "One")
    (link_id,) = story.links("Basics").values()
    (media_id,) = media_ids(story, "Basics")
    other = Story(story.app, story.client, story.act("courses/add", title="Another")["id"])
    elsewhere = other.add_chapter("Elsewhere", "Two")
    here = story.chapter("Basics")["id"]
    place = {"link_id": link_id, "chapter_id": elsewhere, "position": 0}
    lost = {"chapter_id": here, "media_id": media_id, "position": 0}

    attempts: list[tuple[str, int, dict[str, Any]]] = [
        ("unlink-several", 404, {"link_ids": [link_id]}),
        ("move-several", 404, {"link_ids": [link_id], "chapter_id": elsewhere}),
        ("put-back", 404, {"places": [place]}),
        ("relink", 422, {"links": [lost]}),
    ]
    for action, status, arguments in attempts:
        refused(story.client, f"chapters/{action}", status, course_id=other.course_id, **arguments)
    refused(
        story.client,
        "chapters/move-several",
        422,
        course_id=COURSE,
        link_ids=[link_id],
        chapter_id=elsewhere,
    )
    assert story.videos("Basics") == ["One"]
    assert other.videos("Elsewhere") == ["Two"]


def test_each_small_change_can_be_taken_back(story: Story) -> None:
    story.add_chapter("Basics", "One", "Two", "Three")
    more = story.add_chapter("More", "Four")
    links, basics = story.links("Basics"), story.chapter("Basics")["id"]
    (four,) = media_ids(story, "More")
    detail = story.read(f"courses/detail/{COURSE}")
    was = {name: detail[name] for name in ("title", "description", "status")}
    before = (story.chapters(), detail["title"])
    changes: list[tuple[str, dict[str, Any]]] = [
        ("chapters/move-media", {"link_id": links["One"], "chapter_id": more}),
        ("chapters/move-media", {"link_id": links["Three"], "chapter_id": basics}),
        ("chapters/link-media", {"chapter_id": basics, "media_ids": [four]}),
        ("chapters/rename", {"chapter_id": basics, "title": "B", "was": {"title": "Basics"}}),
        ("chapters/move", {"chapter_id": basics, "after_chapter_id": None}),
        ("courses/edit", {"course_id": COURSE, **was, "title": "T", "was": was}),
    ]

    for action, arguments in changes:
        if action.endswith("move-media"):
            arguments["after_link_id"] = None
        answer = act(story.client, action, **arguments)
        assert (story.chapters(), story.read(f"courses/detail/{COURSE}")["title"]) != before
        undo(story, answer)
        assert (story.chapters(), story.read(f"courses/detail/{COURSE}")["title"]) == before


def test_unlinked_and_removed_things_come_back_where_they_stood(story: Story) -> None:
    story.add_chapter("Basics", "One", "Two", "Three")
    story.add_chapter("More", "Four")
    titles, videos = story.titles(), story.videos("Basics")

    undo(story, act(story.client, "chapters/unlink", link_id=story.links("Basics")["Two"]))
    assert story.videos("Basics") == videos
    removal = act(story.client, "chapters/remove", chapter_id=story.chapter("Basics")["id"])
    assert story.titles() == [title for title in titles if title != "Basics"]
    answer = undo(story, removal)

    assert answer["message"] == "“Basics” is back."
    assert story.titles() == titles
    assert story.videos("Basics") == videos
    undo(story, answer)
    assert "Basics" not in story.titles()


def test_taking_back_keeps_what_others_did_meanwhile(story: Story) -> None:
    basics = story.add_chapter("Basics", "One", "Two")
    links = story.links("Basics")
    rename = {"chapter_id": basics, "title": "Bases", "was": {"title": "Basics"}}
    renamed = act(story.client, "chapters/rename", **rename)
    unlinked = act(story.client, "chapters/unlink", link_id=links["Two"])
    story.act("chapters/rename", chapter_id=basics, title="Foundations", was={"title": "Bases"})
    story.act("chapters/remove", chapter_id=basics)

    for answer, status in [(renamed, 404), (unlinked, 422)]:
        offered = answer["undo"]
        refused(story.client, offered["action"], status, **offered["arguments"])


def test_videos_are_linked_in_front_of_another(story: Story) -> None:
    basics = story.add_chapter("Basics", "One", "Two")
    story.add_chapter("More", "Three", "Four")
    chosen = media_ids(story, "More")
    link = {"chapter_id": basics, "media_ids": chosen[:1]}

    story.act("chapters/link-media", **link, before_link_id=story.links("Basics")["Two"])
    story.act("chapters/link-media", chapter_id=basics, media_ids=chosen[1:], before_link_id=10**6)

    assert story.videos("Basics") == ["One", "Three", "Two", "Four"]
