"""Reading a key: guard, cache, query, parts, and the bodies of one result."""

import json
import time
from collections.abc import Mapping
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from flask import Flask, after_this_request, current_app, g
from jinja2 import TemplateNotFound
from markupsafe import Markup

from core.access import Access, Me, current_me
from core.bodies import Bodies, Body
from core.current import current_runtime
from core.database import reading
from core.floors import bypasses_memory, remember_that_it_is_ahead
from core.freshness.observation import as_part, observing
from core.languages import in_language
from core.queries import Key, Part
from core.stamps import Stamp


@dataclass(frozen=True)
class Reading:
    """What a key showed at ``stamp`` (``None``: Redis was away), and what the asker may do.

    ``source`` says where it came from: see `core.cache.Found`.
    """

    key: Key
    access: Access
    stamp: Stamp | None
    bodies: Bodies
    source: str = "database"

    @property
    def json(self) -> Body:
        """The result with its parts as further members."""
        return self.bodies.json

    @property
    def html(self) -> Body:
        """The fragment for what the asker may do; raises `NoFragment` without a template."""
        try:
            return self.bodies.fragments[self.access]
        except KeyError:
            raise NoFragment(self.key) from None


class NoFragment(LookupError):
    """The query of this key has no template."""

    def __init__(self, key: Key) -> None:
        self.key = key
        super().__init__(f"{key.query.namespace} has no template {key.query.template}")


def read_key(key: Key, floor: Stamp | None) -> Reading | None:
    """Read *key* for the one who asks; ``None`` when they may not, or nothing is there.

    The answer is in the language of *key*, and stamped at *floor* or above. Raises `BadRequest` for
    a floor that was never given.
    """
    me = current_me()
    access = access_to(key, me)
    if access is Access.NONE:
        return None
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # werkzeug's
    runtime = current_runtime()
    began, outages = time.monotonic(), runtime.hub.outages
    found = runtime.cache.find(
        key, floor, lambda: Context().run(make_bodies, app, key, me), bypass=bypasses_memory()
    )
    runtime.freshness.saw(key, me, found, began, outages)
    if found.ahead:
        after_this_request(remember_that_it_is_ahead)
    return Reading(key, access, found.stamp, found.bodies, found.source)


def make_bodies(app: Flask, key: Key, me: Me | None) -> Bodies:
    """Read the database now, and make every body of the one result.

    Called in an empty context, where no request can be seen: what it makes is given to everybody
    who may read the key, so it must not depend on who happens to ask first. The query has no
    language, and so its JSON has none; the fragments are in the key's.
    """
    with app.app_context():
        timer = current_runtime().metrics.query_seconds.labels(key.query.namespace).time()
        with timer, observing() as sight, reading():
            result, parts = run_query(key, me)
        data = json_of(key, result, parts)
        try:
            with in_language(key.language):
                fragments = {
                    access: Body(_render(key, result, parts, access).encode())
                    for access in (Access.VIEW, Access.EDIT)
                }
        except TemplateNotFound as error:
            if error.name != key.query.template:
                raise
            fragments = {}
        return Bodies(Body(data), fragments, sight.reads)


def json_of(key: Key, result: Any, parts: Mapping[str, Any]) -> bytes:
    """The result as JSON, with its parts as further members."""
    data = key.query.result_type.dump_json(result)
    for part in current_runtime().registry.parts_of(key.query):
        value = part.result_type.dump_json(parts[part.name])
        comma = b"" if data == b"{}" else b","
        data = b'%b%b"%b":%b}' % (data[:-1], comma, part.name.encode(), value)
    return data


def data_of(key: Key, result: Any, parts: Mapping[str, Any]) -> Any:
    """The same in plain JSON types."""
    return json.loads(json_of(key, result, parts))


def run_query(key: Key, me: Me | None) -> tuple[Any, dict[str, Any]]:
    """The result of the query and of its parts, in the session at hand; no guard."""
    arguments: dict[str, Any] = dict(key.values)
    for parameter in key.query.required:
        if parameter.is_me:
            arguments[parameter.name] = me
    result = key.query.function(**arguments)
    parts = current_runtime().registry.parts_of(key.query)
    return result, {part.name: _run_part(part, arguments) for part in parts}


def access_to(key: Key, me: Me | None) -> Access:
    """What *me* may do with *key*, asked once per request; nothing with another user's key."""
    if key.is_anothers(me):
        return Access.NONE
    asked: dict[tuple[Any, ...], Access] = g.setdefault("coursewire_access", {})
    guard = key.query.guard
    question = (guard, *(key.values[parameter.name] for parameter in guard.needed))
    if question not in asked:
        asked[question] = current_runtime().grant(guard, me, key.values)
    return asked[question]


def _run_part(part: Part, arguments: Mapping[str, Any]) -> Any:
    with as_part(part.name):
        return part.function(**{p.name: arguments[p.name] for p in part.parameters})


def render_fragment(template: str, **context: Any) -> str:
    """A template without anything of the request, so that its body may be shared."""
    return current_app.jinja_env.get_template(template).render(**context)


def _render(key: Key, result: Any, parts: Mapping[str, Any], access: Access) -> str:
    """The fragment with those of the parts; it depends on the key and the access alone."""
    may_edit = access >= Access.EDIT
    params = key.values

    def render_parts() -> Markup:
        return Markup("").join(
            Markup(  # noqa: S704  rendered, autoescaped
                render_fragment(
                    part.template,
                    result=parts[part.name],
                    host=result,
                    params=params,
                    may_edit=may_edit,
                )
            )
            for part in current_runtime().registry.parts_of(key.query)
            if part.template is not None
        )

    return render_fragment(
        key.query.template,
        result=result,
        parts=parts,
        params=params,
        may_edit=may_edit,
        key=key.text,
        render_parts=render_parts,
    )
