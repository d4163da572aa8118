"""The role `serve`: what is asked over HTTP, and what chats and mail links bring back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.notifier.api import (
    callbacks,
    deliveries,
    destinations,
    replays,
    reports,
    respond,
    routes,
    slack_callbacks,
    templates,
)
from services.notifier.api.desk import Desk
from services.notifier.destinations import links
from services.notifier.destinations.kinds import Renderer
from services.notifier.settings import SecretSettings
from services.notifier.store.secrets import Vault
from shared.clock import Clock, WallClock
from shared.database.audit import AuditTrail
from shared.database.engine import ANSWER_SECONDS, create_engine
from shared.events.stock_alerts import TOPIC
from shared.http import audit
from shared.http.app import create_app
from shared.http.auth import Keys, Verifier
from shared.http.server import serve
from shared.kafka.lag import LagReader


def application(settings: SecretSettings, clock: Clock | None = None) -> FastAPI:
    """Return the API; it connects when it is first asked."""
    clock = clock or WallClock()
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool=settings.database_pool,
        application="notifier serve",
        answer_seconds=ANSWER_SECONDS,
    )
    lag = LagReader(settings.kafka, settings.topic_prefix, TOPIC)
    vault = Vault(settings.secret_key)
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
        secret_below=(links.PATH,),
    )
    app.state.desk = desk
    app.state.audit = AuditTrail(engine)
    parts = (destinations, routes, replays, deliveries, templates, reports)
    answers = (callbacks, slack_callbacks, respond)
    for part in (*parts, *answers, audit):
        app.include_router(part.router)
    return app


async def run(settings: SecretSettings, stop: asyncio.Event) -> None:
    """Answer HTTP until told to stop."""
    await serve(application(settings), settings.host, settings.port, stop=stop)
