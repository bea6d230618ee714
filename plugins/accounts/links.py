"""Links to choose a password by: signed, for one use, and for a while.

The database has only their hashes, and so nothing that lets anybody in; the signature refuses what
we never gave without asking it. Opening a link uses nothing up, since mail scanners open them all.
Of two who use one at the same moment, the database lets one delete its row, and that one has it.
"""

import secrets
from datetime import timedelta
from hashlib import sha256

from itsdangerous import BadData
from sqlalchemy import delete, select

from core import Invalid, current_settings, db, now, signer
from core.languages import gettext as _
from plugins.accounts.models import AccountLink, LinkKind, User

LIFETIMES: dict[LinkKind, timedelta] = {
    "invitation": timedelta(days=7),
    "reset": timedelta(hours=2),
}
_PATHS: dict[LinkKind, str] = {"invitation": "/invitation", "reset": "/reset-password"}


def make_link(user: User) -> str:
    """A new link for *user*, whole if `public_url` is set: an invitation until they accept one."""
    kind: LinkKind = "invitation" if user.invited else "reset"
    text = str(signer(f"link.{kind}").dumps(secrets.token_urlsafe(24)))
    db.session.execute(delete(AccountLink).where(AccountLink.expires_at <= now()))
    db.session.add(
        AccountLink(
            token_hash=_hash(text),
            user_id=user.id,
            kind=kind,
            expires_at=now() + LIFETIMES[kind],
        )
    )
    return f"{current_settings().public_url.rstrip('/')}{_PATHS[kind]}?link={text}"


def user_of_link(kind: LinkKind, text: str) -> User | None:
    """Whose link *text* is, while it can be used; uses nothing up."""
    if not _is_signed(kind, text):
        return None
    return db.session.scalar(
        select(User)
        .join(AccountLink, AccountLink.user_id == User.id)
        .where(
            AccountLink.token_hash == _hash(text),
            AccountLink.kind == kind,
            AccountLink.expires_at > now(),
            User.disabled.is_(False),
        )
    )


def use_link(kind: LinkKind, text: str) -> User:
    """Whose link *text* was; from now on it is nobody's. Raises `Invalid` for one of no use."""
    user = user_of_link(kind, text)
    gone = delete(AccountLink).where(AccountLink.token_hash == _hash(text))
    if user is None or not db.session.scalars(gone.returning(AccountLink.id)).all():
        raise no_such_link()
    return user


def no_such_link() -> Invalid:
    """What is said of a link that was used, is too old, or was never given."""
    return Invalid(
        _("This link was used, or is too old. Ask for another one; nothing was saved."),
        title=_("A link of no use"),
    )


def forget_links_of(user_id: int) -> None:
    """Let no link of a user be used any more."""
    db.session.execute(delete(AccountLink).where(AccountLink.user_id == user_id))


def _is_signed(kind: LinkKind, text: str) -> bool:
    try:
        signer(f"link.{kind}").loads(text, max_age=int(LIFETIMES[kind].total_seconds()) + 60)
    except BadData:
        return False
    return True


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
