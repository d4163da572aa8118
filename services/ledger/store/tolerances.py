"""How far counts may be from what was expected, by class of goods and warehouse."""

from collections.abc import Collection
from dataclasses import asdict

from sqlalchemy import text

from services.ledger.domain.counts import Tolerance
from shared.database.engine import Connection, Driver

_COLUMNS = "stock_class, warehouse, units, percent, money"

_IN_WAREHOUSES = f"""
SELECT {_COLUMNS} FROM count_tolerance WHERE warehouse IS NULL OR warehouse = ANY($1::text[])
"""  # noqa: S608 - the columns are ours


async def in_warehouses(driver: Driver, warehouses: Collection[str]) -> list[Tolerance]:
    """Return the tolerances that may concern some warehouses."""
    rows = await driver.fetch(_IN_WAREHOUSES, list(warehouses))
    return [Tolerance(*row) for row in rows]


_EVERY = f"""
SELECT {_COLUMNS} FROM count_tolerance ORDER BY stock_class NULLS FIRST, warehouse NULLS FIRST
"""  # noqa: S608 - the columns are ours


async def every(driver: Driver) -> list[Tolerance]:
    """Return all tolerances, the general ones first."""
    return [Tolerance(*row) for row in await driver.fetch(_EVERY)]


_OF = """
stock_class IS NOT DISTINCT FROM CAST(:stock_class AS text)
AND warehouse IS NOT DISTINCT FROM CAST(:warehouse AS text)
"""

_ONE = text(f"SELECT {_COLUMNS} FROM count_tolerance WHERE {_OF} FOR UPDATE")  # noqa: S608 - ours

_PUT = text(f"""
INSERT INTO count_tolerance ({_COLUMNS})
VALUES (:stock_class, :warehouse, :units, :percent, :money)
ON CONFLICT (stock_class, warehouse)
DO UPDATE SET units = excluded.units, percent = excluded.percent, money = excluded.money
""")  # noqa: S608 - the columns are ours


async def put(connection: Connection, tolerance: Tolerance) -> Tolerance | None:
    """Store a tolerance; returns the one that its class and warehouse had before."""
    values = asdict(tolerance)
    former = (await connection.execute(_ONE, values)).one_or_none()
    await connection.execute(_PUT, values)
    return None if former is None else Tolerance(*former)


_DELETE = text(f"DELETE FROM count_tolerance WHERE {_OF} RETURNING {_COLUMNS}")  # noqa: S608 - ours


async def delete(
    connection: Connection, stock_class: str | None, warehouse: str | None
) -> Tolerance | None:
    """Forget the tolerance of a class and warehouse; returns it if there was one."""
    values = {"stock_class": stock_class, "warehouse": warehouse}
    former = (await connection.execute(_DELETE, values)).one_or_none()
    return None if former is None else Tolerance(*former)
