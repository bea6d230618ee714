"""Pages: guarded routes, and the regions and slots of their templates."""

from collections.abc import Callable, Hashable
from typing import Any

from flask import Flask, g, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape
from pydantic import BaseModel

from core.access import Access, current_me
from core.current import current_runtime
from core.errors import BadRequest, Forbidden, NotFound, SignInNeeded
from core.floors import floor_of_cookie
from core.languages import current_language
from core.languages import gettext as _
from core.plugin import Page
from core.queries import Fill, Key, Query
from core.reads import Reading, access_to, read_key
from core.registry import Registry
from core.stamps import Stamp
from core.web.explain import may_inspect
from core.web.texts import address_of_texts


def init_pages(app: Flask, registry: Registry) -> None:
    """Add every plugin's pages to *app*, and the words of its templates."""
    for plugin in registry.plugins:
        for page in plugin.pages:
            endpoint = f"{plugin.name}.{page.view.__name__}"
            app.add_url_rule(page.rule, endpoint, _guarded(page), methods=["GET"])
    for query in registry.queries:
        app.jinja_env.globals[f"{query.plugin}_{query.name}"] = query
    app.jinja_env.globals["region"] = region
    app.jinja_env.globals["slot"] = slot
    app.jinja_env.globals["may_view"] = may_view
    app.jinja_env.globals["piece"] = piece
    app.context_processor(_of_every_page)


def _of_every_page() -> dict[str, Any]:
    """What the layout says to the scripts: who this is, and how much one stream may watch, and
    whether this one may see why screens move; and where their texts are.
    """
    return {
        "me": current_me(),
        "keys_per_stream": current_runtime().settings.keys_per_stream,
        "inspects": may_inspect(),
        "texts_of_scripts": address_of_texts(),
    }


def region(
    query: Query[..., Any],
    *params: Any,
    id: str | None = None,  # noqa: A002  the attribute's name
    lazy: bool = False,
    **options: Any,
) -> Markup:
    """``<live-region>``: a piece of the page bound to one key, as of its stamp.

    Nothing at all where the guard says no. Its key is what the element fetches and what it watches,
    so the three cannot disagree. A *lazy* one is empty until it is on screen.
    """
    key = query.key(*params, **options)
    if lazy:
        attributes = {"id": id, "key": key.text, "lazy": ""}
        return _element(attributes, b"") if may_view(query, *params) else Markup("")
    found = _read(key)
    if found is None:
        return Markup("")
    attributes = {
        "id": id,
        "key": found.key.text,
        "stamp": str(found.stamp) if found.stamp is not None else None,
        "data-access": "edit" if found.access >= Access.EDIT else "view",
        "tag": current_runtime().deltas.remember(found.html),
    }
    return _element(attributes, found.html.content)


def slot(name: str, **params: Any) -> Markup:
    """The regions that plugins show in the slot *name*; *params* supply their parameters."""
    fills = current_runtime().registry.fills_of(name)
    return Markup("\n").join(_filled(fill, params) for fill in fills)


def piece(template: str, result: BaseModel, **more: Hashable) -> Markup:
    """*template* for one row of a long list; see `core.pieces`."""
    return current_runtime().pieces.piece(template, result, **more)


def options_asked(query: Query[..., Any]) -> dict[str, Any]:
    """All options of *query*, as the address of this page asks for them.

    An address may be old or typed by hand, so what does not fit counts as not said.
    """
    values: dict[str, Any] = {}
    for option in query.options:
        try:
            values[option.name] = option.from_text(request.args[option.name])
        except (KeyError, ValueError):
            values[option.name] = option.default
    return values


def may_view(query: Query[..., Any], *params: Any) -> bool:
    """Whether the reader of this page may view that key, so that a link to it makes sense."""
    return access_to(query.key(*params), current_me()) >= Access.VIEW


def _filled(fill: Fill, params: dict[str, Any]) -> Markup:
    required = [params[parameter.name] for parameter in fill.query.required]
    if fill.frame is None:
        return region(fill.query, *required)
    if not may_view(fill.query, *required):
        return Markup("")
    return Markup(render_template(fill.frame, **params))  # noqa: S704  autoescaped


def _element(attributes: dict[str, str | None], content: bytes) -> Markup:
    written = "".join(
        f' {name}="{escape(value)}"' for name, value in attributes.items() if value is not None
    )
    return Markup(f"<live-region{written}>{content.decode()}</live-region>")  # noqa: S704  autoescaped


def _read(key: Key) -> Reading | None:
    """Read *key* no older than the last action of this browser.

    People cannot mend their cookies: a floor that was never given asks for nothing.
    """
    floor: Stamp | None = g.setdefault("coursewire_floor", floor_of_cookie())
    key = key.in_language(current_language())
    try:
        return read_key(key, floor)
    except BadRequest:
        if floor is None:
            raise
        g.coursewire_floor = None
        return read_key(key, None)


def _guarded(page: Page) -> Callable[..., ResponseReturnValue]:
    def answer(**arguments: Any) -> ResponseReturnValue:
        me = current_me()
        access = current_runtime().grant(page.guard, me, arguments)
        if access < page.needs:
            if me is None:
                raise SignInNeeded(_("Sign in to see this page."))
            if access is Access.NONE:
                raise NotFound(
                    _("There is nothing at this address, or you may not see it. Check the address.")
                )
            raise Forbidden(
                _("You may look at this and not change it. Ask an owner of the course.")
            )
        return page.view(**arguments)

    return answer
