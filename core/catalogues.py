"""Catalogues: the texts of core and of each plugin, found in their code, and their translations.

A catalogue is one file for each language, ``translations/<language>/LC_MESSAGES/messages.po``,
which every tool for translators can edit. It is brought up to date with what the code says now:
new texts are added empty, texts that are gone are left out, translations are kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from babel.messages import extract
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from core.events import in_words
from core.plugin import Plugin

_ROOT = Path(__file__).resolve().parent.parent
_KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "later": None,
    "ngettext": (1, 2),
}
_METHODS: dict[str, Any] = {
    ".py": "python",
    ".html": babel_extract,
    ".js": "javascript",
}
_OPTIONS = {"encoding": "utf-8", "silent": "false"}
_WIDTH = 110


@dataclass(frozen=True)
class Owner:
    """Whose texts they are: those in ``sources``, named from ``base``, and the names of its
    ``events``; ``folder`` has its catalogues.
    """

    name: str
    base: Path
    sources: tuple[Path, ...]
    folder: Path
    events: tuple[str, ...] = ()

    @property
    def languages(self) -> list[str]:
        """Those that it has a catalogue of, as babel writes them."""
        return sorted(file.parts[-3] for file in self.folder.glob("*/LC_MESSAGES/messages.po"))

    def file(self, language: str) -> Path:
        """Its catalogue of *language*."""
        return self.folder / language / "LC_MESSAGES" / "messages.po"


@dataclass(frozen=True)
class Updated:
    """A catalogue as it should be now, how many texts it has, and which lack a translation."""

    file: Path
    content: bytes
    count: int
    missing: tuple[str, ...]

    @property
    def is_news(self) -> bool:
        """Whether the file says something else, or should be there and is not."""
        if not self.file.is_file():
            return self.count > 0
        return self.file.read_bytes() != self.content

    def write(self) -> None:
        """Write it, where it is news."""
        if self.is_news:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_bytes(self.content)


def owners(plugins: Sequence[Plugin]) -> list[Owner]:
    """Core and each of *plugins*; whose templates may lie beside them or in ours."""
    core = _ROOT / "core"
    found = [Owner("core", _ROOT, (core, *_ROOT.glob("templates/*.html")), core / "translations")]
    for plugin in plugins:
        root = Path(plugin.root_path)
        here = (root, _ROOT / "templates" / plugin.name)
        base = _ROOT if root.is_relative_to(_ROOT) else root.parent
        events = tuple(in_words(event.wire_name) for event in plugin.events)
        found.append(Owner(plugin.name, base, here, root / "translations", events))
    return found


def texts_of(owner: Owner) -> Catalog:
    """The texts in the code of *owner*, each with the files that say it."""
    catalogue = Catalog()
    for file in sorted(_files(owner.sources)):
        with file.open("rb") as source:
            for _, said, comments, _ in _extract(file.suffix, source):
                place = (file.relative_to(owner.base).as_posix(), 0)
                catalogue.add(said, None, [place], auto_comments=comments)
    for event in sorted(owner.events):
        catalogue.add(event, None, [("events", 0)])
    return catalogue


def update(owner: Owner, language: str) -> Updated:
    """The catalogue of *owner* and *language*, in step with the code; writes nothing."""
    file = owner.file(language)
    if file.is_file():
        with file.open("rb") as source:
            catalogue = read_po(source, locale=language)
    else:
        catalogue = Catalog(locale=language)
    catalogue.update(texts_of(owner), no_fuzzy_matching=True)
    messages = [message for message in catalogue if message.id]
    missing = tuple(_name(message) for message in messages if not is_translated(message))
    return Updated(file, _written(catalogue), len(messages), missing)


def is_translated(message: Message) -> bool:
    """Whether *message* says something in its language, in every form, and is no guess."""
    forms = message.string if isinstance(message.string, tuple | list) else (message.string,)
    return all(forms) and not message.fuzzy


def _extract(suffix: str, source: IO[bytes]) -> Iterator[tuple[int, Any, list[str], Any]]:
    yield from extract.extract(
        _METHODS[suffix], source, _KEYWORDS, comment_tags=("For translators:",), options=_OPTIONS
    )


def _files(sources: Sequence[Path]) -> Iterator[Path]:
    for source in sources:
        if source.is_file():
            yield source
        for suffix in _METHODS:
            yield from source.rglob(f"*{suffix}")


def _written(catalogue: Catalog) -> bytes:
    """The file, without a head that would differ each day."""
    buffer = BytesIO()
    write_po(
        buffer,
        catalogue,
        width=_WIDTH,
        omit_header=True,
        sort_by_file=True,
        ignore_obsolete=True,
        include_lineno=False,
    )
    head = (
        'msgid ""\nmsgstr ""\n'
        f'"Language: {catalogue.locale_identifier}\\n"\n'
        f'"Plural-Forms: {catalogue.plural_forms}\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    )
    return (head.encode() + buffer.getvalue()).strip() + b"\n"


def _name(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]
