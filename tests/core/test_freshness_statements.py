"""What a statement touches, and what the database does on top of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    create_engine,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

from core.freshness.observation import Wrote, as_part, note_clock, observe, observing
from core.freshness.schema import Schema
from core.freshness.statements import CLOCK, EVERYTHING, overlap


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list["Book"]] = relationship()


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))


CTE = select(Book.shelf_id).cte()

READS: dict[str, tuple[Any, set[str]]] = {
    "a column": (select(Book.id), {"book"}),
    "a count": (select(func.count()).select_from(Shelf), {"shelf"}),
    "a joined load": (select(Shelf).options(joinedload(Shelf.books)), {"shelf", "book"}),
    "a load of its own": (select(Shelf).options(selectinload(Shelf.books)), {"shelf", "book"}),
    "a subquery": (select(select(Book.id).subquery().c.id), {"book"}),
    "a scalar subquery": (
        select(literal(1), select(func.count(Book.id)).scalar_subquery()),
        {"book"},
    ),
    "a correlated subquery": (
        select(Shelf.id).where(exists().where(Book.shelf_id == Shelf.id)),
        {"shelf", "book"},
    ),
    "a common table expression": (select(CTE.c.shelf_id), {"book"}),
    "a union": (select(Shelf.id).union(select(Book.id)), {"shelf", "book"}),
    "a condition on another table": (
        select(Shelf.__table__.c.id).where(Shelf.__table__.c.id == Book.__table__.c.shelf_id),
        {"shelf", "book"},
    ),
    "text": (text("SELECT id FROM book"), {EVERYTHING}),
    "text with columns": (text("SELECT id FROM book").columns(Book.id), {"book", EVERYTHING}),
    "text that names a table": (
        select(Shelf.id).where(text("EXISTS (SELECT 1 FROM book)")),
        {"shelf", EVERYTHING},
    ),
    "text that names none": (select(Shelf.id).where(text("id = 1")), {"shelf"}),
    "the time": (select(Shelf.id, func.now()), {"shelf", CLOCK}),
}

WRITES: dict[str, tuple[Any, set[str], set[str]]] = {
    "a bulk update": (update(Shelf).values(id=Shelf.id), {"shelf"}, set()),
    "a bulk delete": (delete(Book).where(Book.id == 1), {"book"}, {"book"}),
    "an insert from a select": (
        insert(Book).from_select(["shelf_id"], select(Shelf.id)),
        {"book"},
        set(),
    ),
    "text": (text("UPDATE shelf SET id = id"), {EVERYTHING}, {EVERYTHING}),
}


class Bench:
    """An engine that is observed, and what its transactions wrote."""

    def __init__(self) -> None:
        self.engine = create_engine("sqlite://")
        Base.metadata.create_all(self.engine)
        self.wrote: list[Wrote] = []
        observe(self.engine, self.wrote.append)
        with Session(self.engine) as session:
            session.add(Shelf(id=1, books=[Book(id=1)]))
            session.commit()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.engine.dispose()


@pytest.mark.parametrize("name", READS)
def test_what_a_read_touches(bench: Bench, name: str) -> None:
    statement, tables = READS[name]

    for _ in range(2):  # the second one comes out of SQLAlchemy's cache
        with observing() as sight, Session(bench.engine) as session:
            session.execute(statement).unique().all()
        assert sight.reads == {"": frozenset(tables)}


@pytest.mark.parametrize("name", WRITES)
def test_what_a_write_touches(bench: Bench, name: str) -> None:
    statement, tables, deletes = WRITES[name]
    bench.wrote.clear()

    with Session(bench.engine) as session:
        session.execute(statement)
        assert bench.wrote == [], "told before the commit"
        session.commit()

    (wrote,) = bench.wrote
    assert (wrote.tables, wrote.deletes) == (tables, deletes)


def test_what_the_unit_of_work_writes_is_seen(bench: Bench) -> None:
    (wrote,) = bench.wrote

    assert wrote.tables == {"shelf", "book"}


def test_what_is_rolled_back_is_not_told(bench: Bench) -> None:
    bench.wrote.clear()

    with Session(bench.engine) as session:
        session.execute(delete(Book))
        session.rollback()
        session.execute(select(Book.id)).all()
        session.commit()

    assert bench.wrote == []


def test_each_part_has_what_it_read() -> None:
    bench = Bench()
    with observing() as sight, Session(bench.engine) as session:
        session.scalars(select(Shelf.id)).all()
        with as_part("books"):
            session.scalars(select(Book.id)).all()
            note_clock()
    bench.engine.dispose()

    assert sight.reads == {"": {"shelf"}, "books": {"book", CLOCK}}


def test_unobserved_nothing_is_noted(bench: Bench) -> None:
    note_clock()
    with as_part("books"), Session(bench.engine) as session:
        session.scalars(select(Shelf.id)).all()

    with observing() as sight:
        pass
    assert sight.reads == {}


def test_everything_overlaps_with_whatever_there_is() -> None:
    everything, book, nothing = frozenset({EVERYTHING}), frozenset({"book"}), frozenset[str]()

    assert overlap(everything, book) == book
    assert overlap(book, everything) == book
    assert overlap(nothing, everything) == nothing
    assert overlap(frozenset({CLOCK}), everything) == nothing
    assert overlap(book, frozenset({"shelf"})) == nothing


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def furnished(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A database in which deleting reaches further than it says."""
    url = "sqlite://"
    if request.param == "postgresql":
        url = request.getfixturevalue("only_postgresql_url")
    engine = create_engine(url)
    metadata = MetaData()
    house = Table("schema_house", metadata, Column("id", Integer, primary_key=True))
    Table(
        "schema_room",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("house_id", ForeignKey(house.c.id, ondelete="CASCADE")),
    )
    Table(
        "schema_chair",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("room_id", ForeignKey("schema_room.id", ondelete="SET NULL")),
        Column("house_id", ForeignKey(house.c.id, ondelete="RESTRICT")),
    )
    Table("schema_bill", metadata, Column("id", Integer, primary_key=True))
    metadata.create_all(engine)
    with engine.begin() as connection:
        for statement in _TRIGGER[engine.dialect.name]:
            connection.execute(text(statement))
        connection.execute(text("CREATE VIEW schema_view AS SELECT id FROM schema_chair"))
    yield engine
    with engine.begin() as connection:
        connection.execute(text("DROP VIEW schema_view"))
    metadata.drop_all(engine)
    engine.dispose()


