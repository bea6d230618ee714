"""Writes docs/reference.md, and the table in docs/metrics.md, from the code.

With --check it only says whether both are up to date.
"""

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import click
from flask import Flask
from jinja2 import nodes
from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import core  # noqa: E402  found by the path above
from core import Me, Settings, create_app, errors  # noqa: E402
from core.actions import Action, Upload  # noqa: E402
from core.parameters import Parameter  # noqa: E402
from core.queries import Part, Query  # noqa: E402
from core.registry import Registry, Source  # noqa: E402
from core.staleness import Rule  # noqa: E402
from core.telemetry.metrics import Declared, Metrics  # noqa: E402

PAGE = ROOT / "docs" / "reference.md"
METRICS_PAGE = ROOT / "docs" / "metrics.md"
OUR_COMMANDS = ("serve", "db", "plugin", "live")
FIRST_PARTY = ("accounts", "courses", "media", "chapters", "presence", "status")

SERVER_VARIABLES = {
    "PORT": "Port to listen on: 8000 unless told otherwise.",
    "COURSEWIRE_HOST": "Address to listen on, `127.0.0.1`. The `Procfile` says `0.0.0.0`.",
    "WEB_CONCURRENCY": "Server processes (workers): 2.",
    "COURSEWIRE_SLOW_REQUEST_S": "How long a head or a body may take that trickles: 30 seconds.",
    "COURSEWIRE_CONNECTIONS_PER_WORKER": "Most connections of a worker, beside its streams: 5000.",
    "COURSEWIRE_ACCESS_LOG": "File of the access log, `-` for the standard output. Empty: none.",
    "COURSEWIRE_LOG_LEVEL": "Of gunicorn: `info`; under `flask serve`, `warning`.",
    "FORWARDED_ALLOW_IPS": "gunicorn's own; nothing here depends on it.",
    "COURSEWIRE_VAR_DIR": "`flask serve` only: where it keeps database, uploads and secret key.",
    "COURSEWIRE_PASSWORD": "`flask accounts create` only: the password, instead of being asked.",
}
"""Read by the server or a command before there are settings."""


def main() -> int:
    """Write the pages, or compare them; the exit code."""
    pages = {PAGE: render(), METRICS_PAGE: with_metrics(METRICS_PAGE.read_text(encoding="utf-8"))}
    if "--check" not in sys.argv[1:]:
        for page, text in pages.items():
            page.write_text(text, encoding="utf-8")
        return 0
    late = [
        f"docs/{page.name}"
        for page, text in pages.items()
        if not page.exists() or page.read_text(encoding="utf-8") != text
    ]
    for name in late:
        print(f"{name} is out of date. Run: python scripts/reference.py", file=sys.stderr)
    return 1 if late else 0


def render() -> str:
    """The whole page, of the plugins that come with Coursewire."""
    settings = Settings(database_url="sqlite://", plugins=FIRST_PARTY)
    app = create_app(settings)
    registry: Registry = app.extensions["coursewire"].registry
    lines = [
        "# Reference",
        "",
        "Made from the code by `python scripts/reference.py`. Do not edit it by hand.",
        "",
        *(f"- [{title}](#{title.lower()})" for title in _SECTIONS),
        "",
        *settings_section(),
        *events_section(registry),
        *queries_section(registry, app),
        *actions_section(registry),
        *resources_section(registry),
        *slots_section(registry, app),
        *commands_section(app),
        *errors_section(),
        "",
        *names_section(),
    ]
    return "\n".join(lines).rstrip() + "\n"


_SECTIONS = (
    "Settings",
    "Events",
    "Queries",
    "Actions",
    "Resources",
    "Slots",
    "Commands",
    "Errors",
    "Names",
)


def settings_section() -> Iterator[str]:
    """Every setting, and what the server reads beside them."""
    yield from ("## Settings", "")
    yield "Read from the environment once, when the app is created. The name with the prefix wins."
    yield ""
    rows = [
        (f"`{name}`", environment_of(name, field), default_of(field), sentence(field.description))
        for name, field in Settings.model_fields.items()
    ]
    yield from table(("setting", "environment", "default", "meaning"), rows)
    yield from ("", "Read by the server itself, or by one command:", "")
    yield from table(
        ("environment", "meaning"), [(f"`{name}`", text) for name, text in SERVER_VARIABLES.items()]
    )
    yield ""


