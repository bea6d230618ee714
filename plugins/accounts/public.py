"""What other plugins may ask of accounts."""

from sqlalchemy import select

from core import current_settings, db, emit
from plugins.accounts.events import LinkAsked
from plugins.accounts.models import LinkKind, User


def normal_email(email: str) -> str:
    """*email* as it is stored and compared."""
    return email.strip().lower()


def find_user(email: str) -> User | None:
    """The user who signs in with *email*, disabled or not."""
    return db.session.scalar(select(User).where(User.email == normal_email(email)))


def sends_mail() -> bool:
    """Whether this site sends mail at all."""
    return bool(current_settings().smtp_host and current_settings().public_url)


def invite(email: str, name: str = "", *, author: bool = False, staff: bool = False) -> User:
    """A new account of *email*, whose owner chooses name and password by a link of theirs."""
    user = User(
        email=normal_email(email),
        name=name or normal_email(email),
        password_hash="",
        author=author,
        staff=staff,
        invited=True,
    )
    db.session.add(user)
    db.session.flush()
    return user


def mail_link(user: User) -> None:
    """Let a link to choose a password be mailed to *user*, after the commit."""
    kind: LinkKind = "invitation" if user.invited else "reset"
    emit(LinkAsked(user_id=user.id, kind=kind))


def staff_ids() -> list[int]:
    """The ids of the site's staff, who see every course."""
    return list(db.session.scalars(select(User.id).where(User.staff)))


def is_author(user_id: int) -> bool:
    """Whether a user may add courses of their own."""
    return bool(db.session.scalar(select(User.author).where(User.id == user_id)))
