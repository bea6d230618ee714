"""A plugin of the tests' own: books, the notes in them, and who may see which book.

The cookie ``user`` holds the id of the one who asks (``7``), and perhaps for how many seconds the
session lasts (``7-0.5``). What a test wants to go wrong it says in the `Switches` of its app.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Literal

from flask import Flask, current_app
from pydantic import BaseModel, Field
from sqlalchemy import Column, Integer, MetaData, String, Table, UniqueConstraint, insert, select

from core import (
    Access,
    Conflict,
    Event,
    Me,
    NotFound,
    Params,
    Plugin,
    Upload,
    db,
    emit,
    now,
    public,
    say,
    signed_in,
)
from core.languages import gettext as _
from core.languages import later

plugin = Plugin("notes", __name__)

metadata = MetaData()
note = Table(
    "test_note",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("text", String(200), nullable=False),
    UniqueConstraint("book_id", "text"),
)
reader = Table(
    "test_reader",
    metadata,
    Column("book_id", Integer, primary_key=True),
    Column("user_id", Integer, primary_key=True),
    Column("access", Integer, nullable=False),
)
shelf = Table(
    "test_shelf",
    metadata,
    Column("shelf_id", Integer, primary_key=True),
    Column("book_id", Integer, primary_key=True),
)
seen = Table(
    "test_seen",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reaction", String(40), nullable=False),
    Column("note_id", Integer, nullable=False),
)


@dataclass
class Switches:
    """What a test wants to happen inside this app: functions that are called in the given places.

    ``failing`` reactions raise; ``in_code`` runs before the handler in code answers, ``in_guard``
    after the guard has decided, ``in_reaction`` in the first reaction.
    """

    failing: set[str] = field(default_factory=set)
    in_code: Callable[[], None] = lambda: None
    in_guard: Callable[[], None] = lambda: None
    in_query: Callable[[], None] = lambda: None
    in_reaction: Callable[[], None] = lambda: None


def switches(app: Flask | None = None) -> Switches:
    """Those of *app*, or of the app at hand."""
    found: Switches = (app or current_app).extensions.setdefault("switches", Switches())
    return found


@plugin.event
class NoteWritten(Event):
    book_id: int
    note_id: int


@plugin.event
class BookLent(Event):
    book_id: int
    user_id: int


@plugin.event
class ShelfMoved(Event):
    shelf_id: int


@plugin.identity(cookie="user")
def load_me(token: str) -> Me | None:
    number, _, seconds = token.partition("-")
    if not number.isdigit():
        return None
    user_id = int(number)
    expires_at = now() + timedelta(seconds=float(seconds or 86_400))
    return Me(user_id, f"User {user_id}", f"{user_id}@example.test", False, user_id, expires_at)


@plugin.guard(stale_on=[BookLent])
def book_access(me: Me, book_id: int) -> Access:
    access = db.session.scalar(
        select(reader.c.access).where(reader.c.book_id == book_id, reader.c.user_id == me.user_id)
    )
    switches().in_guard()
    return Access(access or 0)


class Notes(BaseModel):
    book_id: int
    notes: list[str]
    page: int


@plugin.query("list", guard=book_access, stale_on=[NoteWritten])
def notes_list(
    book_id: int,
    search: str = "",
    page: int = 1,
    starred: bool = False,
    sort: Literal["old", "new"] = "old",
) -> Notes:
    """The notes in a book."""
    switches().in_query()
    rows = db.session.scalars(
        select(note.c.text)
        .where(note.c.book_id == book_id, note.c.text.contains(search, autoescape=True))
        .order_by(note.c.id.desc() if sort == "new" else note.c.id)
    )
    return Notes(book_id=book_id, notes=[] if starred else list(rows), page=page)


@notes_list.stale_on(ShelfMoved)
def books_on(event: ShelfMoved) -> Iterable[Params]:
    switches().in_code()
    books = db.session.scalars(select(shelf.c.book_id).where(shelf.c.shelf_id == event.shelf_id))
    return [(book_id,) for book_id in books]


@notes_list.part("count", plugin, stale_on=[NoteWritten], template="notes/count.html")
def count(book_id: int) -> int:
    return len(db.session.scalars(select(note.c.id).where(note.c.book_id == book_id)).all())


@plugin.query("books", guard=signed_in, stale_on=[BookLent])
def notes_books(me: Me) -> list[int]:
    """The books that a user may see."""
    mine = select(reader.c.book_id).where(reader.c.user_id == me.user_id, reader.c.access > 0)
    return list(db.session.scalars(mine.order_by(reader.c.book_id)))


@plugin.query("book", guard=book_access, stale_on=[BookLent])
def notes_book(book_id: int) -> int:
    """A book, if it is there."""
    if not db.session.scalars(select(note.c.id).where(note.c.book_id == book_id)).all():
        raise NotFound(later("This book is empty. It may have been cleared meanwhile."))
    return book_id


@plugin.query("echo", guard=public, constant=True)
def notes_echo(word: str, number: int) -> list[str | int]:
    """What was asked."""
    return [word, number]


class Written(BaseModel):
    note_id: int


@plugin.action(guard=book_access)
def write(book_id: int, text: Annotated[str, Field(min_length=1, max_length=100)]) -> Written:
    """Write a note into a book."""
    note_id = db.session.scalar(
        insert(note).values(book_id=book_id, text=text).returning(note.c.id)
    )
    assert note_id is not None
    emit(NoteWritten(book_id=book_id, note_id=note_id))
    say(f"“{text}” was written.")
    return Written(note_id=note_id)


@plugin.action(guard=book_access)
def write_and_refuse(book_id: int) -> None:
    """Write, say so, and then refuse."""
    write(book_id, "refused")
    raise Conflict("The book is full. Nothing was saved.", theirs={"notes": 1})


@plugin.action(guard=book_access)
def write_and_break(book_id: int) -> None:
    """Write, and then meet a mistake of ours."""
    write(book_id, "broken")
    raise RuntimeError("the secret reason")


@plugin.action(guard=book_access, needs=Access.VIEW)
def look(book_id: int) -> int:
    """Change nothing, and emit nothing."""
    return book_id


@plugin.action(guard=signed_in)
def lend(me: Me, book_id: int, user_id: int, access: int) -> None:
    """Let somebody see a book, or no longer."""
    db.session.execute(
        reader.delete().where(reader.c.book_id == book_id, reader.c.user_id == user_id)
    )
    db.session.execute(insert(reader).values(book_id=book_id, user_id=user_id, access=access))
    emit(BookLent(book_id=book_id, user_id=user_id))


@plugin.action(guard=signed_in)
def move_shelf(shelf_id: int) -> None:
    """Move a shelf with all its books."""
    emit(ShelfMoved(shelf_id=shelf_id))


class Size(BaseModel):
    width: int
    height: int


@plugin.action(guard=signed_in)
def describe(
    size: Size,
    tags: list[int],
    sort: Literal["old", "new"] = "old",
    starred: bool = False,
    remark: str | None = None,
) -> dict[str, object]:
    """Say what arrived."""
    return {
        "size": size.model_dump(),
        "tags": tags,
        "sort": sort,
        "starred": starred,
        "remark": remark,
    }


@plugin.action(guard=public)
def greet(me: Me | None, name: str) -> str:
    """Greet anybody."""
    say(_("Hello, %(name)s.", name=name))
    return f"{name} from {me.name if me else 'nobody'}"


@plugin.action(guard=signed_in)
def attach(file: Upload, title: str = "") -> list[str | int]:
    """Take a file."""
    return [file.filename or "", len(file.stream.read()), title]


@plugin.page("/books/<int:book_id>", guard=book_access)
def book_page(book_id: int) -> str:
    return f"book {book_id}"


@plugin.page("/books/<int:book_id>/edit", guard=book_access, needs=Access.EDIT)
def edit_page(book_id: int) -> str:
    return f"edit {book_id}"


@plugin.on(NoteWritten)
def count_words(event: NoteWritten) -> None:
    switches().in_reaction()
    _react("count_words", event)


@plugin.on(NoteWritten)
def index(event: NoteWritten) -> None:
    _react("index", event)


@plugin.on(ShelfMoved)
def dust(event: ShelfMoved) -> None:
    """A reaction may emit."""
    emit(BookLent(book_id=event.shelf_id, user_id=1))


def _react(name: str, event: NoteWritten) -> None:
    db.session.execute(insert(seen).values(reaction=name, note_id=event.note_id))
    if name in switches().failing:
        raise RuntimeError(f"{name} fails")
