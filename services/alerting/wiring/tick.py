"""The role `tick`: notices are relayed, and whatever time brings is done."""

import asyncio
from datetime import timedelta

import httpx

from services.alerting.approving import Approving
from services.alerting.calling import TIMEOUT_SECONDS, Calling
from services.alerting.following import Following
from services.alerting.inbound.catalog_items import CatalogueReader
from services.alerting.outbound import alert_reports, stock_alerts
from services.alerting.reminding import Reminding
from services.alerting.reporting import Reporting
from services.alerting.reviewing import CasePolicy, Reviewing
from services.alerting.settings import AlertingSettings
from services.alerting.store.approval_lateness import Patience
from services.alerting.store.outbox import NOTICES, REPORTS
from services.alerting.supplying import Supplying
from services.alerting.wiring.ordering import mails_of
from shared.clock import Clock, WallClock
from shared.database.engine import ANSWER_SECONDS, create_engine
from shared.database.outbox import Outbox
from shared.kafka.producer import Producer
from shared.roles import with_probes


async def run(settings: AlertingSettings, stop: asyncio.Event, clock: Clock | None = None) -> None:
    """Relay, remind, follow playbooks, see to actions, review and report until told to stop.

    In a replay of history nobody is late: no playbook is followed, and no approval called for.
    """
    clock = clock or WallClock()
    engine = create_engine(
        settings.database_url.get_secret_value(),
        pool=10,
        application="alerting tick",
        answer_seconds=ANSWER_SECONDS,
    )
    producer = Producer(settings.kafka, settings.topic_prefix, name="alerting-tick")
    reader = CatalogueReader(settings.kafka, settings.topic_prefix)
    try:
        async with producer, _ingest(settings) as ingest, asyncio.TaskGroup() as group:
            outbox, reports = Outbox(engine, NOTICES), Outbox(engine, REPORTS)
            relay = stock_alerts.relay_of(outbox, producer)
            report_relay = alert_reports.relay_of(reports, producer)
            reminding = Reminding(engine, clock)
            following = Following(engine, clock)
            approving = Approving(engine, clock, _patience(settings))
            supplying = Supplying(engine, clock, mails_of(settings))
            calling = Calling(engine, clock, ingest)
            reviewing = Reviewing(
                engine,
                clock,
                _case_policy(settings),
                reader.whole,
                in_event_time=settings.clock == "event",
            )
            reporting = Reporting(engine, clock, settings.sla_minutes)
            looking = (reminding, supplying, calling, reviewing, reporting)
            loops = (relay, report_relay, reader, *looking)
            beside = [group.create_task(each.run()) for each in loops]
            checks = {
                "outbox": relay.check,
                "reports": report_relay.check,
                "reminders": reminding.check,
                "actions": supplying.check,
                "calls": calling.check,
                "catalogue": reader.check,
                "stock-outs": reviewing.check,
                "schedules": reporting.check,
                "broker": producer.check,
            }
            if settings.clock == "wall":
                beside.append(group.create_task(following.run()))
                checks["playbooks"] = following.check
                beside.append(group.create_task(approving.run()))
                checks["approvals"] = approving.check

            async def until_stopped(stop: asyncio.Event) -> None:
                await stop.wait()

            await with_probes(settings, checks, until_stopped, stop)
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
            await outbox.close()
            await reports.close()
    finally:
        await engine.dispose()


def _patience(settings: AlertingSettings) -> Patience:
    return Patience(timedelta(minutes=settings.approval_minutes), settings.approval_calendar)


def _case_policy(settings: AlertingSettings) -> CasePolicy:
    return CasePolicy(timedelta(hours=settings.case_notice_hours), settings.case_money_limit)


def _ingest(settings: AlertingSettings) -> httpx.AsyncClient:
    """Return the connections to ingest, with this process's token."""
    token = settings.service_token
    return httpx.AsyncClient(
        base_url=settings.ingest_url,
        headers={} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"},
        timeout=TIMEOUT_SECONDS,
    )
