"""Demonstration accounts; they exist only where core allows demonstration data."""

from core import db
from plugins.accounts import plugin
from plugins.accounts.models import User
from plugins.accounts.passwords import hash_password

_PASSWORD = "demo"  # noqa: S105  a demonstration on loopback


@plugin.demo
def demo_accounts() -> None:
    """An owner, an editor and a viewer."""
    password_hash = hash_password(_PASSWORD)
    db.session.add_all(
        User(
            email=f"{role}@example.test",
            name=name,
            password_hash=password_hash,
            author=role != "viewer",
        )
        for role, name in (
            ("owner", "Olive Owner"),
            ("editor", "Edgar Editor"),
            ("viewer", "Vera Viewer"),
        )
    )
    db.session.flush()
