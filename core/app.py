"""The application factory: settings, database, plugins, the HTTP surface, in that order."""

from collections.abc import Sequence
from pathlib import Path

from flask import Flask
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from core import format as formats
from core.commands import db_commands, live_commands, plugin_commands
from core.current import EXTENSION
from core.database import init_database
from core.errors import SetupError
from core.explain import commands as explaining
from core.languages import init_languages
from core.loader import load_plugins
from core.plugin import Plugin
from core.registry import Registry
from core.runtime import Runtime
from core.serve import serve_command
from core.settings import Settings
from core.web import actions, explain, health, live, metrics, openapi, queries, seen, texts
from core.web.access_lines import init_access_lines
from core.web.door import Coursewire, Door
from core.web.pages import init_pages
from core.web.problems import init_problems
from core.web.safety import init_safety
from core.web.session import CookieSessions
from core.web.templates import find_template_faults
from core.web.uploads import UploadRequest

_ROOT = Path(__file__).resolve().parent.parent


def create_app(settings: Settings | None = None, plugins: Sequence[Plugin] = ()) -> Flask:
    """The app with the plugins that *settings* names, and those given as objects.

    Nothing connects and nothing starts: the server calls ``app.extensions["coursewire"].start()``
    in each worker. Raises `SetupError` with every fault found.
    """
    settings = settings or Settings()
    app = Coursewire(
        "core", root_path=str(_ROOT / "core"), template_folder=str(_ROOT / "templates")
    )
    app.request_class = UploadRequest
    app.session_interface = CookieSessions()
    app.config["COURSEWIRE"] = settings
    app.config["SECRET_KEY"] = settings.secret_key
    app.config["SECRET_KEY_FALLBACKS"] = list(settings.secret_key_fallbacks)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes + settings.max_body_bytes
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider's
    init_database(app, settings)
    registry = Registry(load_plugins(settings.plugins, plugins))
    app.extensions[EXTENSION] = Runtime(app, settings, registry)
    _init_web(app, settings, registry)
    _init_commands(app)
    faults = find_template_faults(app, registry)
    if faults:
        raise SetupError(faults)
    return app


def _init_web(app: Flask, settings: Settings, registry: Registry) -> None:
    app.wsgi_app = Door(app)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count
        )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.filters.update(
        decimal=formats.decimal,
        duration=formats.duration,
        event_name=formats.event_name,
        filesize=formats.filesize,
        moment=formats.moment,
        number=formats.number,
        when=formats.when,
    )
    folders = [str(Path(plugin.root_path) / "templates") for plugin in registry.plugins]
    app.jinja_env.loader = ChoiceLoader(
        [FileSystemLoader([str(_ROOT / "templates")]), FileSystemLoader(folders)]
    )
    catalogues = [Path(plugin.root_path) / "translations" for plugin in registry.plugins]
    init_languages(app, settings, [*catalogues, _ROOT / "core" / "translations"])
    init_access_lines(app)
    init_safety(app, settings, registry.plugins)
    init_problems(app)
    for module in (queries, actions, live, seen, explain, texts, health, metrics, openapi):
        app.register_blueprint(module.blueprint)
    for plugin in registry.plugins:
        app.register_blueprint(plugin)
    init_pages(app, registry)


def _init_commands(app: Flask) -> None:
    for command in (explaining.show_map, explaining.explain, explaining.tail, explaining.check):
        live_commands.add_command(command)
    for group in (db_commands, plugin_commands, live_commands, serve_command):
        app.cli.add_command(group)
