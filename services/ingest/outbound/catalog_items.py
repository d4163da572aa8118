"""Publish `catalog.items`: the newest master data per SKU."""

from collections.abc import Sequence

from shared.events.catalog_items import TOPIC, CatalogItem
from shared.events.topics import CATALOG_ITEMS
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.kafka.producer import Producer


class CatalogItems:
    """Sends master data to whoever keeps a copy."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def publish(self, items: Sequence[CatalogItem]) -> None:
        """Publish items; returns when the broker has them all, else raises Unavailable."""
        await self._producer.send(
            TOPIC,
            [
                Message(
                    partition_of(item.sku, CATALOG_ITEMS.partitions),
                    item.sku.encode(),
                    item.encode(),
                )
                for item in items
            ],
        )
