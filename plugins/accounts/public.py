"""What other plugins may ask of accounts."""

from sqlalchemy import select

from core import db
from plugins.accounts.models import User


def normal_email(email: str) -> str:
    """*email* as it is stored and compared."""
    return email.strip().lower()


def find_user(email: str) -> User | None:
    """The user who signs in with *email*, disabled or not."""
    return db.session.scalar(select(User).where(User.email == normal_email(email)))


def staff_ids() -> list[int]:
    """The ids of the site's staff, who see every course."""
    return list(db.session.scalars(select(User.id).where(User.staff)))


def is_author(user_id: int) -> bool:
    """Whether a user may add courses of their own."""
    return bool(db.session.scalar(select(User.author).where(User.id == user_id)))
