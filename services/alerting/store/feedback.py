"""What people think of alerts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events.alert_responses import FeedbackReason

_ADD = text("""
INSERT INTO feedback (alert_id, person, reason, note, at)
VALUES (:alert_id, :person, :reason, :note, :at)
ON CONFLICT (alert_id, person, reason) DO NOTHING
RETURNING id
""")


async def add(
    connection: AsyncConnection,
    alert_id: UUID,
    person: str,
    reason: FeedbackReason | None,
    note: str | None,
    at: datetime,
) -> bool:
    """Keep a person's opinion; returns False where the same was said already.

    None for a reason is a false alarm for which none was given.
    """
    id_ = await connection.scalar(
        _ADD,
        {"alert_id": alert_id, "person": person, "reason": reason, "note": note, "at": at},
    )
    return id_ is not None
