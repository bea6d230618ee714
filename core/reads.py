"""Reading a key: guard, stamp, query, parts, and the two bodies (JSON and HTML) of one result."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

from flask import current_app, g
from jinja2 import TemplateNotFound
from markupsafe import Markup

from core.access import Access, Me, current_me
from core.current import current_runtime
from core.database import reading
from core.queries import Key, Part
from core.stamps import Stamp


@dataclass(frozen=True)
class Reading:
    """What a key showed at ``stamp`` (``None``: Redis was away), and what the asker may do with it.

    ``parts`` holds the results of the parts by name.
    """

    key: Key
    access: Access
    stamp: Stamp | None
    result: Any
    parts: Mapping[str, Any]

    @cached_property
    def data(self) -> Any:
        """The result with its parts as further members, in plain JSON types."""
        data = self.key.query.result_type.dump_python(self.result, mode="json")
        for part in current_runtime().registry.parts_of(self.key.query):
            data[part.name] = part.result_type.dump_python(self.parts[part.name], mode="json")
        return data

    @cached_property
    def json(self) -> bytes:
        """The JSON body."""
        return json.dumps(self.data, separators=(",", ":"), ensure_ascii=False).encode()

    @cached_property
    def html(self) -> str:
        """The fragment. It depends on the key and on what may be done with it, never on who asks.

        Raises `NoFragment` when the query has no template.
        """
        try:
            return render_fragment(
                self.key.query.template,
                result=self.result,
                parts=self.parts,
                params=self.key.values,
                may_edit=self.access >= Access.EDIT,
                key=self.key.text,
                render_parts=self._render_parts,
            )
        except TemplateNotFound as error:
            if error.name != self.key.query.template:
                raise
            raise NoFragment(self.key) from None

    def _render_parts(self) -> Markup:
        """The fragments of the parts that have one."""
        return Markup("").join(
            Markup(  # noqa: S704  rendered, autoescaped
                render_fragment(
                    part.template,
                    result=self.parts[part.name],
                    host=self.result,
                    params=self.key.values,
                    may_edit=self.access >= Access.EDIT,
                )
            )
            for part in current_runtime().registry.parts_of(self.key.query)
            if part.template is not None
        )


class NoFragment(LookupError):
    """The query of this key has no template."""

    def __init__(self, key: Key) -> None:
        self.key = key
        super().__init__(f"{key.query.namespace} has no template {key.query.template}")


def read_key(key: Key, take_stamp: Callable[[], Stamp | None]) -> Reading | None:
    """Read *key* for the one who asks; ``None`` when they may not, or nothing is there.

    *take_stamp* is called first, and the data is read in a transaction begun after it, so a stamp
    is never newer than its data.
    """
    me = current_me()
    access = access_to(key, me)
    if access is Access.NONE:
        return None
    stamp = take_stamp()
    with reading():
        result, parts = run_query(key, me)
    return Reading(key, access, stamp, result, parts)


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


def content_tag(body: bytes) -> str:
    """The ETag of a body: a hash of its content and of nothing else."""
    return blake2b(body, digest_size=12).hexdigest()


def _run_part(part: Part, arguments: Mapping[str, Any]) -> Any:
    return part.function(**{p.name: arguments[p.name] for p in part.parameters})


def render_fragment(template: str, **context: Any) -> str:
    """A template without anything of the request, so that its body may be shared."""
    return current_app.jinja_env.get_template(template).render(**context)
