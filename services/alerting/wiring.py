"""Alerting's concrete parts, put together; the only place that names them."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
from fastapi import FastAPI

from services.alerting.api import (
    actions,
    alerts,
    approval_limits,
    attention,
    audit,
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
    working_calendars,
)
from services.alerting.api.desk import Desk
from services.alerting.calling import TIMEOUT_SECONDS, Calling
from services.alerting.domain.channels import NOBODY
from services.alerting.domain.timebase import EventTime, Timebase, WallTime
from services.alerting.following import Following
from services.alerting.inbound.catalog_items import CatalogueReader
from services.alerting.inbound.channel_health import ChannelReader
from services.alerting.ordering.links import OrderLinks
from services.alerting.ordering.mails import OrderMails
from services.alerting.outbound import alert_reports, stock_alerts
from services.alerting.pipeline import StockLevels
from services.alerting.reminding import Reminding
from services.alerting.reporting import Reporting
from services.alerting.responding import AlertResponses
from services.alerting.reviewing import CasePolicy, Reviewing
from services.alerting.settings import AlertingSettings
from services.alerting.store.outbox import NOTICES, REPORTS
from services.alerting.store.parameter_watch import ParameterWatch
from services.alerting.store.rule_watch import RuleWatch
from services.alerting.supplying import Supplying
from shared.clock import Clock, WallClock
from shared.database.engine import create_engine
from shared.database.outbox import Outbox
from shared.events.alert_responses import TOPIC as RESPONSES
from shared.events.stock_levels import TOPIC
from shared.http.app import create_app
from shared.http.app import serve as serve_http
from shared.http.auth import Keys, Verifier
from shared.kafka.aside import Aside
from shared.kafka.consumer import PartitionConsumer
from shared.kafka.lag import LagReader
from shared.kafka.producer import Producer
from shared.roles import with_probes
from shared.sealing import LinkSeal

COLLECT_SECONDS = 0.010
"""What few levels wait for company: an alert can spare it, and the ledger beside has the processor
for its next batch."""

RESPONSES_AT_ONCE = 100
"""People's acts in one transaction: it keeps their alerts locked, and evaluations wait."""


async def consume(
    settings: AlertingSettings, stop: asyncio.Event, clock: Clock | None = None
) -> None:
    """Evaluate level messages, and do what people answer, until told to stop."""
    clock = clock or WallClock()
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool=2 * settings.alerting_workers + 4,
        application="alerting consume",
    )
    timebase: Timebase = EventTime() if settings.clock == "event" else WallTime()
    rule_watch, parameter_watch = RuleWatch(engine), ParameterWatch(engine)
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
                        await consumer.run(stop)

            checks = {
                "rules": rule_watch.check,
                "parameters": parameter_watch.check,
                "catalogue": reader.check,
                "channels": hearing.check,
                "consumer": consumer.check,
                "responses": responses.check,
                "broker": producer.check,
            }
            beside = [
                group.create_task(each.run())
                for each in (rule_watch, parameter_watch, reader, hearing)
            ]
            await with_probes(settings, "alerting consume", checks, evaluate, stop)
            for task in beside:
                task.cancel()
    finally:
        await engine.dispose()


async def tick(settings: AlertingSettings, stop: asyncio.Event, clock: Clock | None = None) -> None:
    """Relay, remind, follow playbooks, see to actions, review and report until told to stop.

    In a replay of history nobody is late: no playbook is followed.
    """
    clock = clock or WallClock()
    engine = create_engine(
        settings.database_url.get_secret_value(), pool=10, application="alerting tick"
    )
    producer = Producer(settings.kafka, settings.topic_prefix, name="alerting-tick")
    try:
        async with producer, _ingest(settings) as ingest, asyncio.TaskGroup() as group:
            outbox, reports = Outbox(engine, NOTICES), Outbox(engine, REPORTS)
            relay = stock_alerts.relay_of(outbox, producer)
            report_relay = alert_reports.relay_of(reports, producer)
            reminding = Reminding(engine, clock)
            following = Following(engine, clock)
            supplying = Supplying(engine, clock, _mails(settings, _links(settings)))
            calling = Calling(engine, clock, ingest)
            reviewing = Reviewing(
                engine, clock, _case_policy(settings), in_event_time=settings.clock == "event"
            )
            reporting = Reporting(engine, clock, settings.sla_minutes)
            loops = (relay, report_relay, reminding, supplying, calling, reviewing, reporting)
            beside = [group.create_task(each.run()) for each in loops]
            checks = {
                "outbox": relay.check,
                "reports": report_relay.check,
                "reminders": reminding.check,
                "actions": supplying.check,
                "calls": calling.check,
                "stock-outs": reviewing.check,
                "schedules": reporting.check,
                "broker": producer.check,
            }
            if settings.clock == "wall":
                beside.append(group.create_task(following.run()))
                checks["playbooks"] = following.check

            async def until_stopped(stop: asyncio.Event) -> None:
                await stop.wait()

            await with_probes(settings, "alerting tick", checks, until_stopped, stop)
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
            await outbox.close()
            await reports.close()
    finally:
        await engine.dispose()


def _case_policy(settings: AlertingSettings) -> CasePolicy:
    return CasePolicy(timedelta(hours=settings.case_notice_hours), settings.case_money_limit)


def _links(settings: AlertingSettings) -> OrderLinks:
    secret = settings.secret_key
    return OrderLinks(
        None if secret is None else secret.get_secret_value(),
        settings.supplier_url or settings.alerting_url,
    )


def _mails(settings: AlertingSettings, links: OrderLinks) -> OrderMails:
    seal = None if settings.secret_key is None else LinkSeal(settings.secret_key).seal
    return OrderMails(links, seal, settings.order_destination)


def application(settings: AlertingSettings, clock: Clock | None = None) -> FastAPI:
    """Return the API; it asks the database when it is asked, and keeps the catalogue at hand."""
    clock = clock or WallClock()
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool=settings.database_pool,
        application="alerting serve",
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
    app.state.order_links = _links(settings)
    app.state.order_mails = _mails(settings, app.state.order_links)
    app.include_router(alerts.router)
    app.include_router(rules.router)
    app.include_router(parameters.router)
    app.include_router(explain.router)
    app.include_router(silences.router)
    app.include_router(calendar.router)
    app.include_router(people.router)
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


async def serve(settings: AlertingSettings, stop: asyncio.Event) -> None:
    """Answer HTTP until told to stop."""
    await serve_http(application(settings), settings.host, settings.port, stop=stop)


def _ingest(settings: AlertingSettings) -> httpx.AsyncClient:
    """Return the connections to ingest, with this process's token."""
    token = settings.service_token
    return httpx.AsyncClient(
        base_url=settings.ingest_url,
        headers={} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"},
        timeout=TIMEOUT_SECONDS,
    )


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
