"""Read `catalog.warehouses`: the zone that a warehouse's days are counted in."""

from services.ledger.inbound.catalogue import Source
from services.ledger.store import warehouses
from shared.events.catalog_warehouses import TOPIC, VERSION, CatalogWarehouse


def _fault_of(warehouse: CatalogWarehouse) -> str | None:
    texts = {"name": warehouse.name, "zone": warehouse.zone}
    for name, text in texts.items():
        if "\x00" in text:
            return f"{name}: contains a NUL character"
    return None


SOURCE = Source(
    TOPIC, CatalogWarehouse, VERSION, lambda each: each.warehouse, _fault_of, warehouses.keep
)
