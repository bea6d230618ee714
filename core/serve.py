"""``flask serve``: everything that Coursewire needs, on this machine, under a supervising parent.

    flask serve ─┬─ valkey-server         only without REDIS_URL
                 └─ gunicorn ─┬─ worker   gevent; WEB_CONCURRENCY of them
                              └─ worker

1. Each child has a process group of its own. Ctrl-C in a terminal reaches the parent alone, which
   ends gunicorn first and Valkey after it: the last notices still find their bus.
2. The demonstration accounts have a known password. They exist only where nobody but this machine
   can reach the server and nothing but the embedded defaults holds the data.
"""

import http.client
import os
import secrets
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from core.embedded import EmbeddedValkey
from core.processes import Child, Signals

_ROOT = Path(__file__).resolve().parent.parent
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ANSWER_S, _READY_S = 30.0, 5.0
"""How long gunicorn may take to answer at all, and then to be ready, before we say so."""
_STOP_S = 25.0
"""A little more than gunicorn's own `graceful_timeout`."""


@dataclass(frozen=True)
class Plan:
    """What the environment asks of ``flask serve``."""

    host: str
    port: int
    var: Path
    redis_url: str
    database_url: str

    @property
    def demo(self) -> bool:
        """Whether demonstration accounts may exist."""
        return self.host in _LOOPBACK and not self.redis_url and not self.database_url

    @property
    def address(self) -> str:
        """What to type into a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def read_plan(environment: Mapping[str, str]) -> Plan:
    """The plan that *environment* holds. Raises `click.ClickException` in plain words."""
    _whole_number(environment, "WEB_CONCURRENCY", 2, 64)
    return Plan(
        host=environment.get("COURSEWIRE_HOST") or "127.0.0.1",
        port=_whole_number(environment, "PORT", 8000, 65535),
        var=Path(environment.get("COURSEWIRE_VAR_DIR") or _ROOT / "var").resolve(),
        redis_url=_either(environment, "REDIS_URL"),
        database_url=_either(environment, "DATABASE_URL"),
    )


@click.command("serve")
def serve_command() -> None:
    """Start Coursewire here, with a Valkey and a database of its own unless told otherwise.

    Read from the environment: PORT (8000), COURSEWIRE_HOST (127.0.0.1), REDIS_URL, DATABASE_URL,
    WEB_CONCURRENCY (2), SECRET_KEY, and COURSEWIRE_VAR_DIR (var), where the database, the uploads
    and the generated secret key are kept.
    """
    plan = read_plan(os.environ)
    _refuse_taken_port(plan)
    with Signals() as signals:
        valkey = None if plan.redis_url else EmbeddedValkey(signals)
        try:
            _serve(plan, signals, valkey)
        finally:
            if valkey is not None:
                valkey.stop()


def _serve(plan: Plan, signals: Signals, valkey: EmbeddedValkey | None) -> None:
    if valkey is not None and not valkey.start():
        raise click.ClickException(f"The embedded Valkey does not start.\n{valkey.log}")
    os.environ.update(_settings(plan, plan.redis_url or (valkey.url if valkey else "")))
    lines = _prepare(plan)
    if signals.stopping():
        return
    gunicorn = _start_gunicorn()
    try:
        _greet(plan, signals, gunicorn, lines)
        _supervise(signals, gunicorn, valkey)
    finally:
        _stop_gunicorn(signals, gunicorn)


def _settings(plan: Plan, redis_url: str) -> dict[str, str]:
    """The environment of the app: the plan, with everything left open decided."""
    plan.var.mkdir(parents=True, exist_ok=True)
    database = plan.database_url or f"sqlite:///{plan.var / 'coursewire.sqlite3'}"
    return {
        "COURSEWIRE_HOST": plan.host,
        "PORT": str(plan.port),
        "COURSEWIRE_REDIS_URL": redis_url,
        "COURSEWIRE_DATABASE_URL": database,
        "COURSEWIRE_SECRET_KEY": _either(os.environ, "SECRET_KEY") or _secret_key(plan.var),
        "COURSEWIRE_UPLOAD_DIR": os.environ.get("COURSEWIRE_UPLOAD_DIR")
        or str(plan.var / "uploads"),
        "COURSEWIRE_DEMO": "1" if plan.demo else "0",
        "COURSEWIRE_FRESHNESS": os.environ.get("COURSEWIRE_FRESHNESS") or "strict",
        "COURSEWIRE_INSPECTOR": os.environ.get("COURSEWIRE_INSPECTOR")
        or ("open" if plan.demo else "staff"),
        "COURSEWIRE_LOG_FORMAT": os.environ.get("COURSEWIRE_LOG_FORMAT") or "text",
        "COURSEWIRE_SIGHTINGS_SHARE": os.environ.get("COURSEWIRE_SIGHTINGS_SHARE") or "1",
        "COURSEWIRE_LOG_LEVEL": os.environ.get("COURSEWIRE_LOG_LEVEL") or "warning",
    }


def _secret_key(var: Path) -> str:
    """A key of this folder's own, kept, so that a restart signs nobody out."""
    file = var / "secret_key"
    file.touch(mode=0o600)
    if not file.read_text():
        file.write_text(secrets.token_urlsafe(48))
    return file.read_text()


