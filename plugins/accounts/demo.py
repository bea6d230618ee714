"""Demonstration accounts; they exist only where core allows demonstration data."""

from werkzeug.security import generate_password_hash

from core import db
from plugins.accounts import plugin
from plugins.accounts.models import User

_PASSWORD = "demo"  # noqa: S105  a demonstration on loopback
_METHOD = "scrypt:32768:8:1"  # everybody knows the password: no need to spend time on it


@plugin.demo
def demo_accounts() -> None:
    """An owner, an editor, a viewer, and one who looks after the site."""
    password_hash = generate_password_hash(_PASSWORD, _METHOD)
    db.session.add_all(
        User(
            email=f"{role}@example.test",
            name=name,
            password_hash=password_hash,
            author=role in ("owner", "editor"),
            staff=role == "admin",
        )
        for role, name in (
            ("owner", "Olive Owner"),
            ("editor", "Edgar Editor"),
            ("viewer", "Vera Viewer"),
            ("admin", "Ada Admin"),
        )
    )
    db.session.flush()
