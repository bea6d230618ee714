"""The command line: ``flask db …``, ``flask plugin …``, ``flask live …``."""

import click
from alembic import command
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import text

from core import catalogues, migrations
from core.bus import Notice
from core.checks import find_warnings
from core.current import current_runtime
from core.database import Model, db
from core.errors import BusUnavailable, CoursewireError, InvalidKey
from core.keys import split_key

db_commands = AppGroup("db", help="The database's migrations, one chain per plugin.")
plugin_commands = AppGroup("plugin", help="The plugins of this app.")
live_commands = AppGroup("live", help="What browsers are told.")


@db_commands.command("upgrade")
def upgrade() -> None:
    """Bring every chain to its newest revision. Repeating it changes nothing."""
    migrations.upgrade_all(current_app._get_current_object())  # type: ignore[attr-defined]
    click.echo("The database is up to date.")


@db_commands.command("current")
def current() -> None:
    """Show the revision of every chain."""
    with db.engine.connect() as connection:
        for chain in migrations.chains(current_runtime().registry.plugins):
            click.echo(f"{chain.name:12} {chain.current(connection) or '(nothing applied)'}")


@db_commands.command("check")
def check() -> None:
    """Fail when the models and the newest revisions differ; changes nothing."""
    for chain in migrations.chains(current_runtime().registry.plugins):
        with migrations.migrating() as connection:
            command.check(chain.config(connection))


@db_commands.command("revision")
@click.option("--plugin", "name", required=True, help="Whose chain.")
@click.option("--message", "-m", required=True, help="What the revision does.")
@click.option("--empty", is_flag=True, help="Do not compare the models with the database.")
def revision(name: str, message: str, empty: bool) -> None:
    """Write a new revision, from the difference between the models and the database."""
    chain = _chain(name)
    versions = chain.folder / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    number = 1 + sum(1 for file in versions.glob("*.py") if file.stem != "__init__")
    with migrations.migrating() as connection:
        command.revision(
            chain.config(connection),
            message,
            autogenerate=not empty,
            rev_id=f"{name}_{number:04}",
            version_path=str(versions),
        )


@plugin_commands.command("list")
def list_plugins() -> None:
    """Show the plugins, with what they declare."""
    for plugin in current_runtime().registry.plugins:
        counts = (
            f"{len(plugin.queries)} queries, {len(plugin.actions)} actions, "
            f"{len(plugin.events)} events"
        )
        click.echo(f"{plugin.name:12} {counts}")


@plugin_commands.command("check")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
def check_plugins(strict: bool) -> None:
    """Check what the plugins declare. (Faults stop every command; this one shows warnings too.)"""
    plugins = current_runtime().registry.plugins
    warnings = find_warnings(plugins)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if warnings and strict:
        raise click.ClickException("There are warnings, and --strict was said.")
    click.echo(f"{len(plugins)} plugins are well.")


@plugin_commands.command("texts")
@click.argument("names", nargs=-1)
@click.option(
    "--language", "-l", "added", multiple=True, help="Begin a catalogue of it: de, pt_BR."
)
@click.option("--check", is_flag=True, help="Write nothing; fail if one is not up to date.")
def update_texts(names: tuple[str, ...], added: tuple[str, ...], check: bool) -> None:
    """Bring the catalogues of NAMES (core, plugins; else all) in step with the code."""
    owners = catalogues.owners(current_runtime().registry.plugins)
    if unknown := sorted(set(names) - {owner.name for owner in owners}):
        raise click.ClickException(f"There is no plugin '{unknown[0]}' here.")
    behind = []
    for owner in owners:
        if names and owner.name not in names:
            continue
        for language in sorted({*owner.languages, *added}):
            updated = catalogues.update(owner, language)
            lack = f", {len(updated.missing)} without a translation" if updated.missing else ""
            click.echo(f"{owner.name:12} {language}: {updated.count} texts{lack}")
            if updated.missing or updated.is_news:
                behind.append(f"{owner.name} {language}")
            if not check:
                updated.write()
    if check and behind:
        raise click.ClickException(f"Not up to date: {', '.join(behind)}. Run: flask plugin texts")


@plugin_commands.command("remove")
@click.argument("name")
@click.confirmation_option(prompt="This deletes the plugin's tables and all they hold. Go on?")
def remove_plugin(name: str) -> None:
    """Drop the tables of the plugin NAME. Afterwards take it out of COURSEWIRE_PLUGINS."""
    chain = _chain(name)
    if chain.name == "core":
        raise click.ClickException("Core's own tables stay.")
    users = [p.name for p in current_runtime().registry.plugins if name in p.requires]
    if users:
        raise click.ClickException(f"{', '.join(users)} require '{name}'. Remove them first.")
    with migrations.migrating() as connection:
        tables = [Model.metadata.tables[table] for table in chain.tables]
        Model.metadata.drop_all(connection, tables=tables)
        connection.execute(text(f"DROP TABLE IF EXISTS {chain.version_table}"))
    click.echo(f"Dropped: {', '.join(sorted(chain.tables))}.")


@live_commands.command("refresh")
@click.argument("keys", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every key of every screen.")
def refresh(keys: tuple[str, ...], everything: bool) -> None:
    """Tell browsers that KEYS (or every key they prefix) changed by other means than an action.

    After a data migration or a change by hand: flask live refresh chapters:list:42 media
    """
    if everything == bool(keys):
        raise click.UsageError("Say which keys, or --all.")
    try:
        for key in keys:
            split_key(key)
        bus = current_runtime().bus
        if everything:
            stamp = bus.reset("refresh", "console")
        else:
            stamp = bus.publish(Notice(keys, "refresh", "console"), patient=True)
    except (BusUnavailable, InvalidKey) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Published at {stamp}.")


def _chain(name: str) -> migrations.Chain:
    try:
        return migrations.find_chain(name)
    except CoursewireError as error:
        raise click.ClickException(str(error)) from None
