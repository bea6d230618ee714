"""Loading plugins in two phases: import and validate everything; only then register.

All faults are reported together. A broken plugin cannot be isolated inside the process (one mapper
that does not configure makes every model unusable), so any fault stops the start.
"""

import importlib
import importlib.util
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points

from core.checks import find_faults
from core.errors import Fault, SetupError
from core.plugin import Plugin

ROOMS = (
    "models",
    "events",
    "guards",
    "views",
    "queries",
    "actions",
    "delivery",
    "reactions",
    "listeners",
    "pages",
    "commands",
    "demo",
)
"""The modules of a plugin package, in the order they are imported; each may be missing."""

ENTRY_POINTS = "coursewire.plugins"


def load_plugins(names: Sequence[str], given: Sequence[Plugin] = ()) -> tuple[Plugin, ...]:
    """The plugins called *names* and those *given*, valid, frozen, each after what it requires.

    A name is looked up in ``plugins/`` and in the entry-point group ``coursewire.plugins``. Raises
    `SetupError` with every fault found.
    """
    faults: list[Fault] = []
    plugins: list[Plugin] = []
    for name in dict.fromkeys(names):
        try:
            plugins.append(_import_plugin(name))
        except _NotLoadable as problem:
            faults.append(problem.fault)
    plugins += given
    faults += find_faults(plugins, broken=[fault.plugin for fault in faults])
    if faults:
        raise SetupError(faults)
    for plugin in plugins:
        plugin.freeze()
    return tuple(_in_order(plugins))


class _NotLoadable(Exception):
    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.fault = Fault(name, text)


def _import_plugin(name: str) -> Plugin:
    package = _find_package(name)
    try:
        module = importlib.import_module(package)
        for room in ROOMS:
            if importlib.util.find_spec(f"{package}.{room}") is not None:
                importlib.import_module(f"{package}.{room}")
    except Exception as error:
        # Whatever a plugin's import raises is that plugin's fault, reported beside the others.
        text = f"It cannot be imported: {type(error).__name__}: {error}{_where(error)}"
        raise _NotLoadable(name, text) from error
    plugin = getattr(module, "plugin", None)
    if not isinstance(plugin, Plugin):
        raise _NotLoadable(
            name, f"{package}/__init__.py has no `plugin`. Add: plugin = Plugin({name!r}, __name__)"
        )
    if plugin.name != name:
        raise _NotLoadable(
            name, f"{package}/__init__.py makes a plugin called '{plugin.name}', not '{name}'."
        )
    return plugin


def _find_package(name: str) -> str:
    if name.isidentifier() and importlib.util.find_spec(f"plugins.{name}") is not None:
        return f"plugins.{name}"
    for entry_point in entry_points(group=ENTRY_POINTS, name=name):
        return entry_point.module
    raise _NotLoadable(
        name,
        f"There is no plugin '{name}': neither a folder plugins/{name}, nor an installed package "
        f"with the entry point '{ENTRY_POINTS}'. Check the spelling in COURSEWIRE_PLUGINS.",
    )


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or isinstance(error, SyntaxError):  # which tells its own place
        return ""
    return f" ({trace.tb_frame.f_code.co_filename.rsplit('/', 2)[-1]}, line {trace.tb_lineno})"


def _in_order(plugins: Sequence[Plugin]) -> Iterator[Plugin]:
    """Each after what it requires; there is no circle, which the checks saw to."""
    waiting = list(plugins)
    done: set[str] = set()
    while waiting:
        for plugin in waiting:
            if done.issuperset(plugin.requires):
                waiting.remove(plugin)
                done.add(plugin.name)
                yield plugin
                break
