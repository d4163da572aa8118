"""Read levels and what was done so far, for the API."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.engine import Driver
from shared.events.stock_levels import LevelKey
from shared.turns import in_turns


@dataclass(frozen=True, slots=True)
class LevelRow:
    """A level as it is stored; quantities in base units."""

    id: int
    sku: str
    warehouse: str
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
    supply: str | None
    demand: str | None
    sold_changes: int
    doubt: int
    unordered: int


_COLUMNS = """id, sku, warehouse, version, on_hand, reserved, unavailable, incoming,
              sold_total, returned_total, received_total, counted_at, last_change_at,
              supply::text AS supply, demand::text AS demand, sold_changes, doubt,
              unordered"""

# A level that only ever met refused changes has no time yet, and is nobody's business.
_PAGE = text(f"""
SELECT {_COLUMNS} FROM level
WHERE last_change_at IS NOT NULL
  AND (CAST(:sku AS text) IS NULL OR sku = :sku)
  AND (CAST(:warehouse AS text) IS NULL OR warehouse = :warehouse)
  AND (CAST(:pattern AS text) IS NULL OR sku ILIKE :pattern)
  AND (sku, warehouse) > (:after_sku, :after_warehouse)
ORDER BY sku, warehouse
LIMIT :limit
""")  # noqa: S608 - the columns are ours

_QUERY = text(f"""
SELECT {_COLUMNS} FROM level
WHERE last_change_at IS NOT NULL AND sku = ANY(CAST(:skus AS text[]))
  AND (CAST(:warehouses AS text[]) IS NULL OR warehouse = ANY(CAST(:warehouses AS text[])))
ORDER BY sku, warehouse
""")  # noqa: S608 - the columns are ours


async def page(
    connection: AsyncConnection,
    *,
    sku: str | None = None,
    warehouse: str | None = None,
    containing: str | None = None,
    after: tuple[str, str] = ("", ""),
    limit: int,
) -> list[LevelRow]:
    """Return up to `limit` levels after a (sku, warehouse), in that order."""
    pattern = None
    if containing:
        escaped = containing.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        pattern = f"%{escaped}%"
    rows = await connection.execute(
        _PAGE,
        {
            "sku": sku,
            "warehouse": warehouse,
            "pattern": pattern,
            "after_sku": after[0],
            "after_warehouse": after[1],
            "limit": limit,
        },
    )
    return [LevelRow(**row) for row in rows.mappings()]


async def of_skus(
    connection: AsyncConnection, skus: Sequence[str], warehouses: Sequence[str] | None
) -> list[LevelRow]:
    """Return the levels of some SKUs, in all or some warehouses."""
    rows = await connection.execute(
        _QUERY,
        {"skus": list(skus), "warehouses": None if warehouses is None else list(warehouses)},
    )
    return await in_turns(rows.mappings(), lambda row: LevelRow(**row))


_OF_KEYS = f"""
SELECT {_COLUMNS} FROM unnest($1::text[], $2::text[]) AS k (sku, warehouse)
JOIN level USING (sku, warehouse)
WHERE last_change_at IS NOT NULL
"""  # noqa: S608 - the columns are ours


async def of_keys(driver: Driver, keys: Collection[LevelKey]) -> dict[LevelKey, LevelRow]:
    """Return those levels that there are; a single statement, needing no transaction."""
    skus, warehouses = zip(*keys, strict=True)
    rows = (LevelRow(*record) for record in await driver.fetch(_OF_KEYS, skus, warehouses))
    return {(row.sku, row.warehouse): row for row in rows}


_SELECTED = text("""
SELECT id, sku FROM level
WHERE (CAST(:skus AS text[]) IS NULL OR sku = ANY(CAST(:skus AS text[])))
  AND (CAST(:warehouses AS text[]) IS NULL OR warehouse = ANY(CAST(:warehouses AS text[])))
  AND (CAST(:levels AS bigint[]) IS NULL OR id = ANY(CAST(:levels AS bigint[])))
""")


async def selected(
    connection: AsyncConnection,
    skus: Sequence[str],
    warehouses: Sequence[str],
    levels: Sequence[int],
) -> dict[int, str]:
    """Return the SKU by level of those asked for; what is empty asks for all."""
    wanted = {
        "skus": list(skus) or None,
        "warehouses": list(warehouses) or None,
        "levels": list(levels) or None,
    }
    rows = await connection.execute(_SELECTED, wanted)
    return {row.id: row.sku for row in rows}


_UNTOLD = text("""
SELECT count(*) FROM level AS l
JOIN consumer_position AS p ON p.topic = :topic AND p.partition = l.partition
WHERE l.batch > p.published OR l.dip IS NOT NULL
""")


async def untold(connection: AsyncConnection, topic: str) -> int:
    """Return how many levels are not known to be published; `topic` is what is consumed."""
    return int(await connection.scalar(_UNTOLD, {"topic": topic}) or 0)


_MOVE = text("""
UPDATE level AS l SET partition = m.partition, batch = 0
FROM unnest(CAST(:levels AS bigint[]), CAST(:partitions AS int[])) AS m (id, partition)
WHERE l.id = m.id AND l.partition <> m.partition
""")


_MOVE_RESERVATIONS = text("""
UPDATE reservation AS r SET partition = f.partition
FROM (
    SELECT DISTINCT ON (v.reservation_id) v.reservation_id, l.partition
    FROM reservation_line AS v JOIN level AS l ON l.id = v.level_id
    ORDER BY v.reservation_id, v.level_id
) AS f
WHERE r.id = f.reservation_id AND r.partition <> f.partition
""")

_MOVE_DIRTY = text("""
UPDATE dirty_level AS d SET partition = l.partition FROM level AS l WHERE l.id = d.level_id
""")


async def move(connection: AsyncConnection, homes: Mapping[int, int]) -> int:
    """Give levels, all of them published, their partitions; returns how many had another one.

    The batches of another partition say nothing of them. Reservations go with their levels.
    """
    await connection.execute(text("SET LOCAL statement_timeout = 0"))
    moved = await connection.execute(
        _MOVE, {"levels": list(homes), "partitions": list(homes.values())}
    )
    await connection.execute(_MOVE_RESERVATIONS)
    await connection.execute(_MOVE_DIRTY)
    return moved.rowcount


async def tallies(connection: AsyncConnection) -> dict[str, int]:
    """Return what was done so far by name: movements, repeats, rejected.<reason>."""
    rows = await connection.execute(
        text("SELECT name, sum(total)::bigint AS total FROM tally GROUP BY name ORDER BY name")
    )
    return {row.name: row.total for row in rows}


async def ids(connection: AsyncConnection) -> list[int]:
    """Return the ids of all levels, in rising order."""
    return [*await connection.scalars(text("SELECT id FROM level ORDER BY id"))]


async def number_of_levels(connection: AsyncConnection) -> int:
    """Return how many levels there are."""
    count = await connection.scalar(
        text("SELECT count(*) FROM level WHERE last_change_at IS NOT NULL")
    )
    return int(count or 0)
