"""Write a batch of changes: identities, movements, levels. One function per question.

All take part in the caller's transaction, through the driver's own connection: COPY and arrays
are what makes a change cost ten microseconds instead of two hundred.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from services.ledger.domain.changes import SIGNS, Change
from services.ledger.domain.effects import Anchor, Effect, Entry, LateCount
from services.ledger.domain.past import Standing
from services.ledger.store.copying import MOVEMENT_COLUMNS, copy, movement_rows
from services.ledger.store.periods import Periods
from shared.database.engine import Driver


class Found(NamedTuple):
    """A level with what orders changes on it."""

    id: int
    anchor: Anchor
    demanding: bool


class Level(NamedTuple):
    """A level after a batch, as it is published."""

    id: int
    version: int
    on_hand: int
    reserved: int
    unavailable: int
    incoming: int
    sold_total: int
    returned_total: int
    received_total: int
    counted_at: datetime | None
    last_change_at: datetime
    supply: str | None = None
    demand: str | None = None
    doubt: int = 0
    """Bits of `Doubt`."""
    dip: int | None = None
    """The smallest available since the last message, where reservations have changed the level."""


_FIND_LEVELS = """
SELECT k.sku, k.warehouse, l.id, l.counted_at, l.count_key, l.last_change_at, l.intricate_until,
       l.demanding
FROM unnest($1::text[], $2::text[]) AS k (sku, warehouse)
JOIN level AS l USING (sku, warehouse)
"""

_ADD_LEVELS = """
INSERT INTO level (partition, sku, warehouse, version, batch)
SELECT k.partition, k.sku, k.warehouse, g.number::bigint << 40, 0
FROM unnest($1::int[], $2::text[], $3::text[]) AS k (partition, sku, warehouse),
     generation AS g
ORDER BY k.sku, k.warehouse
ON CONFLICT (sku, warehouse) DO NOTHING
"""


async def levels_of(
    driver: Driver, wanted: Sequence[tuple[str, str, int]]
) -> dict[tuple[str, str], Found]:
    """Return the levels of (sku, warehouse, partition), made empty where they are new."""
    skus, warehouses, partitions = (list(column) for column in zip(*wanted, strict=True))
    found = await _find_levels(driver, skus, warehouses)
    if len(found) < len(wanted):
        missing = [key for key in wanted if key[:2] not in found]
        skus, warehouses, partitions = (list(column) for column in zip(*missing, strict=True))
        await driver.execute(_ADD_LEVELS, partitions, skus, warehouses)
        found |= await _find_levels(driver, skus, warehouses)
    return found


async def _find_levels(
    driver: Driver, skus: list[str], warehouses: list[str]
) -> dict[tuple[str, str], Found]:
    rows = await driver.fetch(_FIND_LEVELS, skus, warehouses)
    return {
        (row[0], row[1]): Found(row[2], Anchor(row[3], row[4], row[5], row[6]), row[7])
        for row in rows
    }


_LOCK_STANDINGS = """
SELECT id, last_change_at, on_hand, reserved, unavailable FROM level
WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE
"""


async def lock_standings(
    driver: Driver, levels: Collection[int]
) -> tuple[dict[int, Standing], dict[int, datetime | None]]:
    """Return what is stored of levels, and the newest change of each, held until the end.

    Memory may know an older change: reservations come from other processes.
    """
    rows = await driver.fetch(_LOCK_STANDINGS, sorted(levels))
    return {row[0]: Standing(*row[2:]) for row in rows}, {row[0]: row[1] for row in rows}


SIGN = f"CASE {' '.join(f'WHEN m.type = {kind:d} THEN {sign}' for kind, sign in SIGNS.items())} END"
"""What a unit of a movement means for on hand, as SQL."""

_LATER = f"""
SELECT c.level_id, c.occurred_at,
       (SELECT COALESCE(sum({SIGN} * m.quantity), 0)
        FROM movement AS m
        WHERE m.level_id = c.level_id AND m.occurred_at > c.occurred_at
          AND m.recorded_at > c.occurred_at - interval '1 day')::bigint
