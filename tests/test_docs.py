"""The pages say what is so: links lead somewhere, names exist, and what is shown has been run."""

import ast
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import httpx
import pytest

import core
from core import Settings, create_app
from core.registry import Registry
from tests.model.mistakes import MISTAKES
from tests.servers import end, free_port, missing, wait_until

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
REFERENCE = DOCS / "reference.md"
CHECKS = [
    f"core/{name}.py"
    for name in (
        "checks",
        "loader",
        "plugin",
        "queries",
        "staleness",
        "web/safety",
        "web/templates",
    )
]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of *page* in *language*."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """*page* without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors that its headings make, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in words}


def sources(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Every module in *folders*, parsed, with its path."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


@pytest.fixture(scope="module")
def registry() -> Registry:
    """What the plugins that come with Coursewire declare."""
    found: Registry = (
        create_app(Settings(database_url="sqlite://")).extensions["coursewire"].registry
    )
    return found


@pytest.mark.parametrize(("page", "least"), [("guarantees.md", 50), ("security.md", 2)])
def test_what_is_promised_is_proven_by_tests_that_exist(page: str, least: int) -> None:
    named = set(re.findall(r"`(test_\w+)`", (DOCS / page).read_text()))
    functions = {
        node.name
        for _, module in sources("tests")
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef)
    }

    assert len(named) >= least
    assert named <= functions, f"there is no test {', '.join(sorted(named - functions))}"


ASVS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1,
    "3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4,
    "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3, "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5,
    "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2, "8.1": 2,
    "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4,
    "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4,
    "11.5": 1, "11.6": 1, "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2,
    "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3, "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1,
    "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4, "17.3": 2,
}  # fmt: skip
"""How many items of level 1 and 2 each section of ASVS 5.0.0 has; they come first in each."""


def items_of(text: str) -> Iterator[str]:
    """The items that a cell such as “1.2.6–1.2.8, 1.3.1” names."""
    for each in text.split(", "):
        first, _, last = each.partition("–")
        section, _, begin = first.rpartition(".")
        end = (last or first).rpartition(".")[2]
        yield from (f"{section}.{number}" for number in range(int(begin), int(end) + 1))


def test_every_item_of_the_standard_has_its_test_or_its_reason() -> None:
    _, _, table = (DOCS / "security.md").read_text().partition("| item | asks | here |\n")
    rows = re.findall(r"^\| ([0-9., –]+) \| (.+?) \| (.+) \|$", table, re.MULTILINE)
    asked = [f"{section}.{n}" for section, count in ASVS.items() for n in range(1, count + 1)]

    named = [item for items, _, _ in rows for item in items_of(items)]

    assert sorted(named) == sorted(asked)


def test_every_planted_mistake_stands_with_what_catches_it() -> None:
    _, _, table = (DOCS / "guarantees.md").read_text().partition("| mistake | caught as |\n")
    rows = re.findall(r"^\| (.+) \| ([a-z, ]+) \|$", table, re.MULTILINE)

    assert dict(rows) == {name: ", ".join(m.caught_by) for name, m in MISTAKES.items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", prose(page))

    for link in links:
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / unquote(name)).resolve() if name else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {link}"


