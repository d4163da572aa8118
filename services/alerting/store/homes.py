"""In which partition everything of a SKU is kept."""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Products are in no partition: any worker judges them.
_SKUS = text("""
SELECT sku FROM known_level
UNION SELECT sku FROM condition WHERE subject_kind <> 'product'
UNION SELECT sku FROM out_option
""")

_MOVE = {
    table: text(f"""
UPDATE {table} AS t SET partition = n.partition
FROM unnest(CAST(:skus AS text[]), CAST(:partitions AS int[])) AS n (sku, partition)
WHERE t.sku = n.sku AND t.partition <> n.partition {but}
""")  # noqa: S608 - the names are ours
    for table, but in (
        ("known_level", ""),
        ("condition", "AND t.subject_kind <> 'product'"),
        ("out_option", ""),
    )
}


async def skus(connection: AsyncConnection) -> list[str]:
    """Return the SKUs of which anything is kept by partition."""
    return list((await connection.execute(_SKUS)).scalars())


async def move(connection: AsyncConnection, homes: Mapping[str, int]) -> int:
    """Give what is kept of SKUs its partition; returns how many levels had another one."""
    await connection.execute(text("SET LOCAL statement_timeout = 0"))
    values = {"skus": list(homes), "partitions": list(homes.values())}
    moved = {
        table: (await connection.execute(move, values)).rowcount for table, move in _MOVE.items()
    }
    return moved["known_level"]