FROM unnest($1::bigint[], $2::timestamptz[]) AS c (level_id, occurred_at)
"""  # noqa: S608 - the signs are ours
# Nothing is recorded a day before it happens: days before the count need not be looked into.


async def sums_after(driver: Driver, counts: Sequence[LateCount]) -> dict[LateCount, int]:
    """Return, for each count, what the stored changes after it add up to."""
    if not counts:
        return {}
    levels, instants = (list(column) for column in zip(*counts, strict=True))
    rows = await driver.fetch(_LATER, levels, instants)
    return {LateCount(row[0], row[1]): row[2] for row in rows}


async def add_movements(
    driver: Driver, periods: Periods, entries: Sequence[Entry], recorded_at: datetime
) -> None:
    """Store what was applied."""
    rows = movement_rows(entries, recorded_at)
    await copy(driver, periods.movement, MOVEMENT_COLUMNS, rows)


_REPEAT_COLUMNS = (
    "level_id", "occurred_at", "channel", "id", "line", "received_at", "recorded_at",
)  # fmt: skip


async def add_repeats(
    driver: Driver,
    periods: Periods,
    repeats: Sequence[tuple[Change, datetime]],
    recorded_at: datetime,
) -> None:
    """Store repeats, each beside the time its first telling gave, so that a statement finds it."""
    rows = [
        (
            change.level,
            first_occurred_at,
            change.channel,
            change.id,
            change.line,
            change.received_at,
            recorded_at,
        )
        for change, first_occurred_at in repeats
    ]
    await driver.copy_records_to_table(periods.repeat, records=rows, columns=_REPEAT_COLUMNS)


_LEVEL_ARRAYS = (
    "$1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], "
    "$7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::timestamptz[], "
    "$13::bigint[]"
)

_LOW = "l.on_hand - greatest(l.reserved, 0) - l.unavailable + c.low"

_ADD = """
    version = l.version + 1,
    on_hand = l.on_hand + c.on_hand,
    reserved = l.reserved + c.reserved,
    unavailable = l.unavailable + c.unavailable,
    incoming = l.incoming + c.incoming,
    sold_total = l.sold_total + c.sold,
    sold_changes = l.sold_changes + c.sold_changes,
    returned_total = l.returned_total + c.returned,
    received_total = l.received_total + c.received,
    last_change_at = greatest(l.last_change_at, c.last_change_at)
"""
# What a worker remembers may be older: reservations change levels, too.

_RETURNED = """
    l.id, l.version, l.on_hand, l.reserved, l.unavailable, l.incoming, l.sold_total,
    l.returned_total, l.received_total, l.counted_at, l.last_change_at,
    l.supply::text AS supply, l.demand::text AS demand, l.doubt, old.dip
"""

MOVE_LEVELS = f"""
UPDATE level AS l
SET batch = c.batch,
    low_water = LEAST(CASE WHEN l.batch > c.published THEN l.low_water END, l.dip, {_LOW}),
    dip = NULL,
    {_ADD}
FROM unnest({_LEVEL_ARRAYS})
     AS c (id, batch, published, on_hand, reserved, unavailable, incoming, low, sold, returned,
           received, last_change_at, sold_changes)
WHERE l.id = c.id
RETURNING {_RETURNED}
"""  # noqa: S608 - the arrays are ours

DIP_LEVELS = f"""
UPDATE level AS l
SET dip = LEAST(l.dip, {_LOW}),
    {_ADD}
FROM unnest({_LEVEL_ARRAYS})
     AS c (id, batch, published, on_hand, reserved, unavailable, incoming, low, sold, returned,
           received, last_change_at, sold_changes)
WHERE l.id = c.id
"""  # noqa: S608 - the arrays are ours
"""What others than the owner of its partition do to a level: who publishes it learns of the dip."""

_TELL_DIPS = f"""
UPDATE level AS l
SET version = l.version + 1,
    batch = c.batch,
    low_water = LEAST(CASE WHEN l.batch > c.published THEN l.low_water END, l.dip),
    dip = NULL
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS c (id, batch, published)
WHERE l.id = c.id AND l.dip IS NOT NULL
RETURNING l.sku, l.warehouse, l.partition, old.dip, {_RETURNED}
"""  # noqa: S608 - the columns are ours


_COUNT_LEVELS = """
UPDATE level AS l
SET counted_at = c.counted_at, count_key = c.count_key, intricate_until = c.intricate_until
FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::timestamptz[])
     AS c (id, counted_at, count_key, intricate_until)
