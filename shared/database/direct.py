"""Statements that go to the driver itself, for what is done for each message.

SQLAlchemy looks a text up among those it has compiled, changes greenlets, and wraps cursor, rows
and their description: three times the work of the driver for a statement of a few rows.
"""

import re
from typing import TypeAlias

import asyncpg

from shared.database.engine import Connection, driver, mind

Row: TypeAlias = asyncpg.Record
"""Its columns are asked for by name or number."""

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")


class Direct:
    """A statement with parameters named as in SQLAlchemy's `text()`: `:name`.

    It is in the transaction that SQLAlchemy has begun; unlike SQLAlchemy it begins none, and is one
    of its own then. Errors are the driver's own, which `DATABASE_ERRORS` are as well.
    """

    def __init__(self, sql: str) -> None:
        self._names = list(dict.fromkeys(_PARAMETER.findall(sql)))
        self._sql = _PARAMETER.sub(lambda found: f"${self._names.index(found[1]) + 1}", sql)

    async def rows(self, connection: Connection, **parameters: object) -> list[Row]:
        """Return all rows; without any where the statement returns none.

        Raises KeyError when a parameter is missing.
        """
        database = await driver(connection)
        values = [parameters[name] for name in self._names]
        try:
            found: list[Row] = await database.fetch(self._sql, *values)
        except BaseException as error:
            await mind(connection, database, error)
            raise
        return found
