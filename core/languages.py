"""Languages: which one somebody is answered in, and the texts of each.

Texts stand in the code in English, and a text is its own name: what a catalogue does not translate
stays English. Catalogues are files ``translations/<language>/LC_MESSAGES/messages.po`` of core and
of each plugin; all of one language are one, core's own words first.

1. What a browser is answered in stands in its request: the language of the page that asks
   (`HEADER`), the cookie, ``Accept-Language``; else it is the setting ``default_language``. No
   database is asked, so a refusal of any kind can be told in it.
2. Outside of requests (commands, reactions, logs) it is English, until `in_language` says another.
3. Catalogues are compiled in the process, when the app is created: nothing compiled is committed,
   so that nothing compiled can be older than its source.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import flask_babel
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, Response, current_app, g, has_request_context, request
from markupsafe import Markup, escape
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from core.cookies import read_cookie, set_cookie
from core.settings import Settings

SOURCE = "en"
"""The language of the texts in the code."""

COOKIE = "lang"
HEADER = "Live-Language"
VARY = f"Cookie, Accept-Language, {HEADER}"

_COOKIE_AGE_S = 365 * 86_400
_CATALOGUE = Path("LC_MESSAGES") / "messages.po"
_EXTENSION = "coursewire_languages"
_MOST_PLAIN = 10_000
_TOLD = frozenset({"text/html", "application/problem+json"})


class Languages(flask_babel.Domain):  # type: ignore[misc]  # no py.typed
    """The languages that one app offers, each with all its texts."""

    def __init__(self, settings: Settings, folders: Sequence[Path]) -> None:
        super().__init__()
        self.offered = settings.languages
        self.default = settings.default_language
        files = {language: list(_files(language, folders)) for language in self.offered}
        self._texts = {language: _merged(files[language]) for language in files}
        self._of_scripts = {language: _of_scripts(files[language]) for language in files}
        self._source = _InTemplates(NullTranslations())
        self._in_templates = {name: _InTemplates(texts) for name, texts in self._texts.items()}

    def get_translations(self) -> NullTranslations:
        """The texts of the language at hand; asked by Flask-Babel."""
        return self._texts.get(current_language(), self._source.texts)

    def in_templates(self, language: str) -> "_InTemplates":
        """The same, as templates say them."""
        return self._in_templates.get(language, self._source)

    def texts_of_scripts(self, language: str) -> Mapping[str, str | Sequence[str]]:
        """What the browser code says in *language*: its texts by the English ones, and a list of
        forms for those that count something. Empty for a language without any.
        """
        return self._of_scripts.get(language, {})


def init_languages(app: Flask, settings: Settings, folders: Iterable[Path]) -> None:
    """Let *app* answer in the languages of *settings*; *folders* hold catalogues, core's last."""
    babel = flask_babel.Babel(
        app, configure_jinja=False, default_locale=SOURCE, locale_selector=_language_asked
    )
    babel.domain_instance = app.extensions[_EXTENSION] = Languages(settings, list(folders))
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.newstyle_gettext = True  # type: ignore[attr-defined]  # the extension's
    app.jinja_env.globals.update(
        _=_in_template,
        gettext=_in_template,
        ngettext=_counted_in_template,
        language=current_language,
        direction=current_direction,
        languages_offered=lambda: {name: name_of(name) for name in languages().offered},
    )
    app.jinja_env.filters["translated"] = translated
    app.after_request(_tell_language)


def languages() -> Languages:
    """The languages of the app at hand."""
    return cast(Languages, current_app.extensions[_EXTENSION])


def current_language() -> str:
    """The language at hand, as it is written in HTML: ``de``, ``pt-BR``."""
    locale = flask_babel.get_locale()
    return SOURCE if locale is None else str(locale).replace("_", "-")


def current_locale() -> Locale:
    """What Babel knows of the language at hand."""
    return flask_babel.get_locale() or Locale(SOURCE)


def current_direction() -> str:
    """Where lines of the language at hand go: ``ltr`` or ``rtl``."""
    return current_locale().text_direction


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """Whatever is said inside is said in *language*."""
    with flask_babel.force_locale(language.replace("-", "_")):
        yield


def gettext(text: str, /, **values: object) -> str:
    """*text* in the language at hand, with *values* in the places of their names: ``%(name)s``.

    Import it as ``_``. *text* is a literal: what is found by reading the code can be translated.
    """
    return str(flask_babel.gettext(text, **values))


def ngettext(one: str, many: str, num: int, /, **values: object) -> str:
    """The form of a text that fits *num*, which stands in it as ``%(num)s``."""
    return str(flask_babel.ngettext(one, many, num, **values))


def later(text: str) -> str:
    """*text* itself: marks one that is translated where it is used, with ``gettext(that)``.

    For texts that are declared when a module is imported, and nobody has asked yet.
    """
    return text