WHERE l.id = c.id
"""


async def move_levels(
    driver: Driver, effects: Mapping[int, Effect], batches: Mapping[int, tuple[int, int]]
) -> list[Level]:
    """Add differences to levels; returns the levels as they are now.

    `batches` gives (batch, last published batch) by level. In a batch whose predecessors are not
    all published, the stored low water keeps the lowest of all that nobody has been told of.
    """
    await take_counts(driver, effects)
    found = await driver.fetch(MOVE_LEVELS, *level_columns(effects, batches))
    return [Level(*row) for row in found]


async def take_counts(driver: Driver, effects: Mapping[int, Effect]) -> None:
    """Store which counts hold now."""
    counts = [
        (level, effect.counted_at, effect.count_key, effect.intricate_until)
        for level, effect in sorted(effects.items())
        if effect.counted
    ]
    if counts:
        await driver.execute(_COUNT_LEVELS, *columns(counts))


def level_columns(
    effects: Mapping[int, Effect], batches: Mapping[int, tuple[int, int]]
) -> list[list[object]]:
    """Return the arrays that `MOVE_LEVELS` takes, in the order of the levels' ids."""
    return columns(
        [
            (
                level,
                *batches[level],
                effect.on_hand,
                effect.reserved,
                effect.unavailable,
                effect.incoming,
                effect.low,
                effect.sold,
                effect.returned,
                effect.received,
                effect.last_change_at,
                effect.sold_changes,
            )
            for level, effect in sorted(effects.items())
        ]
    )


def columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    """Return rows as arrays, one a column."""
    return [list(column) for column in zip(*rows, strict=True)]


_TALLY = """
INSERT INTO tally (partition, name, total)
SELECT * FROM unnest($1::int[], $2::text[], $3::bigint[])
ORDER BY 1, 2
ON CONFLICT (partition, name) DO UPDATE SET total = tally.total + excluded.total
"""


async def add_tallies(driver: Driver, partition: int, counts: Mapping[str, int]) -> None:
    """Add to what was done so far, by name; any partition of the batch keeps the rows apart."""
    await driver.execute(_TALLY, [partition] * len(counts), list(counts), list(counts.values()))


_UNPUBLISHED = """
SELECT l.sku, l.warehouse, l.partition, l.low_water,
       l.id, l.version, l.on_hand, l.reserved, l.unavailable, l.incoming, l.sold_total,
       l.returned_total, l.received_total, l.counted_at, l.last_change_at,
       l.supply::text, l.demand::text, l.doubt
FROM level AS l
JOIN unnest($1::int[], $2::bigint[]) AS c (partition, published)
  ON l.partition = c.partition AND l.batch > c.published
"""


class Unpublished(NamedTuple):
    """A level that nobody may have been told of as it is."""

    sku: str
    warehouse: str
    partition: int
    low_water: int
    level: Level


async def unpublished_levels(
    driver: Driver, published: Mapping[int, int], limit: int
) -> AsyncIterator[list[Unpublished]]:
    """Yield the levels that nobody may have been told of, up to `limit` at a time.

    `published` gives the last batch known to be published by partition.
    """
    cursor = await driver.cursor(_UNPUBLISHED, list(published), list(published.values()))
    while rows := await cursor.fetch(limit):
        yield [Unpublished(row[0], row[1], row[2], row[3], Level(*row[4:])) for row in rows]


async def tell_dips(driver: Driver, levels: Mapping[int, tuple[int, int]]) -> list[Unpublished]:
    """Make levels that reservations have changed part of a batch; returns those to be told.

    `levels` gives (batch, last published batch) by level. One that another batch has told of
    meanwhile is not among them.
    """
    rows = await driver.fetch(
        _TELL_DIPS, *columns([(level, *levels[level]) for level in sorted(levels)])
    )
    return [Unpublished(row[0], row[1], row[2], row[3], Level(*row[4:])) for row in rows]
