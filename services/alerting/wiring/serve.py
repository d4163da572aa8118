"""The role `serve`: rules, alerts and all that people do, over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.alerting.api import (
    actions,
    alerts,
    approval_limits,
    attention,
    calendar,
    cases,
    explain,
    order_destination,
    orders,
    parameters,
    people,
    playbooks,
    proposals,
    report_schedules,
    review,
    rotations,
    rules,
    silences,
    supplier_page,
    suppliers,
    warehouse_groups,
    working_calendars,
)
from services.alerting.api.desk import Desk
from services.alerting.inbound.catalog_items import CatalogueReader
from services.alerting.inbound.channel_health import ChannelReader
from services.alerting.settings import AlertingSettings
from services.alerting.wiring.ordering import mails_of
from shared.clock import Clock, WallClock
from shared.database.audit import AuditTrail
from shared.database.engine import ANSWER_SECONDS, create_engine
from shared.events.stock_levels import TOPIC
from shared.http import audit
from shared.http.app import create_app
from shared.http.auth import Keys, Verifier
from shared.http.server import serve
from shared.kafka.lag import LagReader


def application(settings: AlertingSettings, clock: Clock | None = None) -> FastAPI:
    """Return the API; it asks the database when it is asked, and keeps the catalogue at hand."""
    clock = clock or WallClock()
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool=settings.database_pool,
        application="alerting serve",
        answer_seconds=ANSWER_SECONDS,
    )
    lag = LagReader(settings.kafka, settings.topic_prefix, TOPIC)
    reader = CatalogueReader(settings.kafka, settings.topic_prefix)
    hearing = ChannelReader(settings.kafka, settings.topic_prefix)
    desk = Desk(
        engine,
        clock,
        lag,
        reader,
        hearing,
        in_event_time=settings.clock == "event",
        sla_minutes=settings.sla_minutes,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            async with asyncio.TaskGroup() as group:
                reading = [group.create_task(each.run()) for each in (reader, hearing)]
                yield
                for task in reading:
                    task.cancel()
        finally:
            await lag.close()
            await engine.dispose()

    app = create_app(
        "alerting",
        verifier=Verifier(Keys(file=settings.jwks_file, url=settings.jwks_url), clock),
        checks={"database": desk.check},
        lifespan=lifespan,
    )
    app.state.desk = desk
    app.state.audit = AuditTrail(engine)
    app.state.order_mails = mails_of(settings)
    app.include_router(alerts.router)
    app.include_router(rules.router)
    app.include_router(parameters.router)
    app.include_router(explain.router)
    app.include_router(silences.router)
    app.include_router(calendar.router)
    app.include_router(people.router)
    app.include_router(warehouse_groups.router)
    app.include_router(playbooks.router)
    app.include_router(working_calendars.router)
    app.include_router(rotations.router)
    app.include_router(attention.router)
    app.include_router(actions.router)
    app.include_router(proposals.router)
    app.include_router(orders.router)
    app.include_router(suppliers.router)
    app.include_router(approval_limits.router)
    app.include_router(supplier_page.router)
    for part in (review, cases, audit, report_schedules, order_destination):
        app.include_router(part.router)
    return app


async def run(settings: AlertingSettings, stop: asyncio.Event) -> None:
    """Answer HTTP until told to stop."""
    await serve(application(settings), settings.host, settings.port, stop=stop)