_TRIGGER = {
    "sqlite": [
        """CREATE TRIGGER schema_trigger AFTER INSERT ON schema_chair
        BEGIN INSERT INTO schema_bill (id) VALUES (new.id); END"""
    ],
    "postgresql": [
        """CREATE OR REPLACE FUNCTION schema_function() RETURNS trigger AS
        $$ BEGIN RETURN new; END $$ LANGUAGE plpgsql""",
        """CREATE TRIGGER schema_trigger AFTER INSERT ON schema_chair
        FOR EACH ROW EXECUTE FUNCTION schema_function()""",
    ],
}


def test_a_delete_reaches_what_hangs_on_it(furnished: Engine) -> None:
    schema = Schema.load(furnished)
    sqlite = furnished.dialect.name == "sqlite"

    changed = schema.written({"schema_house"}, {"schema_house"})

    chain = {"schema_house", "schema_room", "schema_chair", "schema_bill"}
    assert changed == (chain if sqlite else {EVERYTHING})
    assert schema.written({"schema_house"}, set()) == {"schema_house"}


def test_a_write_reaches_what_its_triggers_name(furnished: Engine) -> None:
    schema = Schema.load(furnished)
    sqlite = furnished.dialect.name == "sqlite"

    changed = schema.written({"schema_chair"}, set())

    assert changed == ({"schema_chair", "schema_bill"} if sqlite else {EVERYTHING})


def test_a_view_may_show_anything(furnished: Engine) -> None:
    schema = Schema.load(furnished)

    assert schema.read(frozenset({"schema_view"})) == {"schema_view", EVERYTHING}
    assert schema.read(frozenset({"schema_chair"})) == {"schema_chair"}


def test_bookkeeping_is_not_told() -> None:
    assert Schema().written({"outbox_event", "book"}, {"outbox_event"}) == {"book"}
