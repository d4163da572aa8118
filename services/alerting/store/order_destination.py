"""Through which destination of the notifier orders are mailed, where somebody has chosen one."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_LOCK = text("LOCK TABLE order_destination IN SHARE ROW EXCLUSIVE MODE")

_CHOSEN = text("SELECT destination, changed_by, changed_at FROM order_destination")

_PUT = text("""
INSERT INTO order_destination (destination, changed_by, changed_at)
VALUES (CAST(:destination AS text), :by, :at)
ON CONFLICT (one) DO UPDATE SET
    destination = excluded.destination, changed_by = excluded.changed_by,
    changed_at = excluded.changed_at
""")


class Choice(NamedTuple):
    """What was chosen, by whom and when; None: whatever the environment says."""

    destination: str | None = None
    changed_by: str | None = None
    changed_at: datetime | None = None


async def begin_edit(connection: AsyncConnection) -> None:
    """Let others who choose wait for this transaction, so that what was chosen before is known."""
    await connection.execute(_LOCK)


async def choice(connection: AsyncConnection) -> Choice:
    """Return what is chosen."""
    row = (await connection.execute(_CHOSEN)).one_or_none()
    return Choice() if row is None else Choice(*row)


async def choose(
    connection: AsyncConnection, destination: str | None, by: str, at: datetime
) -> None:
    """Choose; it holds for orders that are mailed from then on."""
    await connection.execute(_PUT, {"destination": destination, "by": by, "at": at})
