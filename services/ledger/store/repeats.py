"""The repeats of movements: each is stored beside the time that its first telling gave."""

from collections.abc import Sequence
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
WHERE level_id = :level AND occurred_at = ANY(CAST(:instants AS timestamptz[]))
ORDER BY recorded_at
""")


async def of_instants(
    connection: AsyncConnection, level: int, instants: Sequence[datetime]
) -> list[RepeatRow]:
    """Return the repeats of movements that happened at given instants."""
    rows = await connection.execute(_REPEATS, {"level": level, "instants": list(instants)})
    return [RepeatRow(**row) for row in rows.mappings()]
