"""Mistakes of plugin authors, each planted in a plugin of its own: rooms, and the boxes in them.

Each has its line in docs/freshness.md, under the same name, and says there who catches it.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

from flask import current_app, request
from pydantic import BaseModel
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from core import (
    Access,
    Event,
    Me,
    Params,
    Plugin,
    db,
    emit,
    now,
    public,
    reading,
    signed_in,
    transaction,
    writing,
)

Caught = Literal["at start", "at the first run", "strict and heal", "strict", "not"]

metadata = MetaData()
room = Table("planted_room", metadata, Column("id", Integer, primary_key=True))
box = Table(
    "planted_box",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("room_id", Integer, ForeignKey("planted_room.id", ondelete="CASCADE"), nullable=False),
    Column("owner_id", Integer, nullable=False, default=1),
    Column("label", String(40), nullable=False),
)
member = Table(
    "planted_member",
    metadata,
    Column("room_id", Integer, primary_key=True),
    Column("user_id", Integer, primary_key=True),
)
diary = Table(
    "planted_diary",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("room_id", Integer, nullable=False),
)
label_view = Table(
    "planted_label", MetaData(), Column("room_id", Integer), Column("label", String(40))
)

EXTRAS = (
    "CREATE VIEW planted_label AS SELECT room_id, label FROM planted_box",
    """CREATE TRIGGER planted_trigger AFTER INSERT ON planted_box
    BEGIN INSERT INTO planted_diary (room_id) VALUES (new.room_id); END""",
)
"""What the database does by itself, in SQLite's words."""

ROOM, OTHER_ROOM = 1, 2
ME, OTHER = 1, 2


class Labels(BaseModel):
    labels: list[str]


@dataclass
class Bed:
    """The plugin into which a mistake is planted, with two events and what to do.

    ``shows`` is the path below ``/q/`` that is read before and after, ``act`` what is posted, or
    ``visit`` the address that is opened.
    """

    plugin: Plugin = field(default_factory=lambda: Plugin("planted", __name__, requires=[]))
    shows: str = f"planted/boxes/{ROOM}"
    act: str | None = "planted/add-box"
    arguments: dict[str, Any] = field(default_factory=lambda: {"room_id": ROOM})
    visit: str | None = None

    def __post_init__(self) -> None:
        @self.plugin.event
        class BoxAdded(Event):
            room_id: int
            box_id: int

        @self.plugin.event
        class RoomCleared(Event):
            room_id: int

        self.added, self.cleared = BoxAdded, RoomCleared

        @self.plugin.identity(cookie="user")
        def load(token: str) -> Me:
            number = int(token)
            return Me(number, "", "", False, number, now() + timedelta(days=1))

    def query_of_boxes(self, *stale_on: type[Event]) -> Any:
        """The boxes of a room, stale on these."""

        @self.plugin.query("boxes", guard=public, stale_on=stale_on)
        def boxes(room_id: int) -> Labels:
            return labels_of(room_id)

        return boxes

    def action_that(self, write: Callable[[int], object]) -> None:
        """The action ``add_box``, which does what *write* does."""

        @self.plugin.action(guard=public)
        def add_box(room_id: int) -> None:
            write(room_id)

    def add(self, room_id: int) -> None:
        """Add a box, and say so."""
        emit(self.added(room_id=room_id, box_id=put_box(room_id)))


def labels_of(room_id: int) -> Labels:
    rows = select(box.c.label).where(box.c.room_id == room_id).order_by(box.c.id)
    return Labels(labels=list(db.session.scalars(rows)))


def put_box(room_id: int, owner_id: int = ME) -> int:
    row = insert(box).values(room_id=room_id, owner_id=owner_id, label="new")
    return db.session.scalar(row.returning(box.c.id)) or 0


@dataclass(frozen=True)
class Mistake:
    """A mistake, who catches it, and words of the text that tells of it."""

    name: str
    caught: Caught
    told: str
    plant: Callable[[Bed], None]


MISTAKES: list[Mistake] = []


def mistake(
    name: str, caught: Caught, told: str = ""
) -> Callable[[Callable[[Bed], None]], Callable[[Bed], None]]:
    def register(plant: Callable[[Bed], None]) -> Callable[[Bed], None]:
        MISTAKES.append(Mistake(name, caught, told, plant))
        return plant

    return register


