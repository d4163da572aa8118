"""The ledger's copies of the catalogue: of each SKU and warehouse the newest version."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from services.ledger.domain.items import Component, Item
from services.ledger.store.items import items_of
from services.ledger.store.warehouses import zones_of
from services.ledger.wiring import consume as ledger_consume
from shared.database.engine import create_engine, driver
from shared.events import catalog_items, catalog_warehouses
from shared.events.base import Event
from shared.events.catalog_items import CatalogItem
from shared.events.catalog_warehouses import CatalogWarehouse
from shared.events.topics import TOPICS
from shared.kafka.dead import LIMIT
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.testing.waiting import until
from tests.integration.ledger.service import START, Ledger, change


def item(sku: str, version: int, **fields: object) -> CatalogItem:
    return CatalogItem.model_validate(
        {"sku": sku, "version": version, "updated_at": START} | fields
    )


def warehouse(code: str, version: int, zone: str) -> CatalogWarehouse:
    return CatalogWarehouse(
        warehouse=code, version=version, name=code.upper(), zone=zone, updated_at=START
    )


async def tell(ledger: Ledger, topic: str, events: Sequence[tuple[str, Event]]) -> None:
    partitions = TOPICS[topic].partitions
    await ledger.producer.send(
        topic,
        [
            Message(partition_of(key, partitions), key.encode(), event.encode())
            for key, event in events
        ],
    )


@asynccontextmanager
async def consume(ledger: Ledger) -> AsyncIterator[None]:
    """Run the whole role."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(ledger_consume.run(ledger.settings, stop, ledger.clock))
        try:
            yield
        finally:
            stop.set()


async def known(ledger: Ledger) -> tuple[dict[str, Item], dict[str, str]]:
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    try:
        async with engine.begin() as connection:
            raw = await driver(connection)
            return (
                await items_of(raw, ["A", "BOX", "nobody"]),
                await zones_of(raw, ["main", "north", "nobody"]),
            )
    finally:
        await engine.dispose()


async def test_the_newest_version_of_each_sku_and_warehouse_is_known(ledger: Ledger) -> None:
    box = item(
        *("BOX", 2),
        name="礼盒",
        kit=[{"sku": "A", "quantity": 2}],
        oversell=True,
        stock_class="A",
        cost="1.20",
    )
    first = [("BOX", item("BOX", 1)), ("BOX", box), ("A", item("A", 7, name="new"))]
    await tell(ledger, catalog_items.TOPIC, first)
    zones = [warehouse("main", 1, "Europe/London"), warehouse("main", 2, "Asia/Shanghai")]
    await tell(ledger, catalog_warehouses.TOPIC, [("main", each) for each in zones])
    await tell(ledger, catalog_warehouses.TOPIC, [("north", warehouse("north", 1, "Asia/Tokyo"))])
    async with consume(ledger):

        async def copied() -> bool:
            items, zones = await known(ledger)
            return len(items) == 2 and len(zones) == 2

        await until(copied)
        # In one batch and behind what is stored: older ones change nothing.
        for version, name in ((6, "old"), (8, "newest"), (3, "oldest")):
            await tell(ledger, catalog_items.TOPIC, [("A", item("A", version, name=name))])

        async def read() -> bool:
            rows = await ledger.rows(
                "SELECT sum(next_offset) FROM consumer_position WHERE topic = $1",
                catalog_items.TOPIC,
            )
            return bool(rows[0][0] == len(first) + 3)

        await until(read)
    assert await known(ledger) == (
        {
            "A": Item("A", name="newest"),
            "BOX": Item(
                *("BOX", (Component("A", 2),)),
                oversell=True,
                stock_class="A",
                cost=Decimal("1.20"),
                name="礼盒",
            ),
        },
        {"main": "Asia/Shanghai", "north": "Asia/Tokyo"},
    )


async def test_a_halted_catalogue_halts_no_stock_change(ledger: Ledger) -> None:
    bad = [Message(0, b"A", b"bad") for _ in range(LIMIT + 1)]
    await ledger.producer.send(catalog_items.TOPIC, bad)
    async with consume(ledger):

        async def halted() -> bool:
            return bool(
                await ledger.rows(
                    "SELECT FROM consumer_position WHERE topic = $1 AND stopped IS NOT NULL",
                    catalog_items.TOPIC,
                )
            )

        await until(halted)
        await ledger.publish(change(type="receipt", quantity=5))
        await ledger.until_recorded(1)
    assert await ledger.on_hand() == 5
