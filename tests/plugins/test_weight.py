"""What a page weighs, and that its modules lose nothing but comments on their way."""

import gzip
import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient

from core.web.scripts import slim, without_comments
from tests.plugins.story import COURSE

STATIC = Path(__file__).parents[2] / "core" / "static"
MODULES = sorted(STATIC.rglob("*.js"))
STYLES = sorted(STATIC.rglob("*.css"))
MOST_BYTES = 100_000
LINKED = re.compile(r'(?:src|href)="(/static/[^"#]+\.(?:js|css))"')
IMPORTED = re.compile(r'(?:from|import)\s+"(\.[^"]+)"')
INSPECTOR = "/static/inspect/inspector.js"


def weight(client: FlaskClient, path: str) -> int:
    """Bytes of a page's HTML, CSS and the modules that it loads by itself, each compressed by
    itself. What is loaded when somebody asks for it (the inspector) is none of its weight.
    """
    page = client.get(path, headers={"Accept": "text/html"})
    assert page.status_code == 200
    linked = set(LINKED.findall(page.text))
    assert linked
    return len(gzip.compress(page.data, 6)) + weight_of_files(client, linked)


def weight_of_files(client: FlaskClient, addresses: set[str]) -> int:
    """Bytes of the files at *addresses* and of the modules that these import, compressed."""
    total, seen, todo = 0, set[str](), set(addresses)
    while todo:
        address = todo.pop()
        seen.add(address)
        with client.get(address) as body:
            assert body.status_code == 200, address
            total += len(gzip.compress(body.data, 6))
            if address.endswith(".js"):
                todo |= {
                    urljoin(address, name) for name in IMPORTED.findall(body.get_data(as_text=True))
                } - seen
    assert len(seen) > 1
    return total


@pytest.mark.parametrize(
    "path",
    [
        "/courses",
        f"/courses/{COURSE}",
        f"/courses/{COURSE}/edit",
        f"/courses/{COURSE}/members",
        "/media",
        "/media/1",
    ],
)
def test_a_page_is_light(owner: FlaskClient, path: str) -> None:
    assert weight(owner, path) < MOST_BYTES


def test_the_inspector_is_loaded_by_nobody_who_does_not_ask_for_it(owner: FlaskClient) -> None:
    by_itself = "".join(path.read_text("utf-8") for path in MODULES if path.parts[-2] != "inspect")
    by_itself += owner.get("/media", headers={"Accept": "text/html"}).text

    assert INSPECTOR not in by_itself
    assert not re.search(r'(?:from|import)\s+"[^"]*/inspect/', by_itself)
    assert weight_of_files(owner, {INSPECTOR}) < 12_000


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_loses_only_comments(module: Path) -> None:
    text = module.read_text("utf-8")
    kept = without_comments(text).splitlines()
    lines = iter(text.splitlines())
    lost: list[str] = []
    for line in kept:
        for candidate in lines:
            if candidate == line:
                break
            lost.append(candidate.strip())
    lost += [line.strip() for line in lines]

    assert all(line == "" or line.startswith(("/**", "*", "//")) for line in lost)
    # Were it inside a template literal, an odd number of its marks would stand before it.
    for comment in re.finditer(r"^[ \t]*(?:/\*\*|//)", text, re.MULTILINE):
        before = re.sub(r"/\*\*.*?\*/|//[^\n]*", "", text[: comment.start()], flags=re.DOTALL)
        assert before.count("`") % 2 == 0, comment.group()


@pytest.mark.parametrize("path", [*MODULES, *STYLES], ids=lambda path: path.name)
def test_what_is_sent_is_the_code_without_its_margin(path: Path) -> None:
    text = path.read_text("utf-8")
    code = (
        without_comments(text)
        if path.suffix == ".js"
        else re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    )
    sent = slim(text, path.suffix)
    bare = sent if path.suffix == ".js" else re.sub(r"/\*.*?\*/", "", sent, flags=re.S)

    assert bare.split() == code.split()
    assert not re.search(r"^[ \t]|\n\n", sent, re.MULTILINE)
    # What goes over several lines would lose the white space that is a part of it.
    assert all(line.count("`") % 2 == 0 for line in code.splitlines()), "a template of many lines"
    assert not re.search(r"\\\n", code), "a string of many lines"


def test_a_module_is_not_sent_again_and_nothing_outside_is_sent(owner: FlaskClient) -> None:
    first = owner.get("/static/live/store.js")
    again = owner.get("/static/live/store.js", headers={"If-None-Match": first.headers["ETag"]})

    assert first.mimetype == "text/javascript"
    assert "@param" not in first.text
    assert again.status_code == 304
    assert owner.get("/static/nothing.js").status_code == 404
    assert owner.get("/static/../web/x.js").status_code == 404
