"""What is found before the first request: every mistake, in its exact words."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from pydantic import BaseModel

from core import (
    Access,
    Event,
    Me,
    Params,
    Plugin,
    Query,
    SetupError,
    create_app,
    public,
    signed_in,
)
from core import Settings as CoreSettings
from core.checks import find_warnings
from core.loader import load_plugins

Register = Callable[[Plugin], object]


class NoteWritten(Event):
    book_id: int
    note_id: int


class BookNamed(Event):
    book_id: str


class BookLent(Event):
    book_id: int
    user_id: int


class ShelfMoved(Event):
    shelf_id: int


def notes(*registering: Register, requires: Iterable[str] = ()) -> Plugin:
    """A plugin called notes, which declares the events above and what *registering* adds."""
    plugin = Plugin("notes", __name__, requires=tuple(requires))
    for event in (NoteWritten, BookNamed, BookLent, ShelfMoved):
        plugin.event(event)
    for register in registering:
        register(plugin)
    return plugin


class Notes(BaseModel):
    """What notes.list returns."""

    texts: list[str]


def faults_of(*plugins: Plugin) -> list[str]:
    """The faults for which these plugins cannot start, as they are printed."""
    try:
        load_plugins((), plugins)
    except SetupError as error:
        return [str(fault) for fault in error.faults]
    return []


def listing(plugin: Plugin, **declared: Any) -> Query[..., Any]:
    """The query notes.list(book_id)."""

    @plugin.query("list", guard=signed_in, **declared)
    def notes_list(book_id: int) -> Notes:
        return Notes(texts=[])

    return notes_list


def book_access(plugin: Plugin, **declared: Any) -> Any:
    """The guard of a book."""

    @plugin.guard(**declared)
    def book_access(me: Me, book_id: int) -> Access:
        return Access.EDIT

    return book_access


def test_a_plugin_without_a_mistake_has_no_fault() -> None:
    def register(plugin: Plugin) -> None:
        guard = book_access(plugin, stale_on=[BookLent])
        notes_list = listing(plugin, stale_on=[NoteWritten])

        @notes_list.stale_on(ShelfMoved)
        def books_on(event: ShelfMoved) -> Iterable[Params]:
            return [(1,), ()]

        @plugin.action(guard=guard)
        def write(me: Me, book_id: int, text: str) -> None: ...

        @plugin.query("shelves", guard=signed_in, stale_on=[BookLent])
        def notes_shelves(me: Me) -> list[str]:
            return []

        @plugin.query("formats", guard=public, constant=True)
        def notes_formats() -> list[str]:
            return []

        @notes_list.part("count", plugin, stale_on=[NoteWritten])
        def count(book_id: int) -> int:
            return 0

        @plugin.page("/books/<int:book_id>", guard=guard)
        def book_page(book_id: int) -> str:
            return ""

        @plugin.on(NoteWritten)
        def count_words(event: NoteWritten) -> None: ...

    assert faults_of(notes(register)) == []


def test_a_query_that_nothing_makes_stale_is_a_fault() -> None:
    assert faults_of(notes(listing)) == [
        (
            "[notes] Query 'notes.list' is never stale: it names no event. Add stale_on=[…], or "
            "say constant=True."
        )
    ]


def test_a_constant_that_is_stale_on_something_is_a_fault() -> None:
    plugin = notes(lambda plugin: listing(plugin, constant=True, stale_on=[NoteWritten]))

    assert faults_of(plugin) == [
        "[notes] Query 'notes.list' is constant=True and has stale_on. Remove one of them."
    ]


def test_an_event_without_the_field_that_the_query_takes_is_a_fault() -> None:
    plugin = notes(lambda plugin: listing(plugin, stale_on=[NoteWritten, ShelfMoved]))

    assert faults_of(plugin) == [
        (
            "[notes] Query 'notes.list' is stale on ShelfMoved, which has no field 'book_id'. Add "
            "the field, or say which keys it makes stale with @notes_list.stale_on(ShelfMoved)."
        )
    ]


def test_an_event_whose_field_has_another_type_is_a_fault() -> None:
    plugin = notes(lambda plugin: listing(plugin, stale_on=[BookNamed]))

    assert faults_of(plugin) == [
        (
            "[notes] Query 'notes.list' is stale on BookNamed, whose field 'book_id' is str, not "
            "int. Make them the same type, or say which keys it makes stale with "
            "@notes_list.stale_on(BookNamed)."
        )
    ]


def test_a_query_of_me_needs_events_that_say_whose() -> None:
    def register(plugin: Plugin) -> None:
        @plugin.query("mine", guard=signed_in, stale_on=[NoteWritten])
        def notes_mine(me: Me) -> list[str]:
            return []

    assert faults_of(notes(register)) == [
        (
            "[notes] Query 'notes.mine' is stale on NoteWritten, which has no field 'user_id'. Add "
            "the field, or say which keys it makes stale with @notes_mine.stale_on(NoteWritten)."
        )
    ]


def test_an_event_that_nobody_declares_is_a_fault_of_whoever_names_it() -> None:
    class Undeclared(Event):
        book_id: int
        user_id: int

    def register(plugin: Plugin) -> None:
        listing(plugin, stale_on=[Undeclared])
        book_access(plugin, stale_on=[Undeclared])

        @plugin.on(Undeclared)
        def count_words(event: Undeclared) -> None: ...

    what_to_do = (
        "which no enabled plugin declares. Put @plugin.event before the class, or enable its "
        "plugin."
    )
    assert faults_of(notes(register)) == [
        f"[notes] Query 'notes.list' names Undeclared, {what_to_do}",
        f"[notes] Guard 'notes.book_access' names Undeclared, {what_to_do}",
        f"[notes] Reaction 'notes.count_words' names Undeclared, {what_to_do}",
    ]


def test_a_guard_that_needs_what_its_query_does_not_take_is_a_fault() -> None:
    def register(plugin: Plugin) -> None:
        guard = book_access(plugin)

        @plugin.query("all", guard=guard, constant=True)
        def notes_all() -> list[str]:
            return []

        @plugin.action(guard=guard)
        def tidy_up() -> None: ...

        @plugin.page("/books", guard=guard)
        def books() -> str:
            return ""

    needs = (
        "has the guard 'notes.book_access', which needs 'book_id'. Add the parameter, or choose a "
        "guard that does without."
    )
    assert faults_of(notes(register)) == [
        f"[notes] Query 'notes.all' {needs}",
        f"[notes] Action 'notes.tidy_up' {needs}",
        f"[notes] Page '/books' {needs}",
    ]


def test_a_guard_that_takes_a_parameter_as_another_type_is_a_fault() -> None:
    def register(plugin: Plugin) -> None:
        @plugin.action(guard=book_access(plugin))
        def tidy_up(book_id: str) -> None: ...

    assert faults_of(notes(register)) == [
        (
            "[notes] Action 'notes.tidy_up' takes 'book_id' as str; the guard 'notes.book_access' "
            "has it as int. Make them the same type."
        )
    ]


def test_a_guard_stale_on_an_event_without_a_user_is_a_fault() -> None:
    plugin = notes(lambda plugin: book_access(plugin, stale_on=[NoteWritten]))

    assert faults_of(plugin) == [
        (
            "[notes] Guard 'notes.book_access' is stale on NoteWritten, which has no field "
            "'user_id'. Add the field, or say whose access may have changed with "
            "@book_access.stale_on(NoteWritten)."
        )
    ]


def test_an_extension_takes_only_what_the_guard_takes() -> None:
    guards: list[Any] = []
    host = notes(lambda plugin: guards.append(book_access(plugin)))
    other = Plugin("shelves", __name__, requires=["notes"])

    @guards[0].extend(other)
    def through_shelves(me: Me, shelf_id: int) -> Access:
        return Access.VIEW

    @guards[0].extend(other)
    def by_name(me: Me, book_id: str) -> Access:
        return Access.VIEW

    assert faults_of(host, other) == [
        (
            "[shelves] Guard 'shelves.through_shelves' takes 'shelf_id', which the guard "
            "'notes.book_access' that it extends does not have. Rename it."
        ),
        (
            "[shelves] Guard 'shelves.by_name' takes 'book_id' as str; the guard "
            "'notes.book_access' that it extends has it as int. Make them the same type."
        ),
    ]


def test_a_part_belongs_to_its_host_and_has_a_staleness_of_its_own() -> None:
    queries: list[Any] = []
    host = notes(lambda plugin: queries.append(listing(plugin, stale_on=[NoteWritten])))
    other = Plugin("shelves", __name__)

    @queries[0].part("shelf", other)
    def shelf(book_id: int, shelf_id: int) -> str:
        return ""

    assert faults_of(host, other) == [
        (
            "[shelves] Part 'shelf' of 'notes.list' extends the plugin 'notes'. Add it to "
            "requires=[…]."
        ),
        (
            "[shelves] Part 'shelf' of 'notes.list' takes 'shelf_id', which its host does not "
            "have. Rename it."
        ),
        (
            "[shelves] Part 'shelf' of 'notes.list' is never stale: it names no event. Add "
            "stale_on=[…]."
        ),
    ]


def test_a_plugin_cannot_say_what_makes_the_query_of_another_stale() -> None:
    """The bug that Coursewire exists because of: the message named somebody else's key."""
    queries: list[Any] = []
    host = notes(lambda plugin: queries.append(listing(plugin, stale_on=[NoteWritten])))
    other = Plugin("shelves", "tests.core.elsewhere", requires=["notes"])

    def books_on(event: ShelfMoved) -> Iterable[Params]:
        return [(event.shelf_id,)]

    books_on.__module__ = "tests.core.elsewhere.queries"
    queries[0].stale_on(ShelfMoved)(books_on)

    assert faults_of(host, other) == [
        (
            "[notes] Query 'notes.list' is told by tests.core.elsewhere.queries what ShelfMoved "
            "makes stale. Only 'notes' may say that: move the function there, or add a part of "
            "your own."
        )
    ]


