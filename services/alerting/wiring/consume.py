"""The role `consume`: levels become alerts, and what people answer is done."""

import asyncio
from collections.abc import Iterable

from services.alerting.cataloguing import CatalogueValues
from services.alerting.domain.channels import NOBODY
from services.alerting.domain.timebase import EventTime, Timebase, WallTime
from services.alerting.inbound.catalog_items import CatalogueReader
from services.alerting.inbound.channel_health import ChannelReader
from services.alerting.pipeline import StockLevels
from services.alerting.responding import AlertResponses
from services.alerting.settings import AlertingSettings
from services.alerting.store.parameter_watch import ParameterWatch
from services.alerting.store.rule_watch import RuleWatch
from shared.clock import Clock, WallClock
from shared.database.engine import ANSWER_SECONDS, create_engine
from shared.events.alert_responses import TOPIC as RESPONSES
from shared.events.catalog_items import TOPIC as ITEMS
from shared.events.stock_levels import TOPIC
from shared.events.topics import STOCK_LEVELS
from shared.kafka.aside import Aside
from shared.kafka.consumer import QUIET_POLL_MS, PartitionConsumer
from shared.kafka.producer import Producer
from shared.roles import with_probes

COLLECT_SECONDS = 0.010
"""What few levels wait for company: an alert can spare it, and the ledger beside has the processor
for its next batch."""

RESPONSES_AT_ONCE = 100
"""People's acts in one transaction: it keeps their alerts locked, and evaluations wait."""


async def run(settings: AlertingSettings, stop: asyncio.Event, clock: Clock | None = None) -> None:
    """Evaluate level messages, and do what people answer, until told to stop."""
    clock = clock or WallClock()
    url = settings.database_url.get_secret_value()
    engine = create_engine(
        url, pool=2 * settings.alerting_workers + 4, application="alerting consume"
    )
    # Workers see by themselves that a connection has fallen silent.
    watching = create_engine(
        url, pool=2, application="alerting consume", answer_seconds=ANSWER_SECONDS
    )
    timebase: Timebase = EventTime() if settings.clock == "event" else WallTime()
    rule_watch = RuleWatch(watching, clock if settings.clock == "wall" else None)
    parameter_watch = ParameterWatch(watching)
    reader = CatalogueReader(settings.kafka, settings.topic_prefix)
    hearing = ChannelReader(settings.kafka, settings.topic_prefix)
    producer = Producer(settings.kafka, settings.topic_prefix, name="alerting")
    try:
        async with producer, asyncio.TaskGroup() as group:
            consumer = PartitionConsumer(
                settings=settings,
                service="alerting",
                topic=TOPIC,
                engine=engine,
                producer=producer,
                handler=lambda: StockLevels(
                    rules=lambda: rule_watch.book,
                    parameters=lambda: parameter_watch.book,
                    catalogue=reader.catalogue,
                    # Nobody is heard in the time of events that are long past.
                    channels=lambda: hearing.channels if settings.clock == "wall" else NOBODY,
                    timebase=timebase,
                    clock=clock,
                    partitions=STOCK_LEVELS.partitions,
                ),
                workers=settings.alerting_workers,
                collect_seconds=COLLECT_SECONDS,
                clock=clock,
            )

            # Warnings must not wait for a button, however many presses nobody can read.
            responses = Aside(
                RESPONSES,
                lambda: PartitionConsumer(
                    settings=settings,
                    service="alerting",
                    topic=RESPONSES,
                    engine=engine,
                    producer=producer,
                    handler=lambda: AlertResponses(reader.catalogue, clock),
                    workers=1,
                    max_records=RESPONSES_AT_ONCE,
                    poll_ms=QUIET_POLL_MS,
                    clock=clock,
                ),
            )

            # Nor for a price.
            values = Aside(
                ITEMS,
                lambda: PartitionConsumer(
                    settings=settings,
                    service="alerting",
                    topic=ITEMS,
                    engine=engine,
                    producer=producer,
                    handler=CatalogueValues,
                    workers=1,
                    poll_ms=QUIET_POLL_MS,
                    clock=clock,
                ),
            )

            async def evaluate(stop: asyncio.Event) -> None:
                # Without its rules and the catalogue a worker would take scopes for left.
                needed = (rule_watch.loaded, parameter_watch.loaded, reader.caught_up)
                await _first(stop, *needed, hearing.caught_up)
                if not stop.is_set():
                    async with asyncio.TaskGroup() as consumers:
                        consumers.create_task(responses.run(stop))
                        consumers.create_task(values.run(stop))
                        await consumer.run(stop)

            checks = {
                "rules": rule_watch.check,
                "parameters": parameter_watch.check,
                "catalogue": reader.check,
                "channels": hearing.check,
                "consumer": consumer.check,
                "responses": responses.check,
                "catalogue values": values.check,
                "broker": producer.check,
            }
            beside = [
                group.create_task(each.run())
                for each in (rule_watch, parameter_watch, reader, hearing)
            ]
            await with_probes(settings, checks, evaluate, stop)
            for task in beside:
                task.cancel()
    finally:
        await engine.dispose()
        await watching.dispose()


async def _first(stop: asyncio.Event, *needed: asyncio.Event) -> None:
    """Wait until all that is needed has come, or the process is told to stop."""
    async with asyncio.TaskGroup() as group:
        stopped = group.create_task(stop.wait())
        ready = group.create_task(_all(needed))
        await asyncio.wait({stopped, ready}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        ready.cancel()


async def _all(events: Iterable[asyncio.Event]) -> None:
    for event in events:
        await event.wait()