def environment_of(name: str, field: FieldInfo) -> str:
    """The names under which a setting is looked for."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return " or ".join(f"`{choice}`" for choice in alias.choices)
    return f"`COURSEWIRE_{name.upper()}`"


def default_of(field: FieldInfo) -> str:
    """The default as the environment would spell it."""
    value = field.default
    if value is PydanticUndefined or value == "":
        return "none"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def events_section(registry: Registry) -> Iterator[str]:
    """The map: every event, its fields, the namespaces it makes stale, the reactions it starts."""
    yield from ("## Events", "")
    yield (
        "What each event makes stale, in the words of those who own the reads. *Access* means that "
        "what some users may see has changed: their streams are closed and come back."
    )
    yield ""
    for plugin in registry.plugins:
        if not plugin.events:
            continue
        yield from (f"### Events of {plugin.name}", "")
        rows = [
            (
                f"`{event.wire_name}`",
                f"`{event.__name__}`: {first_line(event)}",
                fields_of(event),
                ", ".join(stale_names(registry.sources_of(event))) or "nothing",
                ", ".join(f"`{reaction.label}`" for reaction in registry.reactions_to(event)),
            )
            for event in plugin.events
        ]
        yield from table(("event", "fact", "fields", "makes stale", "reactions"), rows)
        yield ""


def stale_names(sources: Sequence[Source]) -> list[str]:
    """The namespaces among *sources*, each once, and access last."""
    names = [f"`{source.query.namespace}`" for source in sources if source.query is not None]
    access = ["*access*"] if any(source.query is None for source in sources) else []
    return [*dict.fromkeys(names), *access]


def queries_section(registry: Registry, app: Flask) -> Iterator[str]:
    """Every query: its address, who may read it, and what makes it stale."""
    yield from ("## Queries", "")
    yield "`GET /q/…`; how, is in [protocol.md](protocol.md#read-a-key)."
    yield ""
    templates = set(app.jinja_env.list_templates())
    for query in registry.queries:
        yield from query_entry(query, registry.parts_of(query), query.template in templates)


def query_entry(query: Query[..., Any], parts: Sequence[Part], has_fragment: bool) -> Iterator[str]:
    """The entry of one query."""
    path = "".join(f"/{{{p.name}}}" for p in query.required)
    yield from (f"### `{query.namespace}`", "", first_line(query.function), "")
    yield f"- `GET /q/{query.plugin}/{query.path_name}{path}`" + (
        ", JSON and fragment" if has_fragment else ", JSON only"
    )
    if query.required:
        yield f"- parameters: {', '.join(parameter_text(p) for p in query.required)}"
    if query.options:
        yield f"- options: {', '.join(parameter_text(p) for p in query.options)}"
    yield f"- guard: `{query.guard.name}`"
    yield f"- result: {type_text(returned_by(query.function))}"
    for part in parts:
        yield f"- part `{part.name}`, of {part.plugin}: {type_text(returned_by(part.function))}"
    for owner, rules in [(None, query.staleness.rules), *((p, p.staleness.rules) for p in parts)]:
        told = "stale on" if owner is None else f"stale, by the part `{owner.name}`, on"
        if rules:
            yield f"- {told}: {', '.join(rule_text(rule) for rule in rules)}"
    yield ""


def rule_text(rule: Rule) -> str:
    """An event, and in whose keys it is answered where that is said in code."""
    name = f"`{rule.event.wire_name}`"
    if rule.answer is None:
        return name
    told = first_line(rule.answer).partition(";")[0].rstrip(".")
    return f"{name} ({told[:1].lower()}{told[1:]})"


def actions_section(registry: Registry) -> Iterator[str]:
    """Every action: its address, its fields, and who may do it."""
    yield from ("## Actions", "")
    yield "`POST /a/…`; how, is in [protocol.md](protocol.md#write)."
    yield ""
    for plugin in registry.plugins:
        if not plugin.actions:
            continue
        yield from (f"### Actions of {plugin.name}", "")
        rows = [
            (
                f"`{action.plugin}/{action.path_name}`",
                first_line(action.function),
                "<br>".join(action_fields(action)) or "none",
                f"`{action.guard.name}`, {action.needs.name.lower()}",
                type_text(returned_by(action.function)),
            )
            for action in plugin.actions
        ]
        yield from table(("action", "what it does", "fields", "guard, needs", "result"), rows)
        yield ""


def action_fields(action: Action[..., Any]) -> list[str]:
    """The fields of the body, a file included."""
    files = [f"`{p.name}`: file" for p in action.parameters if p.annotation is Upload]
    return [*files, *(parameter_text(parameter) for parameter in action.fields)]


def resources_section(registry: Registry) -> Iterator[str]:
    """The models that results and fields are made of."""
    yield from ("## Resources", "")
    yield "What results and fields are made of; `null` marks what may be missing."
    yield ""
    found: dict[str, type[BaseModel]] = {}
    for query in registry.queries:
        collect_models(returned_by(query.function), found)
        for part in registry.parts_of(query):
            collect_models(returned_by(part.function), found)
    for action in registry.actions:
        collect_models(returned_by(action.function), found)
        for parameter in action.fields:
            collect_models(parameter.annotation, found)
    rows = [
        (f"`{name}`", first_line(model), fields_of(model)) for name, model in sorted(found.items())
    ]
    yield from table(("resource", "meaning", "fields"), rows)
    yield ""


def collect_models(annotation: Any, found: dict[str, type[BaseModel]]) -> None:
    """Put every pydantic model inside *annotation* into *found*, by its name here."""
    if is_model(annotation) and resource_name(annotation) not in found:
        found[resource_name(annotation)] = annotation
        for field in annotation.model_fields.values():
            collect_models(field.annotation, found)
    for inner in get_args(annotation):
        collect_models(inner, found)


def slots_section(registry: Registry, app: Flask) -> Iterator[str]:
    """The slots of the pages, as their templates name them."""
    yield from ("## Slots", "")
    rows = []
    for template in app.jinja_env.list_templates(extensions=["html"]):
        assert app.jinja_env.loader is not None  # noqa: S101  set by the factory
        source, _, _ = app.jinja_env.loader.get_source(app.jinja_env, template)
        for call in app.jinja_env.parse(source).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "slot":
                name = call.args[0].as_const()
                fills = ", ".join(f"`{f.query.namespace}`" for f in registry.fills_of(name))
                given = ", ".join(f"`{keyword.key}`" for keyword in call.kwargs)
                rows.append((f"`{name}`", given, f"`{template}`", fills))
    yield from table(("slot", "parameters", "page", "filled by"), sorted(rows))
    yield ""


def commands_section(app: Flask) -> Iterator[str]:
    """Every command of ours, and of the plugins."""
    yield from ("## Commands", "")
    yield "`flask COMMAND --help` says the same."
    yield ""
    context = click.Context(app.cli, info_name="flask")
    names = [*OUR_COMMANDS, *sorted(set(app.cli.list_commands(context)) & set(FIRST_PARTY))]
    for name in names:
        command = app.cli.get_command(context, name)
        assert command is not None  # noqa: S101  just listed
        yield from command_entries(command, click.Context(command, context, info_name=name))


def command_entries(command: click.Command, context: click.Context) -> Iterator[str]:
    """The entry of a command, or those of a group's commands."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None  # noqa: S101  just listed
            yield from command_entries(child, click.Context(child, context, info_name=name))
        return
    yield from (f"### `{context.command_path}`", "")
    options = [p for p in command.params if isinstance(p, click.Option) and p.help]
    arguments = [p.make_metavar(context) for p in command.params if isinstance(p, click.Argument)]
    yield f"`{' '.join([context.command_path, *arguments, *map(usage_of, options)])}`"
    yield from ("", inspect.cleandoc(command.help or ""), "")
    yield from (f"- {', '.join(f'`{name}`' for name in o.opts)}: {o.help}" for o in options)
    if options:
        yield ""


