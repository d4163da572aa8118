"""The role `consume`: stock changes become levels."""

import asyncio
from functools import partial
from typing import Any

from services.ledger.archiving import Archiving
from services.ledger.checking import Checking
from services.ledger.inbound import catalog_items, catalog_warehouses
from services.ledger.inbound.catalogue import Copy, Source
from services.ledger.pipeline import StockChanges
from services.ledger.settings import LedgerSettings
from services.ledger.store.identity_filters import Filters
from shared.clock import Clock, WallClock
from shared.database.engine import Engine, create_engine
from shared.events.stock_changes import TOPIC
from shared.events.stock_levels import TOPIC as LEVELS
from shared.events.topics import STOCK_CHANGES
from shared.kafka.aside import Aside
from shared.kafka.consumer import QUIET_POLL_MS, PartitionConsumer
from shared.kafka.log import LogReader
from shared.kafka.producer import Producer
from shared.roles import with_probes

_SOURCES: tuple[Source[Any], ...] = (catalog_items.SOURCE, catalog_warehouses.SOURCE)


async def run(settings: LedgerSettings, stop: asyncio.Event, clock: Clock | None = None) -> None:
    """Apply stock changes, and keep copies of the catalogue, until told to stop."""
    clock = clock or WallClock()
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool=2 * settings.ledger_workers + len(_SOURCES) + 1,
        application="ledger consume",
    )
    try:
        filters = Filters()
        async with Producer(settings.kafka, settings.topic_prefix, name="ledger") as producer:
            consumer = PartitionConsumer(
                settings=settings,
                service="ledger",
                topic=TOPIC,
                engine=engine,
                producer=producer,
                handler=lambda: StockChanges(clock, STOCK_CHANGES.partitions, filters),
                workers=settings.ledger_workers,
                clock=clock,
            )
            checking = Checking(
                engine,
                partial(LogReader, settings.kafka, settings.topic_prefix, LEVELS),
                consumer,
                clock,
            )
            archiving = Archiving(consumer, clock)
            copies = {
                source.topic: Aside(
                    source.topic, partial(_copier, settings, source, engine, producer, clock)
                )
                for source in _SOURCES
            }

            async def work(stop: asyncio.Event) -> None:
                async with asyncio.TaskGroup() as group:
                    for copy in copies.values():
                        group.create_task(copy.run(stop))
                    upkeep = [group.create_task(checking.run())]
                    if settings.ledger_archive_daily:
                        upkeep.append(group.create_task(archiving.run()))
                    await consumer.run(stop)
                    for each in upkeep:
                        each.cancel()

            checks = {"consumer": consumer.check, "broker": producer.check}
            checks |= {topic: copy.check for topic, copy in copies.items()}
            await with_probes(settings, checks, work, stop)
    finally:
        await engine.dispose()


def _copier(
    settings: LedgerSettings, source: Source[Any], engine: Engine, producer: Producer, clock: Clock
) -> PartitionConsumer:
    return PartitionConsumer(
        settings=settings,
        service="ledger",
        topic=source.topic,
        engine=engine,
        producer=producer,
        handler=lambda: Copy(source),
        workers=1,
        poll_ms=QUIET_POLL_MS,
        clock=clock,
    )
