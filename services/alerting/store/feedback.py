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

_ASK_FOR_COUNT = text("UPDATE feedback SET count_requested = true WHERE id = :id")


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
    if id_ is not None and reason is FeedbackReason.DATA_WRONG:
        await ask_for_count(connection, id_)
    return id_ is not None


async def ask_for_count(connection: AsyncConnection, feedback: int) -> None:
    """Ask for the shelf to be counted: somebody doubts the numbers."""
    await connection.execute(_ASK_FOR_COUNT, {"id": feedback})