def usage_of(option: click.Option) -> str:
    """An option as a usage line shows it."""
    word = option.opts[0] if option.is_flag else f"{option.opts[0]} {option.opts[0][2:].upper()}"
    return word if option.required else f"[{word}]"


def errors_section() -> Iterator[str]:
    """The tree of errors."""
    yield from ("## Errors", "")
    yield "Problems answer a request, as `application/problem+json` or as a page:"
    yield ""
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind)]
    problems = [kind for kind in kinds if issubclass(kind, errors.Problem)]
    rows = [
        (f"`{kind.__name__}`", str(kind.status), kind.title, first_line(kind)) for kind in problems
    ]
    yield from table(("error", "status", "title", "meaning"), rows)
    yield from ("", "The others are raised at start, or inside:", "")
    others = [
        (f"`{kind.__name__}`", first_line(kind))
        for kind in kinds
        if issubclass(kind, errors.CoursewireError) and kind not in problems
    ]
    yield from table(("error", "meaning"), others)


def names_section() -> Iterator[str]:
    """What a plugin's author imports from core; the errors have a section of their own."""
    yield from ("## Names", "", "What `from core import …` offers, beside the errors:", "")
    rows = []
    for name in core.__all__:
        value = getattr(core, name)
        if not (inspect.isclass(value) and issubclass(value, errors.CoursewireError)):
            rows.append((f"`{name}`", told_of(name) or first_line(value)))
    yield from table(("name", "meaning"), rows)