def test_names_are_unique_in_the_whole_app() -> None:
    def register(plugin: Plugin) -> None:
        notes_list = listing(plugin, stale_on=[NoteWritten])
        listing(plugin, stale_on=[NoteWritten])
        for _ in range(2):

            @plugin.action(guard=signed_in)
            def write() -> None: ...

            @plugin.guard
            def readers(me: Me) -> Access:
                return Access.VIEW

            @plugin.on(NoteWritten)
            def count_words(event: NoteWritten) -> None: ...

            @notes_list.part("count", plugin, stale_on=[NoteWritten])
            def count(book_id: int) -> int:
                return 0

    other = Plugin("shelves", __name__)

    @other.event
    class NoteWritten2(Event, wire_name="note-written"):
        book_id: int

    twice = "is declared 2 times (by notes). Names are unique; rename one."
    assert faults_of(notes(register), other) == [
        f"[notes] Query 'notes.list' {twice}",
        f"[notes] Action 'notes.write' {twice}",
        f"[notes] Guard 'notes.readers' {twice}",
        (
            "[shelves] Event 'note-written' is declared 2 times (by notes, shelves). Names are "
            "unique; rename one."
        ),
        f"[notes] Reaction 'notes.count_words' {twice}",
        f"[notes] Part 'notes.list+count' {twice}",
    ]


