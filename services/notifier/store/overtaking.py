"""Whoever has heard of something newer is not told what was put off for them before."""

import json
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.deliveries import Kind, Reason
from services.notifier.store.queue import read_recipients

BY = frozenset({Kind.CHANGE, Kind.ESCALATION, Kind.DIGEST})
"""What may come after something that was put off."""

_PUT_OFF = text("""
SELECT older.id, older.recipients, newer.revision
FROM delivery AS newer JOIN delivery AS older
  ON older.alert_id = newer.alert_id AND older.destination = newer.destination
     AND older.revision < newer.revision
WHERE (newer.id = :told OR newer.digest_id = :told)
  AND older.state = 'failed' AND older.recipients IS NOT NULL
ORDER BY older.id, newer.revision
FOR UPDATE OF older
""")

_LEFT = text("UPDATE delivery SET recipients = CAST(:recipients AS jsonb) WHERE id = :id")

_ENDED = text("""
UPDATE delivery
SET state = :state, reason = :reason, next_at = NULL,
    sent_at = CASE WHEN :state = 'sent' THEN CAST(:now AS timestamptz) END
WHERE id = :id
""")


async def record(
    connection: AsyncConnection, told: UUID, people: Collection[str], now: datetime
) -> None:
    """Note that a delivery has reached these people: what is older is only for the others.

    What is for nobody any more counts as sent where it has reached somebody.
    """
    older = {row.id: row for row in await connection.execute(_PUT_OFF, {"told": told})}
    for row in older.values():
        before = read_recipients(row.recipients)
        recipients = before.without(people)
        if recipients == before:
            continue
        stored = json.dumps(asdict(recipients))
        await connection.execute(_LEFT, {"id": row.id, "recipients": stored})
        if not recipients.left:
            await connection.execute(
                _ENDED,
                {
                    "id": row.id,
                    "state": "sent" if recipients.reached else "superseded",
                    "reason": f"{Reason.NEWER_REVISION}: {row.revision}",
                    "now": now,
                },
            )
