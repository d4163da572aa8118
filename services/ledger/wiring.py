"""The ledger's concrete parts, put together; the only place that names them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI

from services.ledger.api import (
    counts,
    demand,
    export,
    levels,
    projection,
    reservations,
    stream,
    summary,
)
from services.ledger.api.desk import Behind, Desk
from services.ledger.checking import Checking
from services.ledger.inbound import catalog_items, catalog_warehouses, catalogue
from services.ledger.inbound.catalogue import Copy, Source
from services.ledger.inbound.stock_levels import LevelTail
from services.ledger.pipeline import StockChanges
from services.ledger.settings import LedgerSettings
from services.ledger.store.books import Books
from services.ledger.store.identity_filters import Filters
from services.ledger.store.sheets import Sheets
from shared.clock import Clock, WallClock
from shared.database.engine import Engine, create_engine
from shared.events.stock_changes import TOPIC
from shared.events.stock_levels import TOPIC as LEVELS
from shared.events.topics import STOCK_CHANGES
from shared.http.app import create_app, serve
from shared.http.auth import Keys, Verifier
from shared.http.short_way import add_short_ways
from shared.kafka.aside import Aside
from shared.kafka.consumer import PartitionConsumer
from shared.kafka.lag import LagReader
from shared.kafka.log import LogReader
from shared.kafka.producer import Producer
from shared.roles import with_probes

_SOURCES: tuple[Source[Any], ...] = (catalog_items.SOURCE, catalog_warehouses.SOURCE)


async def consume(
    settings: LedgerSettings, stop: asyncio.Event, clock: Clock | None = None
) -> None:
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
                    check = group.create_task(checking.run())
                    await consumer.run(stop)
                    check.cancel()

            checks = {"consumer": consumer.check, "broker": producer.check}
            checks |= {topic: copy.check for topic, copy in copies.items()}
            await with_probes(settings, "ledger consume", checks, work, stop)
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
        poll_ms=catalogue.POLL_MS,
        clock=clock,
    )


def application(
    settings: LedgerSettings, clock: Clock | None = None, stop: asyncio.Event | None = None
) -> FastAPI:
    """Return the API; it connects when it starts.

    At `stop` its streams end by themselves: the server waits for requests under way.
    """
    clock = clock or WallClock()
    stop = stop or asyncio.Event()
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool=settings.database_pool,
        application="ledger serve",
    )
    lag = LagReader(settings.kafka, settings.topic_prefix, TOPIC)
    books = Books(engine, lag)
    behind = Behind(books)
    desk = Desk(engine, clock, behind, reservations.present)
    tail = LevelTail(
        settings.kafka,
        settings.topic_prefix,
        clock=clock,
        present=stream.level_event,
        limit=settings.ledger_streams,
    )

    async def end_streams() -> None:
        await stop.wait()
        tail.end()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(each)
                    for each in (tail.run(), end_streams(), books.run(), desk.run(), behind.run())
                ]
                yield
                for task in tasks:
                    task.cancel()
        finally:
            await lag.close()
            await engine.dispose()

    app = create_app(
        "ledger",
        verifier=Verifier(Keys(file=settings.jwks_file, url=settings.jwks_url), clock),
        checks={"database": books.check},
        lifespan=lifespan,
    )
    app.state.books = books
    app.state.sheets = Sheets(engine)
    app.state.desk = desk
    app.state.tail = tail
    app.state.clock = clock
    app.state.exports = asyncio.Semaphore(export.MOST)
    app.include_router(levels.router)
    app.include_router(counts.router)
    app.include_router(counts.deciding)
    app.include_router(reservations.router)
    app.include_router(projection.router)
    app.include_router(export.router)
    app.include_router(demand.router)
    app.include_router(stream.router)
    app.include_router(summary.router)
    add_short_ways(app, levels.SHORT_WAY, reservations.SHORT_WAY)
    return app


async def answer(settings: LedgerSettings, stop: asyncio.Event) -> None:
    """Answer HTTP until told to stop."""
    await serve(application(settings, stop=stop), settings.host, settings.port, stop=stop)
