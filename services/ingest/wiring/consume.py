"""The role `consume`: what the ledger refused comes into quarantine."""

import asyncio

from services.ingest.inbound.stock_changes_dead import TOPIC, DeadChanges
from services.ingest.settings import IngestSettings
from shared.clock import WallClock
from shared.database.engine import create_engine
from shared.kafka.consumer import QUIET_POLL_MS, PartitionConsumer
from shared.kafka.producer import Producer
from shared.roles import with_probes


async def run(settings: IngestSettings, stop: asyncio.Event) -> None:
    """Bring dead letters of the ledger into quarantine until told to stop."""
    clock = WallClock()
    engine = create_engine(
        settings.database_url.get_secret_value(), pool=3, application="ingest consume"
    )
    producer = Producer(settings.kafka, settings.topic_prefix, name="ingest-consume")
    try:
        async with producer:
            consumer = PartitionConsumer(
                settings=settings,
                service="ingest",
                topic=TOPIC,
                engine=engine,
                producer=producer,
                handler=lambda: DeadChanges(clock),
                workers=1,
                poll_ms=QUIET_POLL_MS,
                clock=clock,
            )
            checks = {"consumer": consumer.check, "broker": producer.check}
            await with_probes(settings, checks, consumer.run, stop)
    finally:
        await engine.dispose()
