"""Publish `catalog.warehouses`: name and time zone per warehouse."""

from collections.abc import Sequence

from shared.events.catalog_warehouses import TOPIC, CatalogWarehouse
from shared.events.topics import CATALOG_WAREHOUSES
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.kafka.producer import Producer


async def publish(producer: Producer, warehouses: Sequence[CatalogWarehouse]) -> None:
    """Publish warehouses; returns when the broker has them all, else raises Unavailable."""
    await producer.send(
        TOPIC,
        [
            Message(
                partition_of(each.warehouse, CATALOG_WAREHOUSES.partitions),
                each.warehouse.encode(),
                each.encode(),
            )
            for each in warehouses
        ],
    )
