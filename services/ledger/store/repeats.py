"""The repeats of movements: each is stored beside the time that its first telling gave."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger.domain.changes import Type
from services.ledger.domain.statement import Again, Line, Repeats

# Transfers are told of where they leave, and so are their repeats.
_SOURCES = text("""
SELECT s.id FROM level AS l JOIN level AS s USING (sku)
WHERE l.id = :level AND s.warehouse = ANY(:warehouses)
""")

_REPEATS = text("""
SELECT channel, id, line, received_at, recorded_at FROM repeat
WHERE level_id = ANY(:levels) AND occurred_at BETWEEN :first AND :last
  AND (CAST(:known_at AS timestamptz) IS NULL OR recorded_at <= :known_at)
ORDER BY recorded_at
""")


async def of_lines(
    connection: AsyncConnection, lines: Sequence[Line], known_at: datetime | None
) -> Repeats:
    """Return the repeats of a level's lines, in order, that were recorded by an instant.

    They are rare: one look into each day finds more than a page needs sooner than a look for
    each of its lines.
    """
    if not lines:
        return {}
    changes = [line.recorded.change for line in lines]
    levels = [changes[0].level]
    arriving = {each.counterparty for each in changes if each.type is Type.TRANSFER_ARRIVING}
    if arriving:
        asked = {"level": changes[0].level, "warehouses": sorted(filter(None, arriving))}
        levels += await connection.scalars(_SOURCES, asked)
    found: Repeats = {}
    rows = await connection.execute(
        _REPEATS,
        {
            "levels": levels,
            "first": changes[0].occurred_at,
            "last": changes[-1].occurred_at,
            "known_at": known_at,
        },
    )
    for channel, id_, line, received_at, recorded_at in rows:
        found.setdefault((channel, id_, line), []).append(Again(received_at, recorded_at))
    return found
