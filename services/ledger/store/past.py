"""The past of levels: every movement, in the order in which it happened."""

from collections.abc import Collection
from datetime import datetime

from services.ledger.domain.changes import Change, Type
from services.ledger.domain.statement import Recorded
from shared.database.engine import Driver
from shared.events.stock_changes import Bucket

_PAST = """
SELECT level_id, type::int, quantity, occurred_at, received_at, channel, id, line, reason,
       reference, actor, "offset", counterparty, bucket, eta, applied, late, recorded_at,
       coalesce(unusual, false)
FROM movement
WHERE level_id = ANY($1::bigint[])
  AND ($2::timestamptz IS NULL OR occurred_at <= $2)
  AND ($3::timestamptz IS NULL OR recorded_at <= $3)
ORDER BY level_id, occurred_at, type = 5, channel COLLATE "C", id COLLATE "C", line COLLATE "C"
"""


async def of_levels(
    driver: Driver,
    levels: Collection[int],
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> dict[int, list[Recorded]]:
    """Return each level's movements.

    `as_of` leaves out what happened later, `known_at` what was recorded later.
    """
    past: dict[int, list[Recorded]] = {level: [] for level in levels}
    for row in await driver.fetch(_PAST, list(levels), as_of, known_at):
        change = Change(
            level=row[0],
            type=Type(row[1]),
            quantity=row[2],
            occurred_at=row[3],
            received_at=row[4],
            channel=row[5],
            id=row[6],
            line=row[7],
            reason=row[8],
            reference=row[9],
            actor=row[10],
            hash=b"",
            content=0,
            position=0,
            offset=row[11],
            counterparty=row[12],
            bucket=None if row[13] is None else Bucket(row[13]),
            eta=row[14],
        )
        past[row[0]].append(Recorded(change, *row[15:]))
    return past
