"""The codes with which a vendor lets cards be changed: each for one change, for a while."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.deliveries import CardCode

LASTS = timedelta(hours=71)
"""The vendor says 72 hours."""

_ADD = text("""
INSERT INTO card_code (code, destination, alert_id, card, obtained_at)
VALUES (:code, :destination, :alert_id, :card, :now)
ON CONFLICT (code) DO NOTHING
""")

# Whoever got a card is in what was sent; ids of deliveries grow with time. A delivery that is
# written anew keeps its codes; those of one that gave way to another before it arrived may be good
# still, and the vendor says if they are not.
_CARDS = text("""
SELECT a.rendered,
       (SELECT code FROM card_code
        WHERE card = c.card AND obtained_at > :since
          AND (used_by IS NULL OR used_by = :delivery OR EXISTS (
              SELECT FROM delivery WHERE id = used_by
                AND state IN ('superseded', 'merged', 'suppressed', 'dead')))
        ORDER BY (used_by = :delivery) IS NOT TRUE, used_by IS NOT NULL, obtained_at DESC, code
        LIMIT 1)
FROM (
    SELECT DISTINCT card FROM card_code WHERE alert_id = :alert_id AND destination = :destination
) AS c
CROSS JOIN LATERAL (
    SELECT rendered FROM attempt WHERE delivery = c.card ORDER BY number DESC LIMIT 1) AS a
ORDER BY c.card DESC
""")

_USE = text("UPDATE card_code SET used_by = :delivery WHERE code = ANY(CAST(:codes AS text[]))")


async def add(
    connection: AsyncConnection,
    code: str,
    destination: str,
    alert_id: UUID,
    card: UUID,
    now: datetime,
) -> None:
    """Keep a code that came with a card or with a press on one; a card is named by its delivery."""
    await connection.execute(
        _ADD,
        {
            "code": code,
            "destination": destination,
            "alert_id": alert_id,
            "card": card,
            "now": now,
        },
    )


async def take(
    connection: AsyncConnection, destination: str, alert_id: UUID, delivery: UUID, now: datetime
) -> tuple[CardCode, ...]:
    """Return a code for each person's newest card, as far as there are any, and use them up."""
    rows = await connection.execute(
        _CARDS,
        {
            "destination": destination,
            "alert_id": alert_id,
            "delivery": delivery,
            "since": now - LASTS,
        },
    )
    chosen = newest_of_each((_users(rendered), code) for rendered, code in rows)
    codes = [each.code for each in chosen]
    await connection.execute(_USE, {"delivery": delivery, "codes": codes})
    return chosen


def _users(rendered: bytes) -> list[str]:
    body = json.loads(rendered)
    users: str = body.get("message", body).get("touser", "")
    return users.lower().split("|")


def newest_of_each(cards: Iterable[tuple[Sequence[str], str | None]]) -> tuple[CardCode, ...]:
    """Return the codes of the cards that are somebody's newest, each with these people.

    `cards` are (who got it, its code or None), the newest first. An older card is left as it is:
    nobody looks there.
    """
    reached: set[str] = set()
    chosen = []
    for users, code in cards:
        new = [user for user in users if user not in reached]
        reached.update(new)
        if new and code is not None:
            chosen.append(CardCode(code, tuple(new)))
    return tuple(chosen)
