"""Texts: every one that people read can be translated, and is, into German."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

from core import Settings, create_app
from core.catalogues import Owner, is_translated, owners, texts_of, update

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = sorted(p.parent.name for p in (ROOT / "plugins").glob("*/__init__.py"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
LANGUAGES = sorted({path.parts[-3] for path in ROOT.glob("plugins/*/translations/*/*/*.po")})

PLACE = re.compile(r"%\(\w+\)s|\{\w+\}|%%|<[^>]*>|[\"|]")
SHOWN = {"alt", "aria-label", "data-announce-name", "data-confirm", "data-picker-label"}
SHOWN |= {"label", "placeholder", "title"}
NAMES = {"Coursewire", "CC", "MP4", "MP3", "M4A", "MOV", "WebM", "UTC", "COURSEWIRE"}
NAMES |= {"ms", "s", "/s", "C", "F", "M"}
"""What stands on screen, and is the same in every language."""
NOT_READ = {"status/style_page.html"}
"""Pages that are for developers of screens."""


@pytest.fixture(scope="module")
def known() -> list[Owner]:
    app = create_app(Settings(plugins=tuple(PLUGINS)))
    runtime = app.extensions["coursewire"]
    runtime.stop()
    return owners(runtime.registry.plugins)


def catalogue(owner: Owner, language: str) -> Catalog:
    with owner.file(language).open("rb") as source:
        return read_po(source, locale=language)


def messages(found: Catalog) -> list[Message]:
    return [message for message in found if message.id]


def forms(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(known: list[Owner], language: str) -> None:
    behind = {
        owner.name: updated.missing
        for owner in known
        if (updated := update(owner, language)).missing
    }

    assert not behind, "translate them: make texts, then edit the .po files"


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogues_are_what_the_code_says(known: list[Owner], language: str) -> None:
    assert [owner.name for owner in known if update(owner, language).is_news] == [], "make texts"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_places_and_tags_of_its_text(
    known: list[Owner], language: str
) -> None:
    for owner in known:
        if not owner.file(language).is_file():
            continue
        for message in messages(catalogue(owner, language)):
            one, *many = forms(message.id)
            for form in forms(message.string):
                wanted = [made_of(text) for text in (one, *many)]  # “once” has no number in it
                assert made_of(form) in wanted, f"{owner.name}: {form}"


def made_of(text: str) -> list[str]:
    """The places for values, tags, and what would end an attribute or divide forms."""
    return sorted(found[0] for found in PLACE.finditer(text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_several_plugins_say_is_translated_alike(known: list[Owner], language: str) -> None:
    """All catalogues of one language are one, so the last would be heard for all."""
    told: dict[object, tuple[str, object]] = {}
    for owner in known:
        if owner.file(language).is_file():
            for message in messages(catalogue(owner, language)):
                if is_translated(message):
                    before = told.setdefault(message.id, (owner.name, message.string))
                    assert before[1] == message.string, f"{before[0]} and {owner.name}"


def test_a_text_is_found_in_every_kind_of_source(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('later("one")\nngettext("%(num)s two", "%(num)s twos", 2)\n')
    (tmp_path / "b.html").write_text('{{ _("three") }}{% trans n=1 %}four {{ n }}{% endtrans %}')
    (tmp_path / "c.js").write_text(
        'class A { #b = _("five"); c() { return ngettext("six", "x", 6); } }'
    )
    owner = Owner("tried", tmp_path, (tmp_path,), tmp_path / "translations")

    found = {message.id for message in messages(texts_of(owner))}

    assert found == {
        "one", ("%(num)s two", "%(num)s twos"), "three", "four %(n)s", "five", ("six", "x"),
    }  # fmt: skip


def test_the_name_of_an_event_is_a_text_of_its_plugin(known: list[Owner]) -> None:
    chapters = next(owner for owner in known if owner.name == "chapters")

    assert "Media linked" in {message.id for message in messages(texts_of(chapters))}


def test_a_catalogue_that_is_brought_up_to_date_keeps_what_is_translated(tmp_path: Path) -> None:
    code = tmp_path / "a.py"
    owner = Owner("tried", tmp_path, (tmp_path,), tmp_path / "translations")
    code.write_text('_("old")\n_("gone")\n')
    update(owner, "de").write()
    file = owner.file("de")
    file.write_text(file.read_text().replace('"old"\nmsgstr ""', '"old"\nmsgstr "alt"'))

    code.write_text('_("old")\n_("new")\n')
    first = update(owner, "de")
    assert first.is_news
    first.write()

    assert update(owner, "de").missing == ("new",)
    assert not update(owner, "de").is_news
    assert 'msgid "old"\nmsgstr "alt"' in file.read_text()
    assert "gone" not in file.read_text()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_bare_text(path: Path) -> None:
    if path.relative_to(ROOT / "templates").as_posix() not in NOT_READ:
        assert bare_texts(path.read_text()) == []


def test_bare_text_is_found_wherever_it_stands() -> None:
    template = """{% set a = _("Fine.") %}<p class="Not this">Plain</p><i title="In it">1</i>
        {{ "Said" if a else none }}<b {% if a %}title="Some {{ a }}"{% endif %}>{{ _("Well") }}</b>
        <code>Not this</code>{{ macro("By a macro") }}<!-- Not this -->{# Not this #}"""

    assert bare_texts(template) == ["Plain", "In it", "Some ·", "Said", "By a macro"]


def bare_texts(template: str) -> list[str]:
    """What *template* says that no catalogue can say in another language."""
    tree = Environment(extensions=["jinja2.ext.i18n"], autoescape=True).parse(template)
    page = _Page()
    page.feed("".join(_data(tree)))
    page.close()
    return page.found + [text for text in _literals(tree) if is_read(text)]


def _data(node: nodes.Node) -> Iterator[str]:
    """The HTML around expressions, which are a dot each; not the words of ``class``."""
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.TemplateData):
            yield child.data
        elif isinstance(child, nodes.Block) and child.name == "page_class":
            continue
        elif not isinstance(child, nodes.Expr):
            yield from _data(child)
        elif isinstance(node, nodes.Output):
            yield "·"


