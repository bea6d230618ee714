"""Demonstration data: what each plugin supplies, in an empty database."""

from flask import Flask
from sqlalchemy import func, select

from core.current import current_runtime
from core.database import Model, reading
from core.migrations import chains
from core.outbox import ActionAnswer, OutboxEvent, OutboxReaction
from core.transactions import transaction

_OWN = {model.__tablename__ for model in (OutboxEvent, OutboxReaction, ActionAnswer)}

SIGN_INS = (
    "owner@example.test    password demo    may do everything",
    "editor@example.test   password demo    may edit the course",
    "viewer@example.test   password demo    may look",
    "admin@example.test    password demo    looks after the site: /status",
)


def fill_if_empty(app: Flask) -> list[str]:
    """Fill every plugin's demonstration data into a database without any row.

    Returns the lines that tell the sign-ins, whether it filled anything now or at an earlier start.
    """
    with app.app_context():
        if _is_empty():
            with transaction():
                for plugin in current_runtime().registry.plugins:
                    for fill in plugin.demos:
                        fill()
    return list(SIGN_INS)


def _is_empty() -> bool:
    tables = {
        name for chain in chains(current_runtime().registry.plugins) for name in chain.tables
    } - _OWN
    with reading() as session:
        for name in tables:
            if session.scalar(select(func.count()).select_from(Model.metadata.tables[name])):
                return False
    return True
