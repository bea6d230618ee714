"""The texts of findings, word for word."""

from dataclasses import replace

from core.freshness.findings import ClockRead, MissedInvalidation

MISSED = MissedInvalidation(
    by="action 'notes.write'",
    events=("NoteWritten",),
    tables=("note", "page"),
    namespace="books.list",
    key="books:list:7",
    owner="Query 'books.list'",
    plugin="books",
    heard=("BookLent",),
    trace="2479fb16d04dde2e",
    line='@plugin.query("list", …, stale_on=[BookLent, NoteWritten])',
)


def test_a_missed_invalidation_says_who_what_and_what_to_write() -> None:
    assert str(MISSED) == (
        "Missed invalidation: action 'notes.write' changed what 'books:list:7' shows, and nothing "
        "named that key.\n"
        "  It emitted NoteWritten, and wrote note and page.\n"
        "  Query 'books.list' of the plugin 'books' reads that, and is stale on BookLent.\n"
        '  Write: @plugin.query("list", …, stale_on=[BookLent, NoteWritten])\n'
        "  Trace: 2479fb16d04dde2e"
    )


def test_it_says_so_when_nothing_was_emitted_or_heard() -> None:
    text = str(replace(MISSED, events=(), heard=(), tables=("*",)))

    assert text.splitlines()[1:3] == [
        "  It emitted no event, and wrote by SQL as text, which may touch any table.",
        "  Query 'books.list' of the plugin 'books' reads that, and is stale on no event.",
    ]


def test_access_that_was_lost_is_told_in_its_own_words() -> None:
    text = str(replace(MISSED, namespace="access", key="access:3"))

    assert text.splitlines()[0] == (
        "Missed invalidation: action 'notes.write' changed what user 3 may do ('access:3'), and "
        "nothing named that key."
    )


def test_one_mistake_is_one_kind_whichever_key_it_is_met_on() -> None:
    assert replace(MISSED, key="books:list:8", trace="another").kind == MISSED.kind
    assert replace(MISSED, by="action 'notes.remove'").kind != MISSED.kind


def test_a_clock_read_says_what_to_do_instead() -> None:
    found = ClockRead("books.list", "books:list:7", "Part 'age' of 'books.list'", "ages")

    assert str(found) == (
        "Clock read: Part 'age' of 'books.list' of the plugin 'ages' answers differently from one "
        "moment to the next ('books:list:7').\n"
        "  No event says that time has passed, so screens and caches keep the old answer.\n"
        "  Write: return the point in time itself, and let the template's filter or the browser "
        "compare it with now; or emit an event when the time comes."
    )
