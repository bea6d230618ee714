"""Commands: ``flask accounts …``."""

import click

from core import Invalid, emit, transaction
from plugins.accounts import plugin
from plugins.accounts.events import AccountChanged
from plugins.accounts.links import LIFETIMES, forget_links_of, make_link
from plugins.accounts.models import LinkKind
from plugins.accounts.passwords import check_password, hash_password
from plugins.accounts.public import find_user, invite, mail_link, normal_email, sends_mail
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
    _check_email(email)
    password_hash = _hashed(password, email, name)
    with transaction():
        _refuse_taken(email)
        user = invite(email, name, author=author, staff=staff)
        user.password_hash, user.invited = password_hash, False
    click.echo(f"{normal_email(email)} can sign in.")


@plugin.cli.command("create-admin")
@click.argument("email")
@click.option("--name", default="Administrator", show_default=True, help="How they are called.")
@click.option(
    "--password",
    envvar="COURSEWIRE_PASSWORD",
    default="",
    help="Set it as COURSEWIRE_PASSWORD. Without one, a link to choose it is printed.",
)
def create_admin(email: str, name: str, password: str) -> None:
    """Make EMAIL one of the site's staff, with an account if there is none.

    Repeating it changes nothing, not the password either, so a release phase may run it.
    """
    _check_email(email)
    password_hash = _hashed(password, email, name) if password else ""
    link = None
    with transaction():
        user = find_user(email)
        if user is None:
            user = invite(email, name, author=True, staff=True)
            user.password_hash, user.invited = password_hash, not password
            link = make_link(user) if user.invited else None
        elif not user.staff:
            user.staff = True
            emit(AccountChanged(user_id=user.id))
        disabled = user.disabled
    click.echo(f"{normal_email(email)} is one of the staff.")
    if disabled:
        click.echo(f"The account is disabled: flask accounts enable {normal_email(email)}")
    _tell(link, "invitation")


@plugin.cli.command("invite")
@click.argument("email")
@click.option("--name", default="", help="How the user is called until they say it themselves.")
@click.option("--author", is_flag=True, help="May add courses, and use the library.")
@click.option("--staff", is_flag=True, help="May see and change every course.")
def invite_command(email: str, name: str, author: bool, staff: bool) -> None:
    """Create the account of EMAIL, and print a link by which its owner chooses a password.

    Where a mail server is set, another one is mailed to them. Repeat it for a new link.
    """
    _check_email(email)
    with transaction():
        user = find_user(email)
        if user is not None and not user.invited:
            _refuse_taken(email)
        user = user or invite(email, name, author=author, staff=staff)
        link = make_link(user)
        if sends_mail():
            mail_link(user)
    _tell(link, "invitation")
    if sends_mail():
        click.echo(f"A link is on its way to {normal_email(email)}, too.")


@plugin.cli.command("reset-link")
@click.argument("email")
def reset_link(email: str) -> None:
    """Print a link by which the owner of EMAIL's account chooses another password."""
    with transaction():
        user = find_user(email)
        if user is None:
            raise click.ClickException(f"{normal_email(email)} has no account.")
        kind: LinkKind = "invitation" if user.invited else "reset"
        link = make_link(user)
    _tell(link, kind)


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


def _check_email(email: str) -> None:
    if "@" not in email:
        raise click.BadParameter(f"“{email}” is no e-mail address.")


def _refuse_taken(email: str) -> None:
    if find_user(email) is not None:
        raise click.ClickException(f"{normal_email(email)} has an account already.")


def _hashed(password: str, email: str, name: str) -> str:
    try:
        check_password(password, email, name)
    except Invalid as refused:
        raise click.ClickException(refused.errors["password"]) from None
    return hash_password(password)


def _tell(link: str | None, kind: LinkKind) -> None:
    if link is None:
        return
    hours = round(LIFETIMES[kind].total_seconds() / 3600)
    until = f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
    click.echo(f"This link works once, within {until}. Give it to nobody else:")
    click.echo(f"  {link}")
    if link.startswith("/"):
        click.echo("Put your site's address before it, or set COURSEWIRE_PUBLIC_URL.")


def _set_disabled(email: str, *, disabled: bool) -> None:
    with transaction():
        user = find_user(email)
        if user is None:
            raise click.ClickException(f"{normal_email(email)} has no account.")
        user.disabled = disabled
        emit(AccountChanged(user_id=user.id))
        if disabled:
            end_sessions_of(user.id)
            forget_links_of(user.id)
