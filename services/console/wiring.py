"""The only place that names what the console is made of."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from services.console import pages
from services.console.api import sign_in
from services.console.api.access import Gate
from services.console.domain.sign_in import Codes, Endings
from services.console.pages import (
    alert,
    alerts,
    counts,
    deliveries,
    delivery,
    inbox,
    level,
    me,
    not_found,
    now,
    order,
    orders,
    people,
    review,
    rule,
    rules,
    stock,
    unknown,
)
from services.console.pages.context import Context
from services.console.pipeline import Live, Pipeline
from services.console.settings import ConsoleSettings
from services.console.upstream.actions import Actions
from services.console.upstream.alerting import Alerting
from services.console.upstream.directory import Directory
from services.console.upstream.ingest import Ingest
from services.console.upstream.ledger import Ledger
from services.console.upstream.notifier import Notifier
from services.console.upstream.orders import Orders
from services.console.upstream.overview import Overview
from services.console.upstream.people import People
from services.console.upstream.reviews import Reviews
from services.console.upstream.rules import Rules
from services.console.upstream.service import Service, connect
from services.console.upstream.standin import StandIn
from services.console.upstream.stocktakes import Stocktakes
from shared.clock import Clock, WallClock
from shared.http.app import create_app

_STATIC = Path(pages.__file__).parent / "static"


@dataclass(frozen=True)
class Console:
    """The web application and what keeps its pages current."""

    app: FastAPI
    pipeline: Pipeline


@asynccontextmanager
async def console(settings: ConsoleSettings, clock: Clock | None = None) -> AsyncIterator[Console]:
    """Yield the console, connected to the other services."""
    clock = clock or WallClock()
    live = Live()
    token = settings.service_token.get_secret_value() if settings.service_token else None
    async with AsyncExitStack() as stack:

        async def service(name: str, url: str) -> Service:
            return Service(name, await stack.enter_async_context(connect(url, token)))

        ingest = Ingest(await service("ingest", settings.ingest_url))
        stock = await service("the ledger", settings.ledger_url)
        ledger = Ledger(stock)
        warning = await service("alerting", settings.alerting_url)
        alerting = Alerting(warning)
        notifier = Notifier(await service("the notifier", settings.notifier_url))
        directory = Directory(ingest, clock)
        standin = None
        if settings.standin_url:
            standin = StandIn(await service("the stand-in", settings.standin_url))
        context = Context(
            live=live,
            ingest=ingest,
            ledger=ledger,
            alerting=alerting,
            actions=Actions(warning),
            notifier=notifier,
            orders=Orders(warning),
            people=People(warning),
            reviews=Reviews(warning),
            rules=Rules(warning),
            stocktakes=Stocktakes(stock),
            directory=directory,
            standin=standin,
            endings=Endings(),
            clock=clock,
            assets=_fingerprint(),
        )
        overview = Overview(ledger, alerting, notifier, directory, clock)
        yield Console(
            application(context, settings.console_secret.get_secret_value()),
            Pipeline(live, overview, settings.kafka, settings.topic_prefix),
        )


def application(context: Context, secret: str) -> FastAPI:
    """Return the web application. Once per process: pages are registered globally."""
    app = create_app("console")
    app.include_router(
        sign_in.routes(
            secret,
            Codes(secret, context.clock.now()),
            context.endings,
            context.clock,
            context.assets,
            context.people,
        )
    )
    app.mount("/static", StaticFiles(directory=_STATIC))

    @app.get("/favicon.ico", include_in_schema=False)
    async def favicon() -> FileResponse:
        return FileResponse(_STATIC / "favicon.svg", media_type="image/svg+xml")

    for page in (
        now,
        stock,
        level,
        counts,
        alerts,
        alert,
        orders,
        order,
        deliveries,
        delivery,
        people,
        unknown,
        rules,
        rule,
        review,
        me,
        inbox,
    ):
        page.register(context)
    not_found.register(context)
    ui.run_with(app, title="Lowtide", dark=False, tailwind=False, show_welcome_message=False)
    app.add_middleware(Gate, secret=secret, clock=context.clock, endings=context.endings)
    return app


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for file in sorted(_STATIC.iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
