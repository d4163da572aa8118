"""Forgetting what ended long ago: deliveries, their attempts and cards, and what was answered.

An episode goes as a whole, once it has ended and nothing of it is to be sent: until then it is
asked who has heard of it. A digest goes after all that it was made of.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.notifier.domain.deliveries import first_id

AT_ONCE = 500
"""Episodes, and what belongs to none, that one transaction forgets: a fraction of a second."""

# Ids begin with the time, so what is older than an instant is below it in the primary key.
_FORGET = text("""
WITH looked AS MATERIALIZED (
    SELECT id, alert_id FROM delivery
    WHERE id > :after AND id < :before
      AND (alert_id IS NULL OR event IN ('resolved', 'retracted'))
    ORDER BY id
    LIMIT :limit
), gone AS MATERIALIZED (
    SELECT d.id FROM delivery AS d
    WHERE d.alert_id IN (SELECT alert_id FROM looked) AND NOT EXISTS (
        SELECT FROM delivery AS other
        WHERE other.alert_id = d.alert_id AND other.state IN ('waiting', 'sending', 'failed'))
    UNION ALL
    SELECT d.id FROM delivery AS d
    WHERE d.id IN (SELECT id FROM looked WHERE alert_id IS NULL)
      AND d.state NOT IN ('waiting', 'sending', 'failed')
      AND NOT EXISTS (SELECT FROM delivery AS part WHERE part.digest_id = d.id)
), attempts AS (
    DELETE FROM attempt WHERE delivery IN (SELECT id FROM gone)
), cards AS (
    DELETE FROM card_code WHERE card IN (SELECT id FROM gone)
), deliveries AS (
    DELETE FROM delivery WHERE id IN (SELECT id FROM gone) RETURNING id
)
SELECT (SELECT count(*) FROM deliveries) AS forgotten, (SELECT count(*) FROM looked) AS looked,
       (SELECT id FROM looked ORDER BY id DESC LIMIT 1) AS last
""")

_FORGET_RESPONSES = text("""
DELETE FROM response
WHERE id IN (SELECT id FROM response WHERE received_at < :before LIMIT :limit)
""")


class Forgotten(NamedTuple):
    """How many were forgotten."""

    deliveries: int
    responses: int


async def forget(engine: AsyncEngine, before: datetime) -> Forgotten:
    """Forget what was over before an instant, a portion in a transaction; it may end in between."""
    return Forgotten(await _deliveries(engine, before), await _responses(engine, before))


async def _deliveries(engine: AsyncEngine, before: datetime) -> int:
    forgotten, after = 0, UUID(int=0)
    while True:
        async with engine.begin() as connection:
            found = await connection.execute(
                _FORGET, {"after": after, "before": first_id(before), "limit": AT_ONCE}
            )
            row = found.one()
        forgotten += int(row.forgotten)
        if row.looked < AT_ONCE:
            return forgotten
        after = row.last


async def _responses(engine: AsyncEngine, before: datetime) -> int:
    forgotten = 0
    while True:
        async with engine.begin() as connection:
            gone = await connection.execute(_FORGET_RESPONSES, {"before": before, "limit": AT_ONCE})
        forgotten += gone.rowcount
        if gone.rowcount < AT_ONCE:
            return forgotten
