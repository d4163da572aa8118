"""How the rest of the service asks the database, without knowing what it is asked with."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Concatenate, ParamSpec, TypeAlias, TypeVar

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database.engine import DATABASE_ERRORS, asking, is_retryable
from shared.errors import Unavailable

Connection: TypeAlias = AsyncConnection
"""A connection, inside a transaction where something is written."""

Row: TypeAlias = dict[str, object]
"""An answer's row by column."""

FAILURES = (Unavailable, *DATABASE_ERRORS)
"""What a loop that must go on for ever survives."""

_ATTEMPTS = 3

P = ParamSpec("P")
T = TypeVar("T")
Question = Callable[Concatenate[AsyncConnection, P], Awaitable[T]]


class Database:
    """Runs the functions of this package; a database that is away is Unavailable."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def read(self, question: Question[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the answer to a question; raises Unavailable when the database is away."""

        async def ask() -> T:
            async with self._engine.connect() as connection:
                return await question(connection, *args, **kwargs)

        return await asking(ask)

    async def write(self, change: Question[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a change in a transaction of its own; raises Unavailable as `read` does.

        What met another transaction (a deadlock) is done again, at most three times in all. The
        outcome of a transaction that lost its connection is unknown: changes are such that
        doing them again is harmless (`channel_health.add` alone counts twice).
        """

        async def act() -> T:
            async with self._engine.begin() as connection:
                return await change(connection, *args, **kwargs)

        for _ in range(_ATTEMPTS - 1):
            try:
                return await asking(act)
            except Unavailable as error:
                if not is_retryable(error):
                    raise
        return await asking(act)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Yield a connection whose transaction commits at the end; raises what the driver does."""
        async with self._engine.begin() as connection:
            yield connection


def row_of(found: RowMapping) -> Row:
    """Return a row by column."""
    return {str(name): value for name, value in found.items()}


def rows_of(found: Iterable[RowMapping]) -> list[Row]:
    """Return rows by column."""
    return [row_of(row) for row in found]
