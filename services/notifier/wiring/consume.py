"""The role `consume`: alerts and reports become deliveries, people's answers go out."""

import asyncio
from functools import partial

from services.notifier.outbound import alert_responses
from services.notifier.pipeline import AlertReports, StockAlerts
from services.notifier.settings import NotifierSettings
from services.notifier.store.responses import RESPONSES
from shared.clock import Clock, WallClock
from shared.database.engine import Engine, create_engine
from shared.database.outbox import Outbox
from shared.events.alert_reports import TOPIC as REPORTS_TOPIC
from shared.events.stock_alerts import TOPIC
from shared.kafka.aside import Aside
from shared.kafka.consumer import QUIET_POLL_MS, PartitionConsumer
from shared.kafka.producer import Producer
from shared.roles import with_probes

WORKERS = 2


async def run(settings: NotifierSettings, stop: asyncio.Event, clock: Clock | None = None) -> None:
    """Turn alerts and reports into deliveries, relay what people answer, until told to stop."""
    clock = clock or WallClock()
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool=2 * WORKERS + 4,
        application="notifier consume",
    )
    try:
        producer = Producer(settings.kafka, settings.topic_prefix, name="notifier")
        async with producer, asyncio.TaskGroup() as group:
            outbox = Outbox(engine, RESPONSES)
            relay = alert_responses.relay_of(outbox, producer)
            relaying = group.create_task(relay.run())
            consumer = PartitionConsumer(
                settings=settings,
                service="notifier",
                topic=TOPIC,
                engine=engine,
                producer=producer,
                handler=lambda: StockAlerts(clock),
                workers=WORKERS,
            )
            reports = Aside(REPORTS_TOPIC, partial(_report_consumer, settings, engine, producer))

            async def work(stop: asyncio.Event) -> None:
                async with asyncio.TaskGroup() as group:
                    group.create_task(reports.run(stop))
                    await consumer.run(stop)

            checks = {
                "consumer": consumer.check,
                "reports": reports.check,
                "responses": relay.check,
                "broker": producer.check,
            }
            await with_probes(settings, checks, work, stop)
            relaying.cancel()
            await asyncio.wait([relaying])
            await outbox.close()
    finally:
        await engine.dispose()


def _report_consumer(
    settings: NotifierSettings, engine: Engine, producer: Producer
) -> PartitionConsumer:
    return PartitionConsumer(
        settings=settings,
        service="notifier",
        topic=REPORTS_TOPIC,
        engine=engine,
        producer=producer,
        handler=AlertReports,
        workers=1,
        poll_ms=QUIET_POLL_MS,
    )