def _literals(node: nodes.Node) -> Iterator[str]:
    """The texts in expressions, but for those that a catalogue is asked for."""
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.Const) and isinstance(child.value, str):
            yield child.value
        elif not _is_translated(child) and not isinstance(child, nodes.FromImport | nodes.Extends):
            yield from _literals(child)


def _is_translated(node: nodes.Node) -> bool:
    if not isinstance(node, nodes.Call) or not isinstance(node.node, nodes.Name):
        return False
    texts = {"_": 1, "gettext": 1, "ngettext": 2}.get(node.node.name, 0)
    for argument in node.args[:texts]:
        assert isinstance(argument, nodes.Const), f"line {node.lineno}: a text is a literal"
    return texts > 0


def is_read(text: str) -> bool:
    """Whether *text* is for people: it begins as a sentence does, and is no name or address."""
    return words(text) and bool(re.match(r"^[·\s]*[A-Z“]", text))


class _Page(HTMLParser):
    """Texts between tags, and in attributes that people read or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("code", "kbd", "pre", "script", "style"):
            self._silent.append(tag)
        for name, value in attrs:
            if name in SHOWN and value and words(value):
                self.found.append(value)

    def handle_endtag(self, tag: str) -> None:
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent and words(data):
            self.found.append(data.strip())


def words(text: str) -> bool:
    """Whether there is a word in *text* that is not the same everywhere."""
    plain = re.sub(r"\w+=·?&?|\S+://\S+", "", text)
    return any(re.search(r"[^\W\d_]", word) and word not in NAMES for word in plain.split())


def test_python_asks_catalogues_for_literals_and_for_whole_sentences() -> None:
    """Neither an f-string nor a sum of texts can be found by reading the code."""
    wrong = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        for path in [*ROOT.glob("plugins/**/*.py"), *ROOT.glob("core/**/*.py")]
        for node in ast.walk(ast.parse(path.read_text()))
        if _cannot_be_found(node)
    ]

    assert wrong == []


def _cannot_be_found(node: ast.AST) -> bool:
    if isinstance(node, ast.JoinedStr):
        return any(_called(inner) == "_" for inner in ast.walk(node))
    texts = {"_": 1, "ngettext": 2, "later": 1}.get(_called(node), 0)
    arguments = node.args[:texts] if isinstance(node, ast.Call) else []
    return any(isinstance(argument, ast.JoinedStr | ast.BinOp) for argument in arguments)


def test_what_an_action_says_can_be_translated() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        for path in ROOT.glob("plugins/**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if _called(node) == "say" and _is_text(node.args[0])  # type: ignore[attr-defined]  # a call
    ]

    assert wrong == []


def _called(node: ast.AST) -> str:
    known = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return node.func.id if known else ""  # type: ignore[attr-defined]  # a call of a name


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant | ast.JoinedStr)
