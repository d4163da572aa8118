"""The notifier's concrete parts, put together; the only place that names them."""

import asyncio
import random
import secrets
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.notifier.api import (
    callbacks,
    deliveries,
    destinations,
    respond,
    routes,
    templates,
)
from services.notifier.api.desk import Desk
from services.notifier.destinations.kinds import Renderer, transport_of
from services.notifier.destinations.links import Links
from services.notifier.destinations.transport import Means
from services.notifier.outbound.alert_responses import Relay
from services.notifier.pipeline import StockAlerts
from services.notifier.sending.sender import Sender
from services.notifier.sending.tools import Tools
from services.notifier.settings import NotifierSettings
from services.notifier.store.access_tokens import AccessTokens
from services.notifier.store.responses import ResponseOutbox
from services.notifier.store.secrets import Vault
from shared.clock import Clock, WallClock
from shared.database.engine import create_engine
from shared.events.stock_alerts import TOPIC
from shared.http.app import create_app, serve
from shared.http.auth import Keys, Verifier
from shared.kafka.consumer import PartitionConsumer
from shared.kafka.lag import LagReader
from shared.kafka.producer import Producer
from shared.roles import with_probes

WORKERS = 2


async def consume(
    settings: NotifierSettings, stop: asyncio.Event, clock: Clock | None = None
) -> None:
    """Turn alert messages into deliveries, and relay what people answer, until told to stop."""
    clock = clock or WallClock()
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool=2 * WORKERS + 1,
        application="notifier consume",
    )
    try:
        producer = Producer(settings.kafka, settings.topic_prefix, name="notifier")
        async with producer, asyncio.TaskGroup() as group:
            relay = Relay(ResponseOutbox(engine), producer)
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
            checks = {
                "consumer": consumer.check,
                "responses": relay.check,
                "broker": producer.check,
            }
            await with_probes(settings, "notifier consume", checks, consumer.run, stop)
            relaying.cancel()
            await asyncio.wait([relaying])
    finally:
        await engine.dispose()


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
    for part in (destinations, routes, deliveries, templates, callbacks, respond):
        app.include_router(part.router)
    return app


async def answer(settings: NotifierSettings, stop: asyncio.Event) -> None:
    """Answer HTTP until told to stop."""
    await serve(application(settings), settings.host, settings.port, stop=stop)
