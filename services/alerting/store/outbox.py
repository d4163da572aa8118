"""The outbox: notices that are written but not yet with the broker."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database.engine import driver

_LOCK = 7_402_001
"""Advisory lock: one relay at a time, or an alert's revisions could overtake each other."""


class Waiting(NamedTuple):
    """A notice that waits to be published."""

    id: int
    alert_id: str
    value: str
    traceparent: str


_ANY = "SELECT EXISTS (SELECT FROM outbox)"

_TAKE_TURN = text("SELECT pg_try_advisory_xact_lock(:lock)")

_OLDEST = text("""
SELECT id, alert_id::text, value, traceparent FROM outbox ORDER BY id LIMIT :limit
""")

_DELETE = text("DELETE FROM outbox WHERE id = ANY(:ids)")


class Outbox:
    """One relay's view of the outbox."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._asking: AsyncConnection | None = None

    async def any_waiting(self) -> bool:
        """Return whether anything waits; the cheap question, asked many times a second.

        It has a connection of its own and goes to the driver directly, outside transactions: one
        exchange, a fifth of the work.
        """
        connection, self._asking = self._asking, None
        if connection is None:
            connection = await self._engine.connect()
        try:
            database = await driver(connection)
            found: bool = await database.fetchval(_ANY)
        except BaseException:
            await connection.invalidate()
            raise
        self._asking = connection
        return found

    async def close(self) -> None:
        """Give the connection back."""
        connection, self._asking = self._asking, None
        if connection is not None:
            await connection.close()

    @asynccontextmanager
    async def taken(self, limit: int) -> AsyncIterator[Sequence[Waiting]]:
        """Yield the oldest notices; they are deleted when the block ends without an error.

        Nothing is yielded while another relay is at work. An id is larger than those of all
        earlier revisions of its alert, because revisions of an alert are written one after
        another's commit; so the order of ids is the order within each alert.
        """
        async with self._engine.begin() as connection:
            rows = await self._oldest(connection, limit)
            yield rows
            if rows:
                await connection.execute(_DELETE, {"ids": [row.id for row in rows]})

    async def _oldest(self, connection: AsyncConnection, limit: int) -> list[Waiting]:
        if not await connection.scalar(_TAKE_TURN, {"lock": _LOCK}):
            return []
        return [Waiting(*row) for row in await connection.execute(_OLDEST, {"limit": limit})]
