"""Master data of SKUs, as `catalog.items` tells of it."""

from collections.abc import Collection, Sequence

import msgspec

from services.ledger.domain.items import Component, Item
from shared.database.engine import Driver
from shared.events.catalog_items import CatalogItem

_KEEP = """
INSERT INTO item
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::json[], $5::boolean[], $6::text[],
                     $7::numeric[])
ON CONFLICT (sku)
DO UPDATE SET version = excluded.version, name = excluded.name, kit = excluded.kit,
              oversell = excluded.oversell, stock_class = excluded.stock_class,
              cost = excluded.cost
WHERE item.version < excluded.version
"""


async def keep(driver: Driver, items: Sequence[CatalogItem]) -> None:
    """Store SKUs, each named once; what is not newer than stored changes nothing."""
    rows = [
        (
            item.sku,
            item.version,
            item.name,
            _kit.encode([Component(each.sku, each.quantity) for each in item.kit]).decode(),
            item.oversell,
            item.stock_class,
            item.cost,
        )
        for item in sorted(items, key=lambda each: each.sku)
    ]
    await driver.execute(_KEEP, *(list(column) for column in zip(*rows, strict=True)))


_ITEMS = """
SELECT sku, kit::text, oversell, stock_class, cost, name FROM item WHERE sku = ANY($1::text[])
"""


async def items_of(driver: Driver, skus: Collection[str]) -> dict[str, Item]:
    """Return what is known of some SKUs; those that nobody has told of are left out."""
    return {
        row[0]: Item(row[0], tuple(_components.decode(row[1])), *row[2:])
        for row in await driver.fetch(_ITEMS, list(skus))
    }


_kit = msgspec.json.Encoder()
_components = msgspec.json.Decoder(list[Component])