def test_two_plugins_of_one_name_are_a_fault() -> None:
    assert faults_of(Plugin("notes", __name__), Plugin("notes", __name__)) == [
        "[notes] Plugin 'notes' is declared 2 times (by notes). Names are unique; rename one."
    ]


@pytest.mark.parametrize("name", ["core", "access"])
def test_cores_own_names_are_taken(name: str) -> None:
    assert faults_of(Plugin(name, __name__)) == [
        f"[{name}] The name '{name}' is core's own. Choose another."
    ]


def test_a_plugin_that_is_required_and_not_enabled_is_a_fault() -> None:
    assert faults_of(notes(requires=["shelves"])) == [
        (
            "[notes] It requires the plugin 'shelves', which is not enabled. Add 'shelves' to "
            "COURSEWIRE_PLUGINS."
        )
    ]


def test_plugins_that_require_each_other_in_a_circle_are_a_fault() -> None:
    a = Plugin("a", __name__, requires=["b"])
    b = Plugin("b", __name__, requires=["c"])
    c = Plugin("c", __name__, requires=["a"])
    outside = Plugin("outside", __name__, requires=["a"])

    advice = "Break the circle: move what both need into one of them."
    assert faults_of(a, b, c, outside) == [
        f"[a] It requires b, which in turn require 'a'. {advice}",
        f"[b] It requires c, which in turn require 'b'. {advice}",
        f"[c] It requires a, which in turn require 'c'. {advice}",
    ]


def test_two_identities_are_a_fault() -> None:
    a, b = Plugin("a", __name__), Plugin("b", __name__)
    for plugin in (a, b):
        plugin.identity(cookie="who")(lambda token: None)

    assert faults_of(a, b) == [
        (
            "[b] The identity is supplied 2 times (by a, b). One plugin says who is asking; remove "
            "@plugin.identity from the others."
        )
    ]


def test_all_faults_are_told_together_with_the_way_out() -> None:
    other = Plugin("shelves", __name__, requires=["library"])

    with pytest.raises(SetupError) as caught:
        load_plugins(["no_such_plugin"], [notes(listing), other])

    assert str(caught.value) == (
        "Coursewire cannot start: 3 faults.\n"
        "  - [no_such_plugin] There is no plugin 'no_such_plugin': neither a folder "
        "plugins/no_such_plugin, nor an installed package with the entry point "
        "'coursewire.plugins'. Check the spelling in COURSEWIRE_PLUGINS.\n"
        "  - [shelves] It requires the plugin 'library', which is not enabled. Add 'library' to "
        "COURSEWIRE_PLUGINS.\n"
        "  - [notes] Query 'notes.list' is never stale: it names no event. Add stale_on=[…], or "
        "say constant=True.\n"
        "To start without a plugin, remove its name from COURSEWIRE_PLUGINS (at fault: "
        "no_such_plugin, notes, shelves)."
    )


