"""The outbox: notices that are written but not yet with the broker."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_LOCK = 7_402_001
"""Advisory lock: one relay at a time, or an alert's revisions could overtake each other."""


class Waiting(NamedTuple):
    """A notice that waits to be published."""

    id: int
    alert_id: str
    value: str
    traceparent: str


_ANY = text("SELECT EXISTS (SELECT FROM outbox)")

_TAKE_TURN = text("SELECT pg_try_advisory_xact_lock(:lock)")

_OLDEST = text("""
SELECT id, alert_id::text, value, traceparent FROM outbox ORDER BY id LIMIT :limit
""")

_DELETE = text("DELETE FROM outbox WHERE id = ANY(:ids)")


class Outbox:
    """One relay's view of the outbox."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # Without a transaction around it, asking is one exchange instead of three.
        self._asking = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def any_waiting(self) -> bool:
        """Return whether anything waits; the cheap question, asked many times a second."""
        async with self._asking.connect() as connection:
            return bool(await connection.scalar(_ANY))

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
