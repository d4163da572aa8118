"""How far what the topic tells of levels was compared, by partition, and what differs."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from services.ledger.store.changes import columns
from shared.database.engine import Driver
from shared.events.stock_levels import LevelKey


class Checked(NamedTuple):
    """Up to where a partition was compared: what batches after `batch` tell of comes behind it.

    `time_ms` is the newest time that the broker had given a record by then. All is as at the
    topic's beginning where nothing was compared yet.
    """

    partition: int
    next_offset: int
    time_ms: int
    batch: int


_DUE = """
SELECT m.partition, COALESCE(next_offset, 0), COALESCE(time_ms, 0), COALESCE(batch, -1)
FROM unnest($1::int[], $2::timestamptz[]) AS m (partition, tried_at)
LEFT JOIN topic_check AS c USING (partition)
WHERE checked_at IS NULL OR checked_at <= $3
ORDER BY GREATEST(tried_at, checked_at) NULLS FIRST, m.partition LIMIT 1
"""


async def due(
    driver: Driver, tried: Mapping[int, datetime | None], before: datetime
) -> Checked | None:
    """Return which of some partitions was neither compared nor tried for longest.

    None: all were compared since an instant. `tried` says when each partition was, if it was.
    """
    row = await driver.fetchrow(_DUE, list(tried), list(tried.values()), before)
    return None if row is None else Checked(*row)


_REACHED = "SELECT batch, published FROM consumer_position WHERE topic = $1 AND partition = $2"


async def reached(driver: Driver, topic: str, partition: int) -> tuple[int, int]:
    """Return the newest batch of what is consumed, and the newest known to be published."""
    row = await driver.fetchrow(_REACHED, topic, partition)
    return (0, 0) if row is None else (row[0], row[1])


_AFRESH = "DELETE FROM topic_difference WHERE partition = $1"

_ANY = "SELECT EXISTS (SELECT FROM topic_difference)"

_SETTLED = """
DELETE FROM topic_difference AS d
USING unnest($1::text[], $2::text[]) AS k (sku, warehouse)
WHERE d.sku = k.sku AND d.warehouse = k.warehouse
"""

_DIFFER = """
INSERT INTO topic_difference (partition, sku, warehouse, fault)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])
ON CONFLICT (sku, warehouse) DO UPDATE
SET partition = excluded.partition, fault = excluded.fault
"""

_SAVE = """
INSERT INTO topic_check (partition, next_offset, time_ms, batch, checked_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (partition) DO UPDATE
SET next_offset = excluded.next_offset, time_ms = excluded.time_ms, batch = excluded.batch,
    checked_at = excluded.checked_at
"""


async def save(
    driver: Driver,
    checked: Checked,
    at: datetime,
    judged: Collection[LevelKey],
    differing: Sequence[tuple[str, str, str]],
    *,
    afresh: bool,
) -> None:
    """Store what came out: which levels were judged, and (SKU, warehouse, fault) of what differs.

    What was not judged stays as it was found before, unless all was looked at afresh.
    """
    if afresh:
        await driver.execute(_AFRESH, checked.partition)
    if judged and await driver.fetchval(_ANY):
        await driver.execute(_SETTLED, *columns(list(judged)))
    if differing:
        await driver.execute(_DIFFER, checked.partition, *columns(differing))
    await driver.execute(_SAVE, *checked, at)


_DIFFERENCES = """
SELECT fault, count(*) FROM topic_difference WHERE partition = ANY($1::int[]) GROUP BY fault
"""


async def differences(driver: Driver, partitions: Collection[int]) -> Mapping[str, int]:
    """Return in how many levels of some partitions the topic differs, by fault."""
    rows = await driver.fetch(_DIFFERENCES, list(partitions))
    return {row[0]: row[1] for row in rows}


_OLDEST = """
SELECT CASE WHEN bool_and(checked_at IS NOT NULL) THEN min(checked_at) END
FROM unnest($1::int[]) AS m (partition) LEFT JOIN topic_check AS c USING (partition)
"""


async def oldest(driver: Driver, partitions: Collection[int]) -> datetime | None:
    """Return since when not all of some partitions were compared; None: one never was."""
    at: datetime | None = await driver.fetchval(_OLDEST, list(partitions))
    return at
