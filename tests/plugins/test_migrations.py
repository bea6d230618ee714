"""The migrations of the first-party plugins make what the models say, and can be taken back."""

from alembic import command
from flask import Flask
from sqlalchemy import inspect

from core import db
from core.migrations import behind, chains, migrating, upgrade_all


def test_models_and_migrations_agree(app: Flask) -> None:
    told = app.test_cli_runner().invoke(args=["db", "check"])

    assert told.exit_code == 0, told.output


def test_every_chain_goes_down_and_up_again(app: Flask) -> None:
    with app.app_context():
        found = chains(app.extensions["coursewire"].registry.plugins)
        tables = {table for chain in found for table in chain.tables}
        for chain in reversed(found):
            with migrating() as connection:
                command.downgrade(chain.config(connection), "base")
        assert not tables & set(inspect(db.engine).get_table_names())

    upgrade_all(app)

    with app.app_context():
        assert behind() == []
        assert tables <= set(inspect(db.engine).get_table_names())
