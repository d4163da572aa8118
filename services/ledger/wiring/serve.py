"""The role `serve`: what is asked over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.ledger.api import (
    counts,
    demand,
    export,
    levels,
    projection,
    reservations,
    stocktakes,
    stream,
    summary,
)
from services.ledger.api.desk import Desk
from services.ledger.inbound.stock_levels import LevelTail
from services.ledger.settings import LedgerSettings
from services.ledger.store.books import Books
from services.ledger.store.sheets import Sheets
from services.ledger.store.stocktakes import Stocktakes
from shared.clock import Clock, WallClock
from shared.database.audit import AuditTrail
from shared.database.engine import ANSWER_SECONDS, create_engine
from shared.events.stock_changes import TOPIC
from shared.http import audit
from shared.http.app import create_app
from shared.http.auth import Keys, Verifier
from shared.http.server import serve
from shared.kafka.lag import LagReader


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
        answer_seconds=ANSWER_SECONDS,
    )
    lag = LagReader(settings.kafka, settings.topic_prefix, TOPIC)
    books = Books(engine, lag)
    desk = Desk(engine, clock, books.behind_seconds, reservations.present)
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
                    for each in (tail.run(), end_streams(), books.run(), desk.run())
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
        short_ways=(levels.SHORT_WAY, reservations.SHORT_WAY),
    )
    app.state.books = books
    app.state.sheets = Sheets(engine)
    app.state.stocktakes = Stocktakes(engine)
    app.state.audit = AuditTrail(engine)
    app.state.desk = desk
    app.state.tail = tail
    app.state.clock = clock
    app.state.exports = asyncio.Semaphore(export.MOST)
    app.include_router(levels.router)
    app.include_router(counts.router)
    app.include_router(counts.deciding)
    app.include_router(stocktakes.router)
    app.include_router(stocktakes.deciding)
    app.include_router(audit.router)
    app.include_router(reservations.router)
    app.include_router(projection.router)
    app.include_router(export.router)
    app.include_router(demand.router)
    app.include_router(stream.router)
    app.include_router(summary.router)
    return app


async def run(settings: LedgerSettings, stop: asyncio.Event) -> None:
    """Answer HTTP until told to stop."""
    await serve(application(settings, stop=stop), settings.host, settings.port, stop=stop)
