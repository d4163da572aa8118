"""The repeats of movements: each is stored beside the time that its first telling gave."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger.domain.statement import Again, Repeats

_REPEATS = text("""
SELECT channel, id, line, received_at, recorded_at FROM repeat
WHERE level_id = :level AND occurred_at BETWEEN :first AND :last
ORDER BY recorded_at
""")


async def between(
    connection: AsyncConnection, level: int, first: datetime, last: datetime
) -> Repeats:
    """Return the repeats of movements that happened between two instants, both included.

    They are rare: one look into each day finds more than a page needs sooner than a look for
    each of its lines.
    """
    found: Repeats = {}
    rows = await connection.execute(_REPEATS, {"level": level, "first": first, "last": last})
    for channel, id_, line, received_at, recorded_at in rows:
        found.setdefault((channel, id_, line), []).append(Again(received_at, recorded_at))
    return found
