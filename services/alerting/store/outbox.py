"""Outboxes: notices and reports that are written but not yet with the broker."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.alerting.store import turns
from services.alerting.store.turns import Turn
from shared.database.engine import driver


class Shelf(NamedTuple):
    """An outbox's table, its column that is the key of what is sent, and whose turn it is."""

    table: str
    key: str
    turn: Turn


NOTICES = Shelf("outbox", "alert_id", Turn.NOTICES)
REPORTS = Shelf("report_outbox", "report_id", Turn.REPORTS)


class Waiting(NamedTuple):
    """Something that waits to be published."""

    id: int
    key: str
    value: str
    traceparent: str


class Outbox:
    """One relay's view of an outbox."""

    def __init__(self, engine: AsyncEngine, shelf: Shelf = NOTICES) -> None:
        self._engine = engine
        self._turn = shelf.turn
        self._any = f"SELECT EXISTS (SELECT FROM {shelf.table})"  # noqa: S608 - here and below ours
        self._oldest_first = text(
            f"SELECT id, {shelf.key}::text, value, traceparent FROM {shelf.table} "  # noqa: S608
            "ORDER BY id LIMIT :limit"
        )
        self._delete = text(f"DELETE FROM {shelf.table} WHERE id = ANY(:ids)")  # noqa: S608
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
            found: bool = await database.fetchval(self._any)
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
                await connection.execute(self._delete, {"ids": [row.id for row in rows]})

    async def _oldest(self, connection: AsyncConnection, limit: int) -> list[Waiting]:
        if not await turns.taken(connection, self._turn):
            return []
        return [
            Waiting(*row) for row in await connection.execute(self._oldest_first, {"limit": limit})
        ]
