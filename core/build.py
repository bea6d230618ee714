"""The build: a name for everything that shapes a body, so that releases never share one."""

import sys
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

from core.plugin import Plugin

_ROOT = Path(__file__).resolve().parent.parent
_RENDERERS = ("babel", "flask-babel", "jinja2", "markupsafe", "pydantic")


def build_id(plugins: Iterable[Plugin]) -> str:
    """12 hex digits: a hash of core, the templates, the enabled plugins, their translations, and of
    what renders them.
    """
    found = blake2b(digest_size=6)
    for package in _RENDERERS:
        found.update(f"{package} {version(package)}\n".encode())
    for name, file in _files(plugins):
        content = file.read_bytes()
        found.update(f"{name} {len(content)}\n".encode())
        found.update(content)
    return found.hexdigest()


def _files(plugins: Iterable[Plugin]) -> Iterator[tuple[str, Path]]:
    yield from _below("core", _ROOT / "core", "*.py")
    yield from _below("core", _ROOT / "core" / "translations", "*.po")
    yield from _below("templates", _ROOT / "templates", "*.html")
    for plugin in plugins:
        module = sys.modules[plugin.import_name]
        if hasattr(module, "__path__"):
            yield from _below(plugin.name, Path(plugin.root_path), "*.py")
        elif module.__file__ is not None:
            yield plugin.name, Path(module.__file__)
        yield from _below(plugin.name, Path(plugin.root_path) / "templates", "*.html")
        yield from _below(plugin.name, Path(plugin.root_path) / "translations", "*.po")


def _below(name: str, folder: Path, pattern: str) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob(pattern)):
        yield f"{name}/{file.relative_to(folder).as_posix()}", file