def test_the_reference_is_what_the_code_says() -> None:
    checked = subprocess.run(
        [sys.executable, "scripts/reference.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )

    assert checked.returncode == 0, checked.stderr


def test_every_name_has_its_entry_in_the_reference(registry: Registry) -> None:
    text = REFERENCE.read_text()

    names = [*Settings.model_fields, *registry.events]
    names += [query.namespace for query in registry.queries]
    names += [f"{action.plugin}/{action.path_name}" for action in registry.actions]
    names += [reaction.label for reaction in registry.reactions]
    names += core.__all__
    names += [node.name for node in ast.parse((ROOT / "core/errors.py").read_text()).body
              if isinstance(node, ast.ClassDef) and node.name != "Fault"]  # fmt: skip
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_variable_that_the_code_reads_is_in_the_reference() -> None:
    text = REFERENCE.read_text()
    pattern = re.compile(r"(?:COURSEWIRE_)?[A-Z]+(?:_[A-Z]+)*")

    for path, tree in sources("core", "plugins"):
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            said = ast.unparse(call.func)
            if not re.fullmatch(r"os\.environ\.get|environment\.get|_either|_whole_number", said):
                continue
            for name in (a.value for a in call.args if isinstance(a, ast.Constant)):
                if isinstance(name, str) and pattern.fullmatch(name):
                    assert f"`{name}`" in text, f"{path} reads {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    known = {f"COURSEWIRE_{name.upper()}" for name in Settings.model_fields}
    known |= set(re.findall(r"^\| `(COURSEWIRE_\w+)`", REFERENCE.read_text(), re.MULTILINE))

    assert set(re.findall(r"COURSEWIRE_[A-Z0-9_]+", page.read_text())) - known == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    app = create_app(Settings(database_url="sqlite://"))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    said = re.findall(r"`([^`\n]+)`", prose(page))
    said += [line for block in blocks(page, "sh") for line in block.splitlines()]

    for line in said:
        words = [w for w in line.removeprefix("$ ").split() if not re.match(r"[A-Z_]+=", w)]
        if words[:1] == ["make"] and len(words) > 1:
            assert words[1] in targets, f"{page.name} says {line}"
        if words and words[0].rpartition("/")[2] == "flask" and len(words) > 1:
            assert is_command(app.cli, words[1:]), f"{page.name} says {line}"


def is_command(group: click.Group, words: list[str]) -> bool:
    """Whether *words* begin with a command of *group*; other plugins' and placeholders pass."""
    if words[0] in ("notes", "COMMAND", "…"):
        return True
    command = group.get_command(click.Context(group), words[0])
    if isinstance(command, click.Group) and len(words) > 1:
        return is_command(command, words[1:])
    return command is not None


def test_the_processes_that_operators_read_of_are_those_of_the_procfile() -> None:
    assert (ROOT / "Procfile").read_text() in blocks(DOCS / "operators.md", "text")


def test_course_teams_read_of_every_state_of_the_live_indicator() -> None:
    script = (ROOT / "core/static/live/indicator.js").read_text()
    words = {
        *re.findall(r'word: _\("([^"]+)"', script),
        *re.findall(r'textContent = _\("(\w+ \w+)"', script),
    }

    told = re.findall(
        r"^\| ([A-Z][\w ]+?)(?: since 12:31)? \| [A-Z]", (DOCS / "users.md").read_text(), re.M
    )
    assert set(told) == words - {"Refresh now"}


def test_every_argument_that_a_docstring_names_exists() -> None:
    for path, tree in sources("core", "plugins", "scripts"):
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            section = re.search(r"^\s*Args:\n(.*)", ast.get_docstring(function) or "", re.DOTALL)
            named = re.findall(r"^\s+(\w+)( \(.*\))?:", section[1], re.MULTILINE) if section else []
            known = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
            assert {name for name, _ in named} <= known, f"{path}: {function.name}"


def test_every_message_of_the_checks_stands_in_the_page_for_plugin_authors() -> None:
    lines = {
        line.strip().removeprefix("- ").partition("] ")[2]
        for block in blocks(DOCS / "plugins.md", "text")
        for line in block.splitlines()
        if re.match(r"\s*(- )?\[\w+\] ", line)
    }
    messages = {message for path in CHECKS for message in fault_messages(ROOT / path)}

    unsaid = [m for m in messages if not any(re.fullmatch(m, line) for line in lines)]
    unknown = [line for line in lines if not any(re.fullmatch(m, line) for m in messages)]
    assert len(messages) > 15
    assert (unsaid, unknown) == ([], [])


def fault_messages(path: Path) -> Iterator[str]:
    """A pattern for each message of a fault that the module at *path* can make."""
    for node in ast.walk(ast.parse(path.read_text())):
        texts: list[ast.expr] = []
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Fault", "_NotLoadable"):
            texts = node.args[1:]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "text":
            texts = [node.value]
        for text in texts:
            if isinstance(text, ast.JoinedStr):
                yield "".join(
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+?"
                    for part in text.values
                )


def test_the_plugin_of_the_page_works(tmp_path: Path) -> None:
    page = (DOCS / "plugins.md").read_text()
    files = re.findall(r"^\*\*`([^`]+)`\*\*\n\n```\w+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for name, body in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    install(tmp_path, tmp_path / "pyproject.toml")

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path,
        env=clean_environment() | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        capture_output=True,
        check=False,
        text=True,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "5 passed" in ran.stdout


def install(folder: Path, project: Path) -> None:
    """What ``pip install --editable`` leaves behind: the name, and the entry points."""
    groups = tomllib.loads(project.read_text())["project"]["entry-points"]
    info = folder / "coursewire_notes-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: coursewire-notes\nVersion: 0.1.0\n"
    )
    lines = [
        f"[{group}]\n" + "\n".join(f"{name} = {place}" for name, place in entries.items())
        for group, entries in groups.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[str]:
    """The address of a Coursewire that nobody has written to yet."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "serve"],
            cwd=ROOT,
            env=clean_environment() | {"PORT": str(port), "COURSEWIRE_VAR_DIR": str(tmp_path)},
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: process.poll() is not None or is_ready(url), "ready server", 90)
        assert process.poll() is None, (tmp_path / "serve.log").read_text()
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        end(process, patience_s=30)


def is_ready(url: str) -> bool:
    """Whether the server at *url* answers that it is."""
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.serve
def test_the_console_of_the_protocol_says_what_it_shows(fresh: str, tmp_path: Path) -> None:
    for program in ("bash", "curl"):
        if shutil.which(program) is None:
            missing(program, f"apt-get install {program}")
    shown = "".join(blocks(DOCS / "protocol.md", "console"))
    commands = re.findall(r"^\$ ((?:.*\\\n)*.*)$", shown, re.MULTILINE)
    script = "\n".join(
        f"printf '%s\\n' {shlex.quote('$ ' + command)}\n{command}" for command in commands
    ).replace("http://127.0.0.1:8000", fresh)

    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    said = ran.stdout.replace(fresh, "http://127.0.0.1:8000")
    assert plain(said) == plain(shown)


def plain(text: str) -> list[str]:
    """The lines of *text*, with what differs from run to run put out of sight."""
    text = re.sub(r"\b[0-9a-f]{12}-\d+", "STAMP", text)
    text = re.sub(r"\b[0-9a-f]{24}\b", "ETAG", text)
    text = re.sub(r'"trace":"[0-9a-f]{16}"', '"trace":"TRACE"', text)
    text = re.sub(r'"age_ms":\d+', '"age_ms":AGE', text)
    lines = [line.strip() for line in re.sub(r"(?<=\})(?=\$ |304)", "\n", text).splitlines()]
    return [line for line in lines if line]


def clean_environment() -> dict[str, str]:
    """The environment without Coursewire's settings."""
    platform = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "PORT", "WEB_CONCURRENCY")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("COURSEWIRE_") and name not in platform
    }
