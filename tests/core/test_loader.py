"""Finding and importing plugins: what is broken is told, whose it is, and where."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from core import Settings, SetupError, create_app
from core.loader import ROOMS, load_plugins

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a package with the entry point of a plugin; `files` are its modules."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def install(name: str, package: str | None = None, **files: str) -> None:
        package = package or f"installed_{name}"
        folder = tmp_path / package
        folder.mkdir()
        for file, text in files.items():
            (folder / f"{file}.py").write_text(dedent(text))
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[coursewire.plugins]\n{name} = {package}\n")

    yield install
    for name in set(sys.modules) - before:
        if name.startswith("installed_"):
            del sys.modules[name]


def plugin_called(name: str, **words: object) -> str:
    more = "".join(f", {word}={value!r}" for word, value in words.items())
    return f"from core import Plugin\nplugin = Plugin({name!r}, __name__{more})\n"


def faults_of(*names: str) -> list[str]:
    with pytest.raises(SetupError) as caught:
        load_plugins(names)
    return [str(fault) for fault in caught.value.faults]


def test_an_installed_package_is_found_by_its_entry_point(install: Install) -> None:
    install("notes", __init__=plugin_called("notes"))

    (plugin,) = load_plugins(["notes"])

    assert plugin.name == "notes"
    assert plugin.import_name == "installed_notes"
    assert plugin.frozen


def test_only_plugins_that_the_settings_name_are_imported(install: Install) -> None:
    install("notes", __init__="raise RuntimeError('imported')")

    assert load_plugins([]) == ()
    assert "installed_notes" not in sys.modules


def test_the_rooms_of_a_plugin_are_imported_in_one_order(install: Install) -> None:
    note = "from installed_notes import plugin\nplugin.rooms.append(__name__.rpartition('.')[2])\n"
    rooms = dict.fromkeys(reversed(ROOMS), note)
    install("notes", __init__=plugin_called("notes") + "plugin.rooms = []\n", **rooms)

    (plugin,) = load_plugins(["notes"])

    assert tuple(plugin.rooms) == ROOMS  # type: ignore[attr-defined]
    assert ROOMS.index("models") < ROOMS.index("queries") < ROOMS.index("actions")


def test_a_plugin_comes_after_what_it_requires_whatever_the_settings_say(install: Install) -> None:
    install("c", __init__=plugin_called("c", requires=["a", "b"]))
    install("b", __init__=plugin_called("b", requires=["a"]))
    install("a", __init__=plugin_called("a"))

    assert [plugin.name for plugin in load_plugins(["c", "b", "a"])] == ["a", "b", "c"]


def test_a_name_written_twice_in_the_settings_is_one_plugin(install: Install) -> None:
    install("notes", __init__=plugin_called("notes"))

    assert len(load_plugins(["notes", "notes"])) == 1


def test_a_plugin_that_is_missing_is_named_with_where_it_was_looked_for() -> None:
    assert faults_of("photos") == [
        (
            "[photos] There is no plugin 'photos': neither a folder plugins/photos, nor an "
            "installed package with the entry point 'coursewire.plugins'. Check the spelling in "
            "COURSEWIRE_PLUGINS."
        )
    ]


@pytest.mark.parametrize("name", ["../core", "photos.models", "no-such-name", ""])
def test_a_name_that_cannot_be_a_folder_is_missing_like_any_other(name: str) -> None:
    (fault,) = faults_of(name)

    assert fault.startswith(f"[{name}] There is no plugin '{name}': ")


def test_a_broken_import_tells_the_error_and_where(install: Install) -> None:
    install(
        "notes",
        __init__=plugin_called("notes"),
        queries="""
            from installed_notes import plugin

            1 / 0
        """,
    )

    assert faults_of("notes") == [
        "[notes] It cannot be imported: ZeroDivisionError: division by zero (queries.py, line 4)"
    ]


@pytest.mark.parametrize(
    ("what", "call"),
    [("query", "query('list')"), ("action", "action()"), ("page", "page('/notes')")],
)
def test_what_has_no_guard_stops_the_start(install: Install, what: str, call: str) -> None:
    text = f"from installed_notes import plugin\n@plugin.{call}\ndef found() -> str: ..."
    install("notes", __init__=plugin_called("notes"), queries=text)

    (fault,) = faults_of("notes")
    assert fault == (
        f"[notes] It cannot be imported: TypeError: Plugin.{what}() missing 1 required "
        "keyword-only argument: 'guard' (queries.py, line 2)"
    )


def test_a_missing_dependency_of_a_plugin_is_that_plugins_fault(install: Install) -> None:
    install("notes", __init__=plugin_called("notes"), models="import no_such_module")

    assert faults_of("notes") == [
        (
            "[notes] It cannot be imported: ModuleNotFoundError: No module named 'no_such_module' "
            "(models.py, line 1)"
        )
    ]


def test_a_syntax_error_tells_its_own_place_and_no_other(install: Install) -> None:
    install("notes", __init__=plugin_called("notes"), events="class Written(\n")

    assert faults_of("notes") == [
        "[notes] It cannot be imported: SyntaxError: '(' was never closed (events.py, line 1)"
    ]


def test_a_package_without_a_plugin_says_what_to_write(install: Install) -> None:
    install("notes", __init__="")

    assert faults_of("notes") == [
        (
            "[notes] installed_notes/__init__.py has no `plugin`. Add: plugin = Plugin('notes', "
            "__name__)"
        )
    ]


def test_a_plugin_of_another_name_is_a_fault(install: Install) -> None:
    install("notes", __init__=plugin_called("memos"))

    assert faults_of("notes") == [
        "[notes] installed_notes/__init__.py makes a plugin called 'memos', not 'notes'."
    ]


def test_who_requires_a_broken_plugin_is_not_told_to_enable_it(install: Install) -> None:
    install("notes", __init__="1 / 0")
    install("shelves", __init__=plugin_called("shelves", requires=["notes"]))

    assert faults_of("notes", "shelves") == [
        "[notes] It cannot be imported: ZeroDivisionError: division by zero (__init__.py, line 1)"
    ]


def test_faults_of_several_plugins_are_told_together(install: Install) -> None:
    install("a", __init__="1 / 0")
    install("b", __init__=plugin_called("c"))

    faults = faults_of("a", "b", "d")

    assert [fault.partition("]")[0] for fault in faults] == ["[a", "[b", "[d"]


def test_a_fault_leaves_the_other_plugins_unfrozen(install: Install) -> None:
    install("a", __init__=plugin_called("a"))

    faults_of("a", "photos")

    assert not sys.modules["installed_a"].plugin.frozen


def test_any_fault_stops_the_start_of_the_app(install: Install) -> None:
    install("notes", __init__="1 / 0")

    with pytest.raises(SetupError, match="division by zero"):
        create_app(Settings(plugins=("notes",)))


def template(folder: Path, name: str, text: str) -> None:
    file = folder / "templates" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


WITH_A_QUERY = plugin_called("notes") + dedent("""
    from core import public

    @plugin.query("list", guard=public, constant=True)
    def notes_list() -> list[str]:
        return []
