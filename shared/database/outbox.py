"""Outboxes: messages that are written but not yet with the broker."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database.direct import Direct


class Shelf(NamedTuple):
    """An outbox's table, and its column that is the key of what is sent.

    `lock` is of an advisory lock: one relay at a time, or messages of a key could overtake each
    other.
    """

    table: str
    key: str
    lock: int


class Waiting(NamedTuple):
    """Something that waits to be published."""

    id: int
    key: str
    value: str
    traceparent: str


class Outbox:
    """One relay's view of an outbox."""

    def __init__(self, engine: AsyncEngine, shelf: Shelf) -> None:
        self._engine = engine
        self._lock = shelf.lock
        self._any = Direct(f"SELECT EXISTS (SELECT FROM {shelf.table})")  # noqa: S608 - here and below ours
        # The turn may come to be free after the statement has begun, which sees what was before:
        # what the other has taken is not there to be deleted, and so not returned. The turn is
        # asked for once, and without it nothing is looked at.
        self._take = Direct(f"""
        DELETE FROM {shelf.table}
        WHERE id = ANY (ARRAY(
            SELECT id FROM {shelf.table} WHERE (SELECT pg_try_advisory_xact_lock(:lock))
            ORDER BY id LIMIT :limit))
        RETURNING id, {shelf.key}::text, value, traceparent
        """)  # noqa: S608
        self._asking: AsyncConnection | None = None

    async def any_waiting(self) -> bool:
        """Return whether anything waits; the cheap question, asked many times a second.

        It has a connection of its own and is asked outside transactions: one exchange, a fifth of
        the work.
        """
        connection, self._asking = self._asking, None
        if connection is None:
            connection = await self._engine.connect()
        try:
            [row] = await self._any.rows(connection)
        except BaseException:
            await connection.invalidate()
            raise
        self._asking = connection
        return bool(row["exists"])

    async def close(self) -> None:
        """Give the connection back."""
        connection, self._asking = self._asking, None
        if connection is not None:
            await connection.close()

    @asynccontextmanager
    async def taken(self, limit: int) -> AsyncIterator[Sequence[Waiting]]:
        """Yield the oldest in order; they are gone once the block has ended without an error.

        Nothing is yielded while another relay is at work. Where messages of a key are written one
        after another's commit, the order of ids is their order.
        """
        async with self._engine.begin() as connection:
            rows = await self._take.rows(connection, lock=self._lock, limit=limit)
            yield sorted(Waiting(*row) for row in rows)