@mistake("A query without any event", "at start", "is never stale: it names no event")
def no_event(bed: Bed) -> None:
    bed.query_of_boxes()


@mistake("An event without the key's parameter", "at start", "has no field 'room_id'")
def no_field(bed: Bed) -> None:
    @bed.plugin.event
    class Shaken(Event):
        pass

    bed.query_of_boxes(Shaken)


@mistake("An event whose field has another type", "at start", "Make them the same type")
def other_type(bed: Bed) -> None:
    @bed.plugin.event
    class Shaken(Event):
        room_id: str

    bed.query_of_boxes(Shaken)


@mistake("An event that nobody declares any more", "at start", "which no enabled plugin declares")
def undeclared(bed: Bed) -> None:
    class BoxPutIn(Event):
        room_id: int

    bed.query_of_boxes(BoxPutIn)


@mistake("A part without any event", "at start", "Part 'count' of 'planted.boxes' is never stale")
def part_without_event(bed: Bed) -> None:
    boxes = bed.query_of_boxes(bed.added)

    @boxes.part("count", bed.plugin)
    def count(room_id: int) -> int:
        return 0


@mistake("A function that speaks for another plugin's query", "at start", "is told by elsewhere")
def told_by_another(bed: Bed) -> None:
    def answer(event: Event) -> Iterable[Params]:
        return [()]

    answer.__module__ = "elsewhere"
    bed.query_of_boxes(bed.cleared).stale_on(bed.added)(answer)


@mistake("A function that names an option", "at the first run", "begins no key of planted.boxes")
def names_an_option(bed: Bed) -> None:
    @bed.plugin.query("boxes", guard=public)
    def boxes(room_id: int, page: int = 1) -> Labels:
        return labels_of(room_id)

    @boxes.stale_on(bed.added)
    def pages(event: Any) -> Iterable[Params]:
        return [(event.room_id, {"page": 1})]  # type: ignore[list-item]  # the mistake

    bed.action_that(bed.add)


@mistake("A query that looks at the request", "at the first run", "outside of request context")
def looks_at_request(bed: Bed) -> None:
    @bed.plugin.query("boxes", guard=public, stale_on=[bed.added])
    def boxes(room_id: int) -> Labels:
        return Labels(labels=[request.path])


@mistake("A forgotten event", "strict and heal", "stale_on=[RoomCleared, BoxAdded]")
def forgotten_event(bed: Bed) -> None:
    bed.query_of_boxes(bed.cleared)
    bed.action_that(bed.add)


@mistake("An action that emits nothing", "strict and heal", "emitted no event")
def emits_nothing(bed: Bed) -> None:
    bed.query_of_boxes(bed.added)
    bed.action_that(put_box)


@mistake("A wrong parameter", "strict and heal", "let rooms(BoxAdded) yield (1,) too: it named")
def wrong_parameter(bed: Bed) -> None:
    boxes = bed.query_of_boxes(bed.cleared)

    @boxes.stale_on(bed.added)
    def rooms(event: Any) -> Iterable[Params]:
        return [(event.box_id + 1000,)]

    bed.action_that(bed.add)


@mistake("A wrong namespace", "strict and heal", "stale_on=[RoomCleared, BoxAdded]")
def wrong_namespace(bed: Bed) -> None:
    bed.query_of_boxes(bed.cleared)

    @bed.plugin.query("names", guard=public, stale_on=[bed.added])
    def names(room_id: int) -> Labels:
        return labels_of(room_id)

    bed.action_that(bed.add)


@mistake("An event by its old name, still declared", "strict and heal", "stale on BoxPutIn")
def old_name(bed: Bed) -> None:
    @bed.plugin.event
    class BoxPutIn(Event):
        room_id: int

    bed.query_of_boxes(BoxPutIn)
    bed.action_that(bed.add)


@mistake("An event emitted with another value", "strict and heal", "for room_id=1 too")
def wrong_value(bed: Bed) -> None:
    bed.query_of_boxes(bed.added)
    bed.action_that(lambda room_id: emit(bed.added(room_id=OTHER_ROOM, box_id=put_box(room_id))))


@mistake("A bulk update", "strict and heal", "wrote planted_box")
def bulk_update(bed: Bed) -> None:
    bed.query_of_boxes(bed.added)
    bed.action_that(lambda room_id: db.session.execute(update(box).values(label="all")))


