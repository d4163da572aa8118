"""Levels as they should have been told on their topic."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from services.ledger.store.changes import Level
from shared.database.engine import Driver
from shared.events.stock_levels import LevelKey

ROWS = 500
"""Rows that are fetched at a time: whoever shares the loop gets a turn after them."""


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
FROM level {of}
WHERE last_change_at IS NOT NULL {which}
"""

_ALL = _LEVELS.format(of="", which="")

_SINCE = _LEVELS.format(of="", which="AND partition = $1 AND batch > $2")

_OF_KEYS = _LEVELS.format(
    of="JOIN unnest($2::text[], $3::text[]) AS k (sku, warehouse) USING (sku, warehouse)",
    which="AND partition = $1",
)


async def all_levels(driver: Driver) -> AsyncIterator[Sequence[ToTell]]:
    """Yield the levels of all partitions, some at a time. In the caller's snapshot."""
    cursor = await driver.cursor(_ALL)
    while rows := await cursor.fetch(ROWS):
        yield [_to_tell(row) for row in rows]


async def levels(driver: Driver, partition: int, since: int) -> AsyncIterator[Sequence[ToTell]]:
    """Yield the levels of a partition that batches after one tell of, some at a time.

    In the caller's snapshot. Each time it is a pass over the whole table (ADR 112).
    """
    cursor = await driver.cursor(_SINCE, partition, since)
    while rows := await cursor.fetch(ROWS):
        yield [_to_tell(row) for row in rows]


async def of_keys(driver: Driver, partition: int, keys: Collection[LevelKey]) -> list[ToTell]:
    """Return those of some levels that a partition has."""
    skus, warehouses = zip(*keys, strict=True)
    return [_to_tell(row) for row in await driver.fetch(_OF_KEYS, partition, skus, warehouses)]


def _to_tell(row: Sequence[Any]) -> ToTell:
    sku, warehouse, partition, batch, dipped, *level = row
    return ToTell(sku, warehouse, partition, batch, dipped, Level(*level))


_VERSIONS = """
SELECT l.sku, l.warehouse, l.version
FROM level AS l JOIN unnest($1::text[], $2::text[]) AS k (sku, warehouse) USING (sku, warehouse)
"""


async def versions(driver: Driver, keys: Collection[LevelKey]) -> Mapping[LevelKey, int]:
    """Return the versions of levels as they are now, where there is such a level."""
    skus, warehouses = zip(*keys, strict=True)
    rows = await driver.fetch(_VERSIONS, skus, warehouses)
    return {(row[0], row[1]): row[2] for row in rows}
