"""At what level people were last told of alerts, as history has it."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.direct import Direct
from shared.events.stock_alerts import AlertLevel

IS_WARNING = "h.event IN ('opened', 'level_changed', 'reminded', 'escalated')"
"""Whether a revision `h` says that there is an episode, and at what level."""

_LEVELS = Direct(f"""
SELECT DISTINCT ON (h.alert_id) h.alert_id, h.level
FROM alert_history AS h
WHERE h.alert_id = ANY(CAST(:ids AS uuid[])) AND h.hush IS NULL
  AND {IS_WARNING}
ORDER BY h.alert_id, h.revision DESC
""")  # noqa: S608 - the words are ours


async def levels(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, AlertLevel]:
    """Return the level that people take alerts for; without those that they were never told of."""
    if not ids:
        return {}
    rows = await _LEVELS.rows(connection, ids=list(ids))
    return {row["alert_id"]: AlertLevel(row["level"]) for row in rows}
