"""Commands: ``flask accounts …``."""

import click

from core import db, emit, transaction
from plugins.accounts import plugin
from plugins.accounts.events import AccountChanged
from plugins.accounts.models import User
from plugins.accounts.passwords import MIN_LENGTH, hash_password
from plugins.accounts.public import find_user, normal_email
from plugins.accounts.sessions import end_sessions_of


@plugin.cli.command("create")
@click.argument("email")
@click.option("--name", required=True, help="How the user is called.")
@click.option("--author", is_flag=True, help="May add courses, and use the library.")
@click.option("--staff", is_flag=True, help="May see and change every course.")
@click.option(
    "--password",
    envvar="COURSEWIRE_PASSWORD",
    prompt=True,
    hide_input=True,
    confirmation_prompt=True,
    help="Better typed, or set as COURSEWIRE_PASSWORD, than written into the shell's history.",
)
def create(email: str, name: str, author: bool, staff: bool, password: str) -> None:
    """Create the account of EMAIL."""
    if "@" not in email:
        raise click.BadParameter(f"“{email}” is no e-mail address.")
    if len(password) < MIN_LENGTH:
        raise click.BadParameter(f"The password has fewer than {MIN_LENGTH} characters.")
    password_hash = hash_password(password)
    with transaction():
        if find_user(email) is not None:
            raise click.ClickException(f"{normal_email(email)} has an account already.")
        db.session.add(
            User(
                email=normal_email(email),
                name=name,
                password_hash=password_hash,
                author=author,
                staff=staff,
            )
        )
    click.echo(f"{normal_email(email)} can sign in.")


@plugin.cli.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Keep EMAIL from signing in, and end every session of that account."""
    _set_disabled(email, disabled=True)
    click.echo(f"{normal_email(email)} can no longer sign in.")


@plugin.cli.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Let EMAIL sign in again."""
    _set_disabled(email, disabled=False)
    click.echo(f"{normal_email(email)} can sign in again.")


def _set_disabled(email: str, *, disabled: bool) -> None:
    with transaction():
        user = find_user(email)
        if user is None:
            raise click.ClickException(f"{normal_email(email)} has no account.")
        user.disabled = disabled
        emit(AccountChanged(user_id=user.id))
        if disabled:
            end_sessions_of(user.id)
