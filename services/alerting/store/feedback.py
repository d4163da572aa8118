"""What people think of alerts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events.alert_responses import FeedbackReason

_ADD = text("""
INSERT INTO feedback (alert_id, person, reason, note, at)
SELECT :alert_id, n.person, n.reason, n.note, :at
FROM (SELECT CAST(:person AS text), CAST(:reason AS text), CAST(:note AS text))
     AS n (person, reason, note)
WHERE NOT EXISTS (
    SELECT FROM (
        SELECT f.reason, f.note FROM feedback AS f
        WHERE f.alert_id = :alert_id AND f.person = n.person
        ORDER BY f.id DESC
        LIMIT 1
    ) AS last
    WHERE last.reason IS NOT DISTINCT FROM n.reason
      AND (n.note IS NULL OR last.note IS NOT DISTINCT FROM n.note)
)
RETURNING id
""")

_LAST = text("SELECT max(id) FROM feedback WHERE alert_id = :alert_id AND person = :person")


async def add(
    connection: AsyncConnection,
    alert_id: UUID,
    person: str,
    reason: FeedbackReason | None,
    note: str | None,
    at: datetime,
) -> bool:
    """Keep a person's opinion; returns False where that is what they said last.

    The same reason without a note says nothing new. None for a reason is a false alarm for which
    none was given. The caller has the alert locked: nobody says anything of it meanwhile.
    """
    id_ = await connection.scalar(
        _ADD,
        {"alert_id": alert_id, "person": person, "reason": reason, "note": note, "at": at},
    )
    return id_ is not None


async def last(connection: AsyncConnection, alert_id: UUID, person: str) -> int | None:
    """Return the id of what a person said last of an alert; None if they said nothing."""
    found: int | None = await connection.scalar(_LAST, {"alert_id": alert_id, "person": person})
    return found
