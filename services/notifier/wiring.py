"""The notifier's concrete parts, put together; the only place that names them."""

import asyncio
import random
import secrets
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from services.notifier.api import (
    callbacks,
    deliveries,
    destinations,
    replays,
    reports,
    respond,
    routes,
    templates,
)
from services.notifier.api.desk import Desk
from services.notifier.destinations.kinds import Renderer, transport_of
from services.notifier.destinations.links import Links
from services.notifier.destinations.transport import Means
from services.notifier.outbound import alert_responses
from services.notifier.pipeline import AlertReports, StockAlerts
from services.notifier.sending.sender import Sender
from services.notifier.sending.tools import Tools
from services.notifier.settings import NotifierSettings
from services.notifier.store.access_tokens import AccessTokens
from services.notifier.store.responses import RESPONSES
from services.notifier.store.secrets import Vault
from shared.clock import Clock, WallClock
from shared.database.engine import Engine, create_engine
from shared.database.outbox import Outbox
from shared.events.alert_reports import TOPIC as REPORTS_TOPIC
from shared.events.stock_alerts import TOPIC
from shared.http.app import create_app, serve
from shared.http.auth import Keys, Verifier
from shared.kafka.aside import Aside
from shared.kafka.consumer import PartitionConsumer
from shared.kafka.lag import LagReader
from shared.kafka.producer import Producer
from shared.roles import with_probes

WORKERS = 2

REPORTS_POLL_MS = 1_000
"""How long the broker may hold a fetch that brings nothing: what comes is sent on at once."""


async def consume(
    settings: NotifierSettings, stop: asyncio.Event, clock: Clock | None = None
) -> None:
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
            await with_probes(settings, "notifier consume", checks, work, stop)
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
        poll_ms=REPORTS_POLL_MS,
    )


async def send(settings: NotifierSettings, stop: asyncio.Event, clock: Clock | None = None) -> None:
    """Send what waits until told to stop."""
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool=settings.database_pool,
        application="notifier send",
    )
    vault = Vault(settings.required_secret_key())
    tools = Tools(
        engine=engine,
        vault=vault,
        renderer=Renderer(settings.console_url, settings.public_url),
        means=Means(
            tls=ssl.create_default_context(),
            tokens=AccessTokens(engine, vault),
            links=Links(vault, settings.public_url),
        ),
        transport_of=transport_of,
        clock=clock or WallClock(),
        jitter=random.random,
    )
    sender = Sender(_name(settings), tools)
    try:
        checks = {"sender": sender.check}
        await with_probes(settings, "notifier send", checks, sender.run, stop)
    finally:
        await engine.dispose()


def _name(settings: NotifierSettings) -> str:
    """Return a name that a restart of the same instance has again, and no other process."""
    if settings.instance is not None:
        return f"instance-{settings.instance}"
    return f"{socket.gethostname()}-{secrets.token_hex(8)}"


def application(settings: NotifierSettings, clock: Clock | None = None) -> FastAPI:
    """Return the API; it connects when it is first asked."""
    clock = clock or WallClock()
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool=settings.database_pool,
        application="notifier serve",
    )
    lag = LagReader(settings.kafka, settings.topic_prefix, TOPIC)
    vault = Vault(settings.required_secret_key())
    renderer = Renderer(settings.console_url, settings.public_url)
    desk = Desk(engine, vault, clock, lag, renderer, settings.console_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await lag.close()
            await engine.dispose()

    app = create_app(
        "notifier",
        verifier=Verifier(Keys(file=settings.jwks_file, url=settings.jwks_url), clock),
        checks={"database": desk.check},
        lifespan=lifespan,
    )
    app.state.desk = desk
    parts = (destinations, routes, replays, deliveries, templates, callbacks, respond, reports)
    for part in parts:
        app.include_router(part.router)
    return app


async def answer(settings: NotifierSettings, stop: asyncio.Event) -> None:
    """Answer HTTP until told to stop."""
    await serve(application(settings), settings.host, settings.port, stop=stop)
