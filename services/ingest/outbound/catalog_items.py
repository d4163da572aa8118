"""Publish `catalog.items`: the newest master data per SKU."""

from collections.abc import Sequence

from shared.events.catalog_items import TOPIC, CatalogItem
from shared.events.topics import CATALOG_ITEMS
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.kafka.producer import Producer


async def publish(producer: Producer, items: Sequence[CatalogItem]) -> None:
    """Publish items; returns when the broker has them all, else raises Unavailable."""
    await producer.send(
        TOPIC,
        [
            Message(
                partition_of(item.sku, CATALOG_ITEMS.partitions), item.sku.encode(), item.encode()
            )
            for item in items
        ],
    )
