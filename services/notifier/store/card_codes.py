"""The codes with which a vendor lets cards be changed: each for one change, for a while."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

LASTS = timedelta(hours=71)
"""The vendor says 72 hours."""

_ADD = text("""
INSERT INTO card_code (code, destination, alert_id, obtained_at)
VALUES (:code, :destination, :alert_id, :now)
ON CONFLICT (code) DO NOTHING
""")

# A delivery that is written anew keeps the code that it has.
_TAKE = text("""
UPDATE card_code SET used_by = :delivery
WHERE code = (
    SELECT code FROM card_code
    WHERE alert_id = :alert_id AND destination = :destination AND obtained_at > :since
      AND (used_by IS NULL OR used_by = :delivery)
    ORDER BY used_by IS NULL, obtained_at DESC, code
    LIMIT 1)
RETURNING code
""")


async def add(
    connection: AsyncConnection, code: str, destination: str, alert_id: UUID, now: datetime
) -> None:
    """Keep a code that came with a card or with a press on one."""
    await connection.execute(
        _ADD, {"code": code, "destination": destination, "alert_id": alert_id, "now": now}
    )


async def take(
    connection: AsyncConnection, destination: str, alert_id: UUID, delivery: UUID, now: datetime
) -> str | None:
    """Return the newest code for an alert's cards and use it up; None when there is none."""
    code: str | None = await connection.scalar(
        _TAKE,
        {
            "destination": destination,
            "alert_id": alert_id,
            "delivery": delivery,
            "since": now - LASTS,
        },
    )
    return code
