"""How far counts may be from what was expected, by class of goods and warehouse."""

from collections.abc import Collection

from services.ledger.domain.counts import Tolerance
from shared.database.engine import Driver

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


_PUT = f"""
INSERT INTO count_tolerance ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (stock_class, warehouse)
DO UPDATE SET units = excluded.units, percent = excluded.percent, money = excluded.money
"""  # noqa: S608 - the columns are ours


async def put(driver: Driver, tolerance: Tolerance) -> None:
    """Store a tolerance, in place of the one that its class and warehouse have."""
    await driver.execute(
        _PUT,
        tolerance.stock_class,
        tolerance.warehouse,
        tolerance.units,
        tolerance.percent,
        tolerance.money,
    )


_DELETE = """
DELETE FROM count_tolerance
WHERE stock_class IS NOT DISTINCT FROM $1 AND warehouse IS NOT DISTINCT FROM $2
"""


async def delete(driver: Driver, stock_class: str | None, warehouse: str | None) -> None:
    """Forget the tolerance of a class and warehouse, if there is one."""
    await driver.execute(_DELETE, stock_class, warehouse)
