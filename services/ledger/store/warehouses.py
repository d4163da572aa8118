"""Warehouses and the zones their days are counted in, as `catalog.warehouses` tells of them."""

from collections.abc import Collection, Sequence

from shared.database.engine import Driver
from shared.events.catalog_warehouses import CatalogWarehouse

_KEEP = """
INSERT INTO warehouse
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[])
ON CONFLICT (warehouse)
DO UPDATE SET version = excluded.version, name = excluded.name, zone = excluded.zone
WHERE warehouse.version < excluded.version
"""


async def keep(driver: Driver, warehouses: Sequence[CatalogWarehouse]) -> None:
    """Store warehouses, each named once; what is not newer than stored changes nothing."""
    rows = [
        (each.warehouse, each.version, each.name, each.zone)
        for each in sorted(warehouses, key=lambda each: each.warehouse)
    ]
    await driver.execute(_KEEP, *(list(column) for column in zip(*rows, strict=True)))


_ZONES = "SELECT warehouse, zone FROM warehouse WHERE warehouse = ANY($1::text[])"


async def zones_of(driver: Driver, warehouses: Collection[str]) -> dict[str, str]:
    """Return the IANA time zones of some warehouses; those nobody has told of are left out."""
    return dict(await driver.fetch(_ZONES, list(warehouses)))
