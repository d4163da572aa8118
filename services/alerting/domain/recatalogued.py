"""What the catalogue has otherwise than at an earlier revision, as far as rules ask for it."""

from collections.abc import Set as AbstractSet
from typing import NamedTuple

from services.alerting.domain.subject import Item, Subject


class Recatalogued(NamedTuple):
    """SKUs whose categories, tags or product changed, and products whose options did."""

    skus: AbstractSet[str]
    products: AbstractSet[str]

    def concerns(self, subject: Subject, item: Item | None) -> bool:
        """Return whether a subject may be judged otherwise; `item` is its SKU's, as it is now."""
        if subject.sku in self.skus:
            return True
        return item is not None and item.product in self.products
