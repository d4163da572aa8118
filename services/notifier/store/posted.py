"""The messages of an episode that show buttons in a channel, and may be changed there."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.deliveries import Posted
from services.notifier.domain.destinations import Destination

# Ids of deliveries grow with time. A body with buttons is known by its block of them, as Slack's
# module writes it; one that changes other messages says so first, and is none itself.
_POSTED = text("""
SELECT a.receipt, a.rendered
FROM delivery AS d
CROSS JOIN LATERAL (
    SELECT receipt, rendered FROM attempt
    WHERE delivery = d.id AND lane = :lane AND receipt IS NOT NULL
    ORDER BY number DESC LIMIT 1) AS a
WHERE d.alert_id = :alert_id AND d.destination = :destination
  AND position(CAST(:buttons AS bytea) IN a.rendered) > 0
  AND position(CAST(:changes AS bytea) IN a.rendered) <> 1
ORDER BY d.id
""")


async def with_buttons(
    connection: AsyncConnection, alert_id: UUID, destination: Destination
) -> tuple[Posted, ...]:
    """Return an episode's messages with buttons in a destination's channel, the oldest first."""
    rows = await connection.execute(
        _POSTED,
        {
            "alert_id": alert_id,
            "destination": destination.id,
            "lane": destination.lane,
            "buttons": b'"type":"actions"',
            "changes": b'{"changes":',
        },
    )
    return tuple(Posted(*row) for row in rows)