def test_a_single_fault_is_counted_as_one() -> None:
    with pytest.raises(SetupError, match=r"\ACoursewire cannot start: 1 fault\.\n"):
        load_plugins((), [notes(listing)])


def test_an_event_that_nobody_hears_is_a_warning_and_no_fault() -> None:
    plugin = notes(lambda plugin: listing(plugin, stale_on=[NoteWritten]))

    assert faults_of(plugin) == []
    assert [str(warning) for warning in find_warnings([plugin])] == [
        f"[notes] Nobody hears {name}: no query, guard or reaction names it."
        for name in ("BookNamed", "BookLent", "ShelfMoved")
    ]


@pytest.mark.parametrize(
    ("register", "what"),
    [
        (lambda plugin: plugin.event(NoteWritten), "Event NoteWritten"),
        (lambda plugin: listing(plugin, constant=True), "Query 'notes.list'"),
        (book_access, "Guard 'book_access'"),
        (lambda plugin: plugin.action(guard=signed_in)(print_all), "Action 'notes.print_all'"),
        (lambda plugin: plugin.on(NoteWritten)(print_all), "Reaction 'print_all'"),
        (lambda plugin: plugin.page("/x", guard=signed_in)(print_all), "Page '/x'"),
        (lambda plugin: plugin.identity(cookie="who")(print_all), "The identity"),
        (lambda plugin: plugin.demo(print_all), "Demonstration data"),
    ],
)
def test_what_registers_after_the_start_is_refused(register: Register, what: str) -> None:
    plugin = notes()
    create_app(CoreSettings(plugins=()), [plugin])

    with pytest.raises(SetupError) as caught:
        register(plugin)

    assert [str(fault) for fault in caught.value.faults] == [
        f"[notes] {what} was registered after the app had started. Register it at import time."
    ]


def test_staleness_fills_parts_and_extensions_are_refused_after_the_start_too() -> None:
    made: list[Any] = []

    def declare(plugin: Plugin) -> None:
        made.append(listing(plugin, stale_on=[NoteWritten]))
        made.append(book_access(plugin))

    plugin = notes(declare)
    create_app(CoreSettings(plugins=()), [plugin])
    notes_list, guard = made

    for register, what in [
        (
            lambda: notes_list.stale_on(ShelfMoved)(print_all),
            (
                "'notes.list' was told that it is stale on ShelfMoved after the app had started. "
                "Declare it at import time."
            ),
        ),
        (
            lambda: guard.stale_on(ShelfMoved)(print_all),
            (
                "'notes.book_access' was told that it is stale on ShelfMoved after the app had "
                "started. Declare it at import time."
            ),
        ),
        (
            lambda: notes_list.fill("shelf", plugin),
            (
                "The filling of slot 'shelf' was registered after the app had started. Register it "
                "at import time."
            ),
        ),
        (
            lambda: notes_list.part("x", plugin)(print_all),
            (
                "Part 'x' of 'notes.list' was registered after the app had started. Register it at "
                "import time."
            ),
        ),
        (
            lambda: guard.extend(plugin)(print_all),
            (
                "The extension of guard 'notes.book_access' was registered after the app had "
                "started. Register it at import time."
            ),
        ),
    ]:
        with pytest.raises(SetupError) as caught:
            register()
        assert [fault.text for fault in caught.value.faults] == [what]


def print_all() -> None: ...


def test_a_parameter_without_a_type_is_refused_where_it_stands() -> None:
    def notes_list(book_id) -> list[str]:  # type: ignore[no-untyped-def]
        return []

    def notes_all(*books: int) -> list[str]:
        return []

    with pytest.raises(TypeError, match=r"^parameter 'book_id' of notes_list\(\) has no type$"):
        notes().query("list", guard=signed_in, constant=True)(notes_list)
    with pytest.raises(
        TypeError, match=r"^notes_all\(\) takes \*books; name its parameters instead$"
    ):
        notes().query("all", guard=signed_in, constant=True)(notes_all)


def test_the_wire_name_of_an_event_is_its_class_in_kebab_case_or_what_it_says() -> None:
    class HTMLPageMadeByXSLT2(Event):
        pass

    class Odd(Event, wire_name="video-linked"):
        pass

    assert NoteWritten.wire_name == "note-written"
    assert HTMLPageMadeByXSLT2.wire_name == "html-page-made-by-xslt2"
    assert Odd.wire_name == "video-linked"