def _prepare(plan: Plan) -> list[str]:
    """Migrate, and fill in demonstration data where it may be; the lines that tell the sign-ins."""
    from core.app import create_app  # noqa: PLC0415 - the app imports this module
    from core.demo import fill_if_empty  # noqa: PLC0415
    from core.migrations import upgrade_all  # noqa: PLC0415

    app = create_app()
    upgrade_all(app)
    lines = fill_if_empty(app) if plan.demo else []
    app.extensions["coursewire"].stop()
    return lines


def _start_gunicorn() -> Child:
    conf = str(Path(__file__).with_name("gunicorn_conf.py"))
    command = [sys.executable, "-m", "gunicorn", "-c", conf, "--chdir", str(_ROOT), "wsgi:app"]
    return Child(command, os.environ)


def _supervise(signals: Signals, gunicorn: Child, valkey: EmbeddedValkey | None) -> None:
    """Return when somebody wants us to stop; until then keep Valkey alive."""
    while not signals.stopping():
        if gunicorn.ended:
            raise click.ClickException(
                f"The server (gunicorn) ended by itself, with code {gunicorn.exit_code}. "
                "Its reason stands above."
            )
        if valkey is not None and valkey.ended:
            click.echo("The embedded Valkey ended by itself. Starting it again.", err=True)
            if not valkey.restart():
                raise click.ClickException(f"The embedded Valkey does not stay up.\n{valkey.log}")
        signals.wait()


def _stop_gunicorn(signals: Signals, gunicorn: Child) -> None:
    """End gunicorn with the browsers' consent; at a second Ctrl-C without."""
    asked = signals.stops
    gunicorn.send(signal.SIGTERM)
    signals.wait_until(lambda: gunicorn.ended or signals.stops > asked, _STOP_S)
    if not gunicorn.ended:
        gunicorn.send(signal.SIGINT)
        signals.wait_until(lambda: gunicorn.ended, 3.0)
    gunicorn.kill_group()


def _greet(plan: Plan, signals: Signals, gunicorn: Child, lines: list[str]) -> None:
    def hopeless() -> bool:
        return signals.stopping() or gunicorn.ended

    signals.wait_until(lambda: hopeless() or _ask_readiness(plan)[0] > 0, _ANSWER_S)
    signals.wait_until(lambda: hopeless() or _ask_readiness(plan)[0] == 200, _READY_S)
    if hopeless():
        return
    status, body = _ask_readiness(plan)
    if status == 200:
        click.echo(f"Coursewire is ready at {plan.address}")
    else:
        click.echo(f"Coursewire runs at {plan.address}, but is not ready: {body}")
    if lines:
        click.echo("Sign in as one of:")
    for line in lines:
        click.echo(f"  {line}")
    click.echo("Press Ctrl-C to stop it.")


def _ask_readiness(plan: Plan) -> tuple[int, str]:
    """What the server says of itself, and its HTTP status; 0 while it does not answer."""
    host = plan.host if plan.host not in ("0.0.0.0", "::") else "localhost"  # noqa: S104 - compared
    connection = http.client.HTTPConnection(host, plan.port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return response.status, response.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


def _refuse_taken_port(plan: Plan) -> None:
    family = socket.AF_INET6 if ":" in plan.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((plan.host, plan.port))
        except PermissionError:
            raise click.ClickException(
                f"Port {plan.port} is reserved. Choose another: PORT=8000 make run"
            ) from None
        except OSError:
            other = plan.port + 1 if plan.port < 65535 else 8000
            raise click.ClickException(
                f"Port {plan.port} is in use. Choose another: PORT={other} make run"
            ) from None


def _either(environment: Mapping[str, str], name: str) -> str:
    """The setting *name* as `core.settings` finds it: with our prefix, or without."""
    return environment.get(f"COURSEWIRE_{name}") or environment.get(name) or ""


def _whole_number(environment: Mapping[str, str], name: str, default: int, largest: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= largest:
        raise click.ClickException(f"{name} is {text!r}. Give a whole number from 1 to {largest}.")
    return int(text)