def translated(text: str | None) -> str | None:
    """A *text* that somewhere in the code is marked with `later`; data, so it is no markup."""
    return gettext(text) if text else text


def name_of(language: str) -> str:
    """What *language* calls itself: “Deutsch”."""
    name = Locale.parse(language, sep="-").get_display_name() or language
    return name[:1].upper() + name[1:]


def remember_language(response: Response, language: str) -> Response:
    """Let this browser be answered in *language* from now on."""
    return set_cookie(response, COOKIE, language, _COOKIE_AGE_S)


def _language_asked() -> str:
    """What the request at hand asks for, among what is offered, as Babel writes it."""
    if not has_request_context():
        return SOURCE
    offered = languages().offered
    for told in (request.headers.get(HEADER), read_cookie(COOKIE)):
        if told in offered:
            return told.replace("-", "_")
    best = _best(request.headers.get("Accept-Language", ""), offered) or languages().default
    return best.replace("-", "_")


@lru_cache(maxsize=1_024)
def _best(header: str, offered: tuple[str, ...]) -> str | None:
    """Browsers send few such headers, and each with every request."""
    return parse_accept_header(header, LanguageAccept).best_match(offered)


def _tell_language(response: Response) -> Response:
    """Say which language the answer is in, where it is in one."""
    if response.mimetype in _TOLD:
        response.headers.setdefault("Content-Language", current_language())
        if "Vary" not in response.headers:
            response.headers["Vary"] = VARY
    return response


class _InTemplates:
    """The texts of one language as templates say them: a long page says some of them thousands of
    times.
    """

    def __init__(self, texts: NullTranslations) -> None:
        self.texts = texts
        self._plain: dict[str, Markup] = {}

    def plain(self, text: str) -> Markup:
        """A text without places for values."""
        known = self._plain.get(text)
        if known is None:
            known = Markup(self.texts.ugettext(text).replace("%%", "%"))  # noqa: S704  our own
            if len(self._plain) < _MOST_PLAIN:
                self._plain[text] = known
        return known


def _in_template(text: str, /, **values: object) -> Markup:
    """As `gettext`; the text itself is markup, the *values* are escaped."""
    at_hand = _texts_at_hand()
    return _filled(at_hand.texts.ugettext(text), values) if values else at_hand.plain(text)


def _counted_in_template(one: str, many: str, num: int, /, **values: object) -> Markup:
    return _filled(_texts_at_hand().texts.ungettext(one, many, num), {"num": num, **values})


def _filled(text: str, values: Mapping[str, object]) -> Markup:
    escaped = {name: escape(value) for name, value in values.items()}
    return Markup(text % escaped)  # noqa: S704  our own text, and what is escaped


def _texts_at_hand() -> _InTemplates:
    """Those of the language at hand, remembered with the very locale that Flask-Babel has there:
    another one, inside `in_language`, is another object.
    """
    kept: dict[str, Any] = g._get_current_object().__dict__
    babel = kept.get("_flask_babel")
    locale = getattr(babel, "babel_locale", None)
    known: tuple[Locale, _InTemplates] | None = kept.get("_coursewire_texts")
    if known is None or known[0] is not locale:
        found = languages().in_templates(current_language())
        known = kept["_coursewire_texts"] = (flask_babel.get_locale(), found)
    return known[1]


def _files(language: str, folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        file = folder / language.replace("-", "_") / _CATALOGUE
        if file.is_file():
            yield file


def _merged(files: Sequence[Path]) -> NullTranslations:
    """All texts of one language: what stands in a later file counts."""
    found = Translations()
    for file in files:
        compiled = _compiled(file, file.stat().st_mtime_ns)
        found.merge(compiled)
        found.plural = compiled.plural  # `merge` leaves it
    return found


def _of_scripts(files: Sequence[Path]) -> Mapping[str, str | Sequence[str]]:
    """Those that some script says; what stands in a later file counts."""
    found: dict[str, str | Sequence[str]] = {}
    for file in files:
        for message in _catalogue(file, file.stat().st_mtime_ns):
            said = any(place.endswith(".js") for place, _ in message.locations)
            if said and message.string and not message.fuzzy:
                one = message.id if isinstance(message.id, str) else message.id[0]
                found[one] = message.string
    return found


@lru_cache(maxsize=128)
def _catalogue(file: Path, changed_ns: int) -> Catalog:  # noqa: ARG001  another file then
    with file.open("rb") as source:
        return read_po(source)


@lru_cache(maxsize=128)
def _compiled(file: Path, changed_ns: int) -> Translations:
    compiled = BytesIO()
    write_mo(compiled, _catalogue(file, changed_ns))
    compiled.seek(0)
    return Translations(compiled)
