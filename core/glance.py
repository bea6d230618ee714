"""A glance at the database: one statement asked again and again, past session and transaction.

What a worker asks once a second, although nothing happens, costs a twelfth so.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine, Select


class Glance:
    """A statement without side effects whose one row holds what the driver itself understands.

    For one engine, whose dialect it is put in when it is first asked.
    """

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        self._statement = statement
        self._text = ""
        self._order: list[str] | None = None
        self._convert: dict[str, Callable[[Any], Any]] = {}

    def one(self, engine: Engine, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        """The row. Raises SQLAlchemy's errors when the database does not answer.

        A connection on which the glance failed, it may be because SQLite is locked, is not used
        again; the statement is then asked in the common way, which knows how to wait.
        """
        if not self._text:
            self._compile(engine)
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(self._text, self._bound(parameters))
            row = cursor.fetchone()
            cursor.close()
        except Exception:  # noqa: BLE001  whatever the driver calls it
            connection.invalidate()
            row = None
        finally:
            connection.close()
        return tuple(row) if row is not None else self._properly(engine, parameters)

    def _properly(self, engine: Engine, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        with engine.connect() as connection:
            return tuple(connection.execute(self._statement, dict(parameters)).one())

    def _bound(self, parameters: Mapping[str, Any]) -> Any:
        values = {
            name: self._convert[name](value) if name in self._convert else value
            for name, value in parameters.items()
        }
        return values if self._order is None else tuple(values[name] for name in self._order)

    def _compile(self, engine: Engine) -> None:
        dialect = engine.dialect
        compiled = self._statement.compile(dialect=dialect)
        for name, parameter in compiled.binds.items():
            convert = parameter.type.dialect_impl(dialect).bind_processor(dialect)
            if convert is not None:
                self._convert[name] = convert
        self._order = list(compiled.positiontup) if compiled.positiontup is not None else None
        self._text = str(compiled)
