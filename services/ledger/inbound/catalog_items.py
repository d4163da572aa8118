"""Read `catalog.items`: what reservations, counts and statements have to know of a SKU."""

from services.ledger.inbound.catalogue import Source
from services.ledger.store import items
from shared.events.catalog_items import TOPIC, VERSION, CatalogItem

_DIGITS = 100
"""Of a cost, before or behind the point: far more than any money has, fewer than PostgreSQL's."""


def _fault_of(item: CatalogItem) -> str | None:
    texts = {"name": item.name, "stock_class": item.stock_class}
    for name, text in texts.items():
        if text is not None and "\x00" in text:
            return f"{name}: contains a NUL character"
    if item.cost is not None and abs(item.cost.adjusted()) > _DIGITS:
        return "cost: larger or finer than can be stored"
    return None


SOURCE = Source(TOPIC, CatalogItem, VERSION, lambda item: item.sku, _fault_of, items.keep)