@mistake("A write in SQL as text", "strict and heal", "by SQL as text, which may touch any table")
def textual_write(bed: Bed) -> None:
    bed.query_of_boxes(bed.added)
    bed.action_that(
        lambda room_id: db.session.execute(text("UPDATE planted_box SET label = 'all'"))
    )


@mistake("A read in SQL as text", "strict and heal", "stale_on=[RoomCleared, BoxAdded]")
def textual_read(bed: Bed) -> None:
    @bed.plugin.query("boxes", guard=public, stale_on=[bed.cleared])
    def boxes(room_id: int) -> Labels:
        rows = text("SELECT label FROM planted_box WHERE room_id = :room_id")
        return Labels(labels=list(db.session.scalars(rows, {"room_id": room_id})))

    bed.action_that(bed.add)


@mistake("A table that a trigger writes", "strict and heal", "wrote planted_diary")
def trigger(bed: Bed) -> None:
    @bed.plugin.query("boxes", guard=public, stale_on=[bed.cleared])
    def entries(room_id: int) -> int:
        rows = select(func.count()).select_from(diary).where(diary.c.room_id == room_id)
        return db.session.scalar(rows) or 0

    bed.action_that(bed.add)


@mistake("Rows deleted by cascade", "strict and heal", "stale_on=[BoxAdded, RoomCleared]")
def cascade(bed: Bed) -> None:
    bed.query_of_boxes(bed.added)

    def remove(room_id: int) -> None:
        db.session.execute(delete(room).where(room.c.id == room_id))
        emit(bed.cleared(room_id=room_id))

    bed.action_that(remove)


@mistake("A view of the database", "strict and heal", "stale_on=[RoomCleared, BoxAdded]")
def view(bed: Bed) -> None:
    @bed.plugin.query("boxes", guard=public, stale_on=[bed.cleared])
    def boxes(room_id: int) -> Labels:
        rows = select(label_view.c.label).where(label_view.c.room_id == room_id)
        return Labels(labels=list(db.session.scalars(rows)))

    bed.action_that(bed.add)


@mistake("A part that forgets an event", "strict and heal", '@boxes.part("count", …, stale_on=')
def part_forgets(bed: Bed) -> None:
    boxes = bed.query_of_boxes(bed.cleared)

    @boxes.part("count", bed.plugin, stale_on=[bed.cleared])
    def count(room_id: int) -> int:
        rows = select(func.count()).select_from(diary).where(diary.c.room_id == room_id)
        return db.session.scalar(rows) or 0

    def write(room_id: int) -> None:
        db.session.execute(insert(diary).values(room_id=room_id))
        emit(bed.added(room_id=room_id, box_id=0))

    bed.action_that(write)


@mistake("Another user's data", "strict and heal", "for user_id=1 too")
def anothers_data(bed: Bed) -> None:
    @bed.plugin.event
    class BoxGiven(Event):
        user_id: int

    @bed.plugin.query("mine", guard=signed_in, stale_on=[BoxGiven])
    def mine(me: Me) -> int:
        rows = select(func.count()).select_from(box).where(box.c.owner_id == me.user_id)
        return db.session.scalar(rows) or 0

    def give(room_id: int) -> None:
        put_box(room_id, ME)
        emit(BoxGiven(user_id=OTHER))

    bed.action_that(give)
    bed.shows = "planted/mine"


@mistake(
    "A guard that does not hear of lost access", "strict and heal", "Guard 'planted.room_access'"
)
def deaf_guard(bed: Bed) -> None:
    @bed.plugin.guard
    def room_access(me: Me, room_id: int) -> Access:
        found = select(member.c.user_id).where(
            member.c.room_id == room_id, member.c.user_id == me.user_id
        )
        return Access.VIEW if db.session.scalar(found) else Access.NONE

    @bed.plugin.query("boxes", guard=room_access, stale_on=[bed.added])
    def boxes(room_id: int) -> Labels:
        return labels_of(room_id)

    def expel(room_id: int) -> None:
        db.session.execute(delete(member).where(member.c.room_id == room_id))
        emit(bed.cleared(room_id=room_id))

    bed.action_that(expel)


