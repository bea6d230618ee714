"""The check of the templates: every region names a query that exists."""

from collections.abc import Iterator

from flask import Flask
from jinja2 import TemplateError, nodes

from core.errors import Fault
from core.registry import Registry


def find_template_faults(app: Flask, registry: Registry) -> list[Fault]:
    """Every template that does not parse, and every ``region(…)`` of an unknown query."""
    known = {f"{query.plugin}_{query.name}" for query in registry.queries}
    faults: list[Fault] = []
    for name in app.jinja_env.list_templates(extensions=["html"]):
        owner = name.partition("/")[0]
        if owner not in {plugin.name for plugin in registry.plugins} and "/" in name:
            continue  # a template of a plugin that is not enabled
        try:
            assert app.jinja_env.loader is not None  # noqa: S101  set by the factory
            source, _, _ = app.jinja_env.loader.get_source(app.jinja_env, name)
            tree = app.jinja_env.parse(source, name)
        except TemplateError as error:
            faults.append(Fault(owner, f"templates/{name} cannot be read: {error}"))
            continue
        for query, line in _regions(tree):
            if query not in known:
                faults.append(
                    Fault(
                        owner,
                        f"templates/{name}, line {line}: region({query}, …) names no query. There "
                        f"are: {', '.join(sorted(known))}.",
                    )
                )
    return faults


def _regions(tree: nodes.Template) -> Iterator[tuple[str, int]]:
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "region" and call.args:
            first = call.args[0]
            yield first.name if isinstance(first, nodes.Name) else "?", call.lineno
