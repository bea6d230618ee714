"""Users, their sessions, and how else they get in. (``user`` alone is reserved in PostgreSQL.)"""

from datetime import datetime
from typing import Literal, TypeAlias

from sqlalchemy import ForeignKey, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from core import Model, UtcDateTime, now

LinkKind: TypeAlias = Literal["invitation", "reset"]


class User(Model):
    """Somebody who can sign in; ``email`` is stored in lower case.

    ``staff`` see and change every course; an ``author`` may add courses of their own. Who was
    ``invited`` has not chosen a name or a password yet; an empty ``password_hash`` fits nothing.
    ``language`` is the one they chose: for mails, and for the next browser that they sign in with.
    """

    __tablename__ = "account_user"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str] = mapped_column(String(255))
    staff: Mapped[bool] = mapped_column(default=False)
    author: Mapped[bool] = mapped_column(default=False)
    disabled: Mapped[bool] = mapped_column(default=False)
    invited: Mapped[bool] = mapped_column(default=False, server_default=false())
    language: Mapped[str | None] = mapped_column(String(20))


class AccountSession(Model):
    """A sign-in on one browser. Only the SHA-256 of the cookie's token is stored.

    It ends at ``expires_at``, or before, when it was not used for long since ``seen_at``. ``agent``
    is what the browser calls itself, ``address`` where it was seen last; a session that began
    before there were these columns lacks both.
    """

    __tablename__ = "account_session"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(
        ForeignKey("account_user.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=now)
    agent: Mapped[str] = mapped_column(String(200))
    address: Mapped[str | None] = mapped_column(String(64))


class AccountLink(Model):
    """A link that lets its holder choose a password, once. Only its SHA-256 is stored."""

    __tablename__ = "account_link"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(
        ForeignKey("account_user.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[LinkKind] = mapped_column(String(16))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class AccountIdentity(Model):
    """Whom an OpenID Connect provider means: its ``issuer`` and ``subject`` are one user here."""

    __tablename__ = "account_identity"
    __table_args__ = (
        UniqueConstraint("issuer", "subject"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    user_id: Mapped[int] = mapped_column(
        ForeignKey("account_user.id", ondelete="CASCADE"), index=True
    )