@mistake("A look before the transaction, for whom it concerns", "strict and heal", "it named")
def early_look(bed: Bed) -> None:
    """Which rooms hold such boxes was asked too early: one comes to this room, and is seen there,
    before they change.
    """

    @bed.plugin.event
    class BoxesRenamed(Event):
        room_ids: list[int]

    boxes = bed.query_of_boxes(bed.added)

    @boxes.stale_on(BoxesRenamed)
    def rooms(event: Any) -> Iterable[Params]:
        return [(room_id,) for room_id in event.room_ids]

    def holding(room_id: int) -> list[int]:
        moving = select(box.c.room_id).where(box.c.label == "moving")
        with reading() as session:
            found = list(session.scalars(moving))
        with transaction() as work:
            db.session.execute(insert(box).values(room_id=room_id, label="moving"))
            emit(bed.added(room_id=room_id, box_id=0))
        floor = {"Live-Floor": str(work.stamp)}
        current_app.test_client().get(f"/q/{bed.shows}", headers=floor)
        return found

    @bed.plugin.action(guard=public, prepare=holding)
    def add_box(room_id: int, prepared: list[int]) -> None:
        db.session.execute(update(box).where(box.c.label == "moving").values(label="moved"))
        emit(BoxesRenamed(room_ids=prepared))


@mistake("A write outside any action", "strict and heal", "a write outside any action changed")
def write_outside(bed: Bed) -> None:
    bed.query_of_boxes(bed.added)

    @bed.plugin.page("/planted/visit", guard=public)
    def visit() -> str:
        with writing() as session:
            session.execute(insert(box).values(room_id=ROOM, label="outside"))
        return ""

    bed.act, bed.visit = None, "/planted/visit"


@mistake("A reaction that writes and emits nothing", "strict and heal", "reaction 'planted.tidy'")
def silent_reaction(bed: Bed) -> None:
    bed.query_of_boxes(bed.added)

    @bed.plugin.on(bed.cleared)
    def tidy(event: Any) -> None:
        put_box(event.room_id)

    bed.action_that(lambda room_id: emit(bed.cleared(room_id=room_id)))


@mistake("A query that asks for the time", "strict", "Clock read: Query 'planted.boxes'")
def asks_the_time(bed: Bed) -> None:
    @bed.plugin.query("boxes", guard=public, stale_on=[bed.added])
    def boxes(room_id: int) -> str:
        return f"{len(labels_of(room_id).labels)} today, {now():%A}"

    bed.act = None


@mistake(
    "A query that asks the database for the time", "strict", "Clock read: Query 'planted.boxes'"
)
def asks_the_database(bed: Bed) -> None:
    @bed.plugin.query("boxes", guard=public, stale_on=[bed.added])
    def boxes(room_id: int) -> str:
        return str(db.session.scalar(select(func.current_date())))

    bed.act = None


@mistake("A query that throws dice", "strict", "Clock read: Query 'planted.boxes'")
def throws_dice(bed: Bed) -> None:
    @bed.plugin.query("boxes", guard=public, stale_on=[bed.added])
    def boxes(room_id: int) -> Labels:
        return Labels(labels=[*labels_of(room_id).labels, str(random.random())])

    bed.action_that(lambda room_id: put_box(OTHER_ROOM))


@mistake("A query that reads a file", "not")
def reads_a_file(bed: Bed) -> None:
    def file() -> Path:
        return Path(current_app.config["COURSEWIRE"].upload_dir).with_name("planted.txt")

    @bed.plugin.query("boxes", guard=public, stale_on=[bed.added])
    def boxes(room_id: int) -> str:
        return file().read_text() if file().exists() else ""

    bed.action_that(lambda room_id: file().write_text("changed"))


@mistake("A query that remembers by itself", "not")
def remembers(bed: Bed) -> None:
    remembered = cache(labels_of)

    @bed.plugin.query("boxes", guard=public, stale_on=[bed.cleared])
    def boxes(room_id: int) -> Labels:
        return remembered(room_id)

    bed.action_that(bed.add)


@mistake("A write past SQLAlchemy, or by another program", "not")
def past_sqlalchemy(bed: Bed) -> None:
    bed.query_of_boxes(bed.added)

    def write(room_id: int) -> None:
        raw = db.session.connection().connection.driver_connection
        assert raw is not None
        raw.execute("UPDATE planted_box SET label = 'raw'")

    bed.action_that(write)