""")


def test_a_region_of_a_query_that_does_not_exist_is_a_fault(
    install: Install, tmp_path: Path
) -> None:
    install("notes", __init__=WITH_A_QUERY)
    folder = tmp_path / "installed_notes"
    template(folder, "notes/page.html", "<p>\n{{ region(notes_list) }}\n{{ region(notes_lst) }}")

    with pytest.raises(SetupError) as caught:
        create_app(Settings(plugins=("notes",)))

    assert [str(fault) for fault in caught.value.faults] == [
        (
            "[notes] templates/notes/page.html, line 3: region(notes_lst, …) names no query. There "
            "are: notes_list."
        )
    ]


def test_a_template_that_cannot_be_read_is_a_fault(install: Install, tmp_path: Path) -> None:
    install("notes", __init__=WITH_A_QUERY)
    template(tmp_path / "installed_notes", "notes/list.html", "{% for note in result %}")

    with pytest.raises(SetupError) as caught:
        create_app(Settings(plugins=("notes",)))

    (fault,) = caught.value.faults
    assert fault.plugin == "notes"
    assert fault.text.startswith("templates/notes/list.html cannot be read: Unexpected end")


def test_the_templates_of_a_plugin_that_is_not_enabled_are_nobodys_concern(
    install: Install, tmp_path: Path
) -> None:
    install("notes", __init__=WITH_A_QUERY)
    template(tmp_path / "installed_notes", "photos/page.html", "{{ region(photos_list) }}")

    create_app(Settings(plugins=("notes",)))


def test_the_first_party_plugins_have_no_fault_in_any_order() -> None:
    names = ("chapters", "media", "courses", "accounts")

    assert [plugin.name for plugin in load_plugins(names)] == [
        "accounts",
        "media",
        "courses",
        "chapters",
    ]


def test_the_first_party_plugins_start_without_those_that_nobody_requires() -> None:
    create_app(Settings(plugins=("accounts", "courses")))
    create_app(Settings(plugins=("accounts", "media")))
    create_app(Settings(plugins=("accounts",)))
    create_app(Settings(plugins=()))


def test_a_plugin_whose_requirement_is_not_enabled_stops_the_start() -> None:
    assert faults_of("accounts", "courses", "chapters")[0] == (
        "[chapters] It requires the plugin 'media', which is not enabled. Add 'media' to "
        "COURSEWIRE_PLUGINS."
    )
