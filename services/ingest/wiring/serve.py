"""The role `serve`: events, catalogue and quarantine over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from fastapi import FastAPI

from services.ingest.api.app import build
from services.ingest.api.parts import Parts
from services.ingest.guessing import Guessing
from services.ingest.listening import Listening
from services.ingest.outbound import catalog_items, catalog_warehouses, channel_health
from services.ingest.outbound.stock_changes import StockChanges
from services.ingest.pipeline import Intake
from services.ingest.replaying import Replay
from services.ingest.settings import IngestSettings
from services.ingest.store import catalogue, configuration
from services.ingest.store import channel_health as store_health
from services.ingest.store.database import Database
from services.ingest.store.known_codes import KnownCodes
from services.ingest.store.unpublished import Feed, Publisher
from shared.clock import Clock, WallClock
from shared.database.audit import AuditTrail
from shared.database.engine import ANSWER_SECONDS, create_engine
from shared.events.catalog_items import CatalogItem
from shared.events.catalog_warehouses import CatalogWarehouse
from shared.events.channel_health import ChannelHealth
from shared.http.auth import Keys, Verifier
from shared.http.server import serve
from shared.kafka.producer import Producer


@dataclass(frozen=True, slots=True)
class Serving:
    """The `serve` role at work."""

    app: FastAPI
    parts: Parts


@asynccontextmanager
async def serving(settings: IngestSettings, clock: Clock) -> AsyncIterator[Serving]:
    """Yield the application with all that runs beside its requests.

    Broker and database may be away at any time, the start included.
    """
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool=settings.database_pool,
        application="ingest serve",
        answer_seconds=ANSWER_SECONDS,
    )
    producer = Producer(
        settings.kafka,
        settings.topic_prefix,
        name="ingest",
        timeout_seconds=settings.send_seconds,
    )
    try:
        async with producer:
            database = Database(engine)
            known = KnownCodes(database)
            changes = StockChanges(producer)
            replay = Replay(known, database, changes, clock)
            listening = Listening(database, clock)
            parts = Parts(
                database=database,
                clock=clock,
                known=known,
                guessing=Guessing(),
                intake=Intake(known, database, changes, replay, listening, clock),
                replay=replay,
                publisher=Publisher(database, _feeds(producer, clock)),
            )
            app = build(
                parts,
                verifier=Verifier(Keys(file=settings.jwks_file, url=settings.jwks_url), clock),
                checks={"broker": producer.check, "database": known.check},
            )
            app.state.audit = AuditTrail(engine)
            async with asyncio.TaskGroup() as group:
                background = [
                    group.create_task(known.follow()),
                    group.create_task(parts.publisher.run()),
                    group.create_task(listening.run()),
                    group.create_task(replay.catch_up()),
                ]
                yield Serving(app, parts)
                for task in background:
                    task.cancel()
    finally:
        await engine.dispose()


def _feeds(
    producer: Producer, clock: Clock
) -> tuple[Feed[CatalogItem], Feed[CatalogWarehouse], Feed[ChannelHealth]]:
    return (
        Feed(
            catalogue.unpublished,
            partial(catalog_items.publish, producer),
            catalogue.note_published,
        ),
        Feed(
            configuration.unpublished_warehouses,
            partial(catalog_warehouses.publish, producer),
            configuration.note_published_warehouses,
        ),
        Feed(
            partial(store_health.unpublished, clock=clock),
            partial(channel_health.publish, producer),
            store_health.note_published,
        ),
    )


async def run(settings: IngestSettings, stop: asyncio.Event) -> None:
    """Answer HTTP until told to stop."""
    async with serving(settings, WallClock()) as at_work:
        await serve(at_work.app, settings.host, settings.port, stop=stop)