def told_of(name: str) -> str:
    """The first sentence under an assignment to *name* in the module that core takes it from."""
    tree = ast.parse(Path(core.__file__).read_text(encoding="utf-8"))
    for imported in (node for node in tree.body if isinstance(node, ast.ImportFrom)):
        if name not in {alias.name for alias in imported.names}:
            continue
        module = ROOT / f"{str(imported.module).replace('.', '/')}.py"
        body = ast.parse(module.read_text(encoding="utf-8")).body
        for node, following in pairwise(body):
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            told = following.value if isinstance(following, ast.Expr) else None
            if isinstance(told, ast.Constant) and name in {getattr(t, "id", "") for t in targets}:
                return one_line(str(told.value))
    return _UNTOLD.get(name, "")


_UNTOLD = {"db": "Flask-SQLAlchemy: `db.session` is the session at hand."}


def with_metrics(page: str) -> str:
    """*page* with the table of all metrics between its two marks, which must be there."""
    before, begin, rest = page.partition("<!-- metrics: made by scripts/reference.py -->\n")
    _, end, after = rest.partition("<!-- end of metrics -->\n")
    if not (begin and end):
        raise ValueError("docs/metrics.md has lost the marks around its table")
    rows = [
        (f"`{name_of(m)}`", m.kind, ", ".join(f"`{label}`" for label in m.labels), m.text)
        for m in Metrics().declared.values()
    ]
    lines = table(("metric", "type", "labels", "meaning"), rows)
    return "".join([before, begin, "\n", *(f"{line}\n" for line in lines), "\n", end, after])


def name_of(metric: Declared) -> str:
    """The name under which *metric* is scraped; a histogram's has three endings."""
    return f"{metric.name}_total" if metric.kind == "counter" else metric.name


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def fields_of(model: type[BaseModel]) -> str:
    """The fields of a model, with their types."""
    return "<br>".join(
        f"`{name}`: {type_text(field.annotation)}" for name, field in model.model_fields.items()
    )


def parameter_text(parameter: Parameter) -> str:
    """A parameter with its type, and its default where it has one."""
    text = f"`{parameter.name}`: {type_text(parameter.annotation)}"
    if parameter.required:
        return text
    default = '""' if parameter.default == "" else str(parameter.default)
    return f"{text} = {default}"


def type_text(annotation: Any) -> str:
    """A type in words that a client's author knows."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        text = type_text(inner[0])
    elif origin is Literal:
        text = " or ".join(f'"{value}"' for value in inner)
    elif origin in (Union, UnionType):
        text = " or ".join(type_text(kind) for kind in inner)
    elif origin is list:
        text = f"list of {type_text(inner[0])}"
    elif is_model(annotation):
        text = f"`{resource_name(annotation)}`"
    else:
        text = _PLAIN.get(annotation, str(getattr(annotation, "__name__", annotation)))
    return text


_PLAIN: dict[Any, str] = {None: "null", NoneType: "null", Me: "the user's id"}


def is_model(annotation: Any) -> bool:
    """Whether *annotation* is a pydantic model."""
    return inspect.isclass(annotation) and issubclass(annotation, BaseModel)


def resource_name(model: type[BaseModel]) -> str:
    """``chapters.ChapterView``: the plugin's name and the model's."""
    return f"{model.__module__.split('.')[1]}.{model.__name__}"


def returned_by(function: Any) -> Any:
    """The type that *function* returns."""
    return get_type_hints(function, include_extras=True)["return"]


def first_line(documented: Any) -> str:
    """The first sentence of a docstring."""
    return one_line(documented.__doc__ or "")


def one_line(text: str) -> str:
    """The first paragraph of *text*, on one line."""
    paragraph = inspect.cleandoc(text).partition("\n\n")[0]
    return " ".join(paragraph.split()).replace("``", "`")


def sentence(text: str | None) -> str:
    """*text*, ending as a sentence."""
    return (text or "").rstrip(".") + "."


if __name__ == "__main__":
    sys.exit(main())
