"""The regions in the templates, and the check that each names a query that exists."""

from collections.abc import Iterator

from flask import Flask
from jinja2 import TemplateError, nodes

from core.errors import Fault
from core.registry import Registry


def find_template_faults(app: Flask, registry: Registry) -> list[Fault]:
    """Every template that does not parse, and every ``region(…)`` of an unknown query."""
    known = {f"{query.plugin}_{query.name}" for query in registry.queries}
    faults: list[Fault] = []
    for name in _templates(app, registry):
        owner = name.partition("/")[0]
        try:
            found = list(_regions(_parse(app, name)))
        except TemplateError as error:
            faults.append(Fault(owner, f"templates/{name} cannot be read: {error}"))
            continue
        for query, line in found:
            if query not in known:
                faults.append(
                    Fault(
                        owner,
                        f"templates/{name}, line {line}: region({query}, …) names no query. There "
                        f"are: {', '.join(sorted(known))}.",
                    )
                )
    return faults


def regions(app: Flask, registry: Registry) -> Iterator[tuple[str, str, int]]:
    """Every ``region(query, …)``: its template, the query as it is called there, and the line."""
    for name in _templates(app, registry):
        for query, line in _regions(_parse(app, name)):
            yield name, query, line


def _templates(app: Flask, registry: Registry) -> Iterator[str]:
    plugins = {plugin.name for plugin in registry.plugins}
    for name in app.jinja_env.list_templates(extensions=["html"]):
        if "/" not in name or name.partition("/")[0] in plugins:
            yield name  # not one of a plugin that is not enabled


def _parse(app: Flask, name: str) -> nodes.Template:
    assert app.jinja_env.loader is not None  # noqa: S101  set by the factory
    source, _, _ = app.jinja_env.loader.get_source(app.jinja_env, name)
    return app.jinja_env.parse(source, name)


def _regions(tree: nodes.Template) -> Iterator[tuple[str, int]]:
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "region" and call.args:
            first = call.args[0]
            yield first.name if isinstance(first, nodes.Name) else "?", call.lineno
