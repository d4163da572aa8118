"""Levels as they should have been told on their topic."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple

from services.ledger.store.changes import Level
from shared.database.engine import Driver

ROWS = 10_000
"""Rows that are fetched at a time."""


class ToTell(NamedTuple):
    """A level, and the number of the batch that tells of it.

    `dipped`: a reservation has changed it since, and the batch to come is to tell of that.
    """

    sku: str
    warehouse: str
    partition: int
    batch: int
    dipped: bool
    level: Level


_LEVELS = """
SELECT sku, warehouse, partition::int, batch, dip IS NOT NULL,
       id, version, on_hand, reserved, unavailable, incoming, sold_total, returned_total,
       received_total, counted_at, last_change_at, supply::text, demand::text, doubt
FROM level
WHERE last_change_at IS NOT NULL
"""


async def levels(driver: Driver) -> AsyncIterator[ToTell]:
    """Yield all levels there are anything to tell of, in the caller's snapshot."""
    cursor = await driver.cursor(_LEVELS)
    while rows := await cursor.fetch(ROWS):
        for row in rows:
            yield ToTell(row[0], row[1], row[2], row[3], row[4], Level(*row[5:]))


_VERSIONS = """
SELECT l.sku, l.warehouse, l.version
FROM level AS l JOIN unnest($1::text[], $2::text[]) AS k (sku, warehouse) USING (sku, warehouse)
"""


async def versions(
    driver: Driver, keys: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], int]:
    """Return the versions of levels as they are now, where there is such a level."""
    skus, warehouses = [key[0] for key in keys], [key[1] for key in keys]
    rows = await driver.fetch(_VERSIONS, skus, warehouses)
    return {(row[0], row[1]): row[2] for row in rows}
