"""The project's own files: locks, Makefile, deployment, and the rules of who imports whom."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
HEROKU_LOCKS = ("requirements.txt", "Pipfile", "Pipfile.lock", "poetry.lock", "uv.lock", "pdm.lock")
TARGETS = {"help", "run", "test", "check", "format", "lint", "types", "types-js", "test-js"}
TARGETS |= {"audit", "bench", "chaos", "locks", "venv"}
PUBLIC_ROOMS = {"events", "models", "views", "guards", "queries", "public"}
VAGUE = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(lock: str) -> dict[str, str]:
    """Package to version, of one lock file."""
    text = (ROOT / lock).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", text, re.MULTILINE))


def files() -> list[Path]:
    """Every file that is or could be committed."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    command = [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.check_output(command, cwd=ROOT, text=True).split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    for path in files():
        body = path.read_bytes()
        if b"\0" not in body:
            yield path, body.decode()


def imports(path: Path) -> Iterator[str]:
    """The dotted name of every import in *path*, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_no_place_to_download_from(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert not re.search(r"https?:|file:|git\+|--index|--extra-index|--find-links", text)


def test_the_lock_file_of_the_node_tools_names_no_place_either() -> None:
    """Nor whom to pay: take the members ``funding`` out after `npm install`."""
    text = (ROOT / "package-lock.json").read_text()

    assert "://" not in text
    assert not any("resolved" in package for package in json.loads(text)["packages"].values())


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_its_version_and_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text().replace("\\\n", " ")

    for line in text.splitlines():
        assert re.match(r"[a-z0-9-]+(\[[a-z]+\])?==[^ ]+ .*--hash=sha256:[0-9a-f]{64}", line), line


def test_development_runs_the_versions_that_production_runs() -> None:
    assert pins("requirements.txt").items() <= pins("requirements-dev.txt").items()


def test_every_dependency_is_locked_and_explained() -> None:
    pyproject = project()
    explained = (ROOT / "docs" / "dependencies.md").read_text()
    direct = pyproject["project"]["dependencies"]  # type: ignore[index]  # TOML
    tools = pyproject["dependency-groups"]["dev"]  # type: ignore[index]  # TOML

    for lock, requirements in (("requirements.txt", direct), ("requirements-dev.txt", tools)):
        for requirement in requirements:
            name = re.split(r"[\[<>=]", requirement)[0]
            assert name in pins(lock)
            assert name in explained


def test_the_platform_finds_exactly_one_lock_file_and_a_supported_python() -> None:
    version = (ROOT / ".python-version").read_text().strip()

    assert [name for name in HEROKU_LOCKS if (ROOT / name).exists()] == ["requirements.txt"]
    assert re.fullmatch(r"3\.\d+", version)
    assert tuple(map(int, version.split("."))) >= (3, 11)


def test_the_procfile_and_app_json_name_what_exists() -> None:
    procfile = dict(
        line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines() if line
    )
    manifest = json.loads((ROOT / "app.json").read_text())

    assert procfile["release"] == "flask db upgrade && flask plugin check --strict"
    assert "-c core/gunicorn_conf.py" in procfile["web"]
    assert "$PORT" in procfile["web"]
    assert manifest["env"]["SECRET_KEY"]["generator"] == "secret"


def test_gunicorn_accepts_its_configuration() -> None:
    command = [sys.executable, "-m", "gunicorn", "-c", "core/gunicorn_conf.py", "--check-config"]

    result = subprocess.run([*command, "wsgi:app"], cwd=ROOT, capture_output=True, check=False)

    assert result.returncode == 0, result.stderr.decode()


def test_gunicorns_configuration_imports_nothing_of_the_app() -> None:
    read = (ROOT / "core" / "gunicorn_conf.py", ROOT / "core" / "telemetry" / "lines.py")
    imported = {name for path in read for name in imports(path)}

    assert not [name for name in imported if name.split(".")[0] in ("core", "redis", "ssl")]


def test_in_ci_the_tools_of_node_are_there_before_the_tests() -> None:
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    for goals in (["test"], ["check", "-j", "4"]):
        command = ["make", "--dry-run", "CI=true", *goals]
        planned = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        told = planned.stdout

        assert told.count("installation of the Node.js tools") == 1
        assert told.index("installation of the Node.js tools") < told.index("pytest")


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_make_knows_its_targets(target: str) -> None:
    result = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr
    if target != "help":
        told = subprocess.check_output(["make", "help"], cwd=ROOT, text=True)
        assert f"make {target} " in told


@pytest.mark.parametrize(("ci", "exit_code"), [("", 0), ("true", 1)])
def test_without_node_its_checks_skip_with_the_command_that_installs_it_and_fail_in_ci(
    tmp_path: Path, ci: str, exit_code: int
) -> None:
    result = subprocess.run(
        ["/bin/sh", "scripts/with_node.sh", "type check of the browser code", "false"],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == exit_code
    if exit_code == 0:
        assert result.stdout == (
            "Skipped: the type check of the browser code needs Node.js and npm. Install them, "
            "on Debian and Ubuntu with: apt-get install nodejs npm\n"
        )


def test_what_make_bench_runs_is_there() -> None:
    assert (ROOT / "bench" / "write_to_screen.py").is_file()


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    places = [f"{place}/" for place in (ROOT, Path.home()) if len(place.parts) > 2]

    named = [str(path) for path, text in texts() if any(place in text for place in places)]

    assert named == []


def test_no_file_has_a_vague_name() -> None:
    assert [path for path in files() if path.stem in VAGUE] == []


def test_core_never_imports_a_plugin() -> None:
    guilty = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / "core").rglob("*.py")
        for name in imports(path)
        if name.split(".")[0] == "plugins"
    ]

    assert guilty == []


def test_a_plugin_imports_only_public_rooms_of_plugins_that_it_requires() -> None:
    from core import create_app

    plugins = create_app().extensions["coursewire"].registry.plugins
    requires = {plugin.name: set(plugin.requires) for plugin in plugins}
    guilty = []
    for name, required in requires.items():
        for path in (ROOT / "plugins" / name).rglob("*.py"):
            for imported in imports(path):
                words = imported.split(".")
                if words[0] != "plugins" or len(words) < 2 or words[1] == name:
                    continue
                if path.stem == "demo" and words[1] in required:
                    continue  # demonstration data is written with the required plugins' words
                if words[1] not in required or (len(words) > 2 and words[2] not in PUBLIC_ROOMS):
                    guilty.append(f"{path.relative_to(ROOT)} imports {imported}")

    assert guilty == []


def test_the_demonstration_clips_are_what_their_manifest_says() -> None:
    folder = ROOT / "plugins" / "media" / "demo"
    clips = json.loads((folder / "manifest.json").read_text())
    magic = {"video/webm": (0, b"\x1a\x45\xdf\xa3"), "video/mp4": (4, b"ftyp")}

    assert len({clip["title"] for clip in clips}) == len(clips) >= 6
    for clip in clips:
        offset, expected = magic[clip["mime_type"]]
        film, poster = (folder / clip[kind] for kind in ("file", "poster"))
        assert film.read_bytes()[offset : offset + len(expected)] == expected
        assert film.stat().st_size < 120_000
        assert poster.read_bytes()[8:12] == b"WEBP"


@pytest.mark.parametrize("name", ["coursewire.css", "status.css"])
def test_a_style_sheet_holds_right_to_left_too(name: str) -> None:
    """Sides are called by where lines begin and end; four values at once are left and right."""
    sheet = re.sub(r"var\(--(\w+)\)", r"\1", (ROOT / "core" / "static" / name).read_text())
    named = re.compile(r"(padding|margin|border)-(left|right)\b|(align|float): (left|right)\b")
    four = re.compile(r"^\s*(padding|margin):( ([^\s;()]+|\w+\([^()]*\))){4};")

    wrong = [line.strip() for line in sheet.splitlines() if named.search(line) or four.match(line)]

    assert wrong == []
