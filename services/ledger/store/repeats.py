"""The repeats of movements: each is stored beside the time that its first telling gave."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class RepeatRow:
    """A repeat of a movement: when it came again."""

    channel: str
    id: str
    line: str
    received_at: datetime
    recorded_at: datetime


_REPEATS = text("""
SELECT channel, id, line, received_at, recorded_at FROM repeat
WHERE level_id = :level AND occurred_at BETWEEN :first AND :last
ORDER BY recorded_at
""")


async def between(
    connection: AsyncConnection, level: int, first: datetime, last: datetime
) -> list[RepeatRow]:
    """Return the repeats of movements that happened between two instants, both included.

    They are rare: one look into each day finds more than a page needs sooner than a look for
    each of its lines.
    """
    rows = await connection.execute(_REPEATS, {"level": level, "first": first, "last": last})
    return [RepeatRow(**row) for row in rows.mappings()]
