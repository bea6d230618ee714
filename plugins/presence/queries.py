"""What can be read about those who are there."""

from collections import defaultdict

from sqlalchemy import select

from core import db
from plugins.chapters.events import ChapterRemoved, ChapterRenamed
from plugins.chapters.models import Chapter
from plugins.courses.events import MemberChanged
from plugins.courses.public import author_ids
from plugins.presence import plugin
from plugins.presence.events import PeopleChanged
from plugins.presence.guards import team_access
from plugins.presence.people import Presence, present
from plugins.presence.views import ChapterRef, PersonView


@plugin.query(
    "people",
    guard=team_access,
    stale_on=[PeopleChanged, MemberChanged, ChapterRenamed, ChapterRemoved],
)
def presence_people(course_id: int) -> list[PersonView]:
    """Who has the course open for editing, and the chapters they work in.

    The tab of somebody who has left the team stands in Redis until it falls silent.
    """
    told = _of_the_team(course_id, present(course_id))
    titles = _titles(course_id, {each.chapter_id for each in told if each.chapter_id is not None})
    names: dict[int, str] = {}
    places: dict[int, set[int]] = defaultdict(set)
    for each in told:
        names[each.user_id] = each.name
        if each.chapter_id in titles:
            places[each.user_id].add(each.chapter_id)
    return [
        PersonView(
            user_id=user_id,
            name=name,
            chapters=[ChapterRef(id=id_, title=titles[id_]) for id_ in sorted(places[user_id])],
        )
        for user_id, name in sorted(names.items(), key=lambda item: (item[1], item[0]))
    ]


presence_people.fill("courses.edit-team", plugin, frame="presence/people_frame.html")


def _of_the_team(course_id: int, told: list[Presence]) -> list[Presence]:
    team = set(author_ids(course_id)) if told else set()
    return [each for each in told if each.staff or each.user_id in team]


def _titles(course_id: int, chapter_ids: set[int]) -> dict[int, str]:
    """The titles of those that are chapters of the course; the database is asked for no others."""
    if not chapter_ids:
        return {}
    found = select(Chapter.id, Chapter.title).where(
        Chapter.course_id == course_id, Chapter.id.in_(chapter_ids)
    )
    return {row.id: row.title for row in db.session.execute(found)}
