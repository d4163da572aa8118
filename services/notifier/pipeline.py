"""The notifier on one screen: how an alert becomes messages.

    consume:  read → look up what is known → decide who is told → record → wake the senders
    send:     take up → render → record the attempt → send → judge → record what became of it

The first line is a batch of this module, in one transaction with the consumer's position. The
second is a turn of `sending.lane`, one lane per destination, in two transactions around the
message: what lies between them is an unknown outcome to whoever finds it (`domain.outcomes`).
How many messages go singly and when the rest is merged is decided in `domain.limits`.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from services.notifier.domain.announcements import Known, deliveries_of
from services.notifier.domain.contents import FailureNote, failed_order
from services.notifier.domain.deliveries import Kind, NewDelivery, Reason, State
from services.notifier.domain.routes import RoutingTable
from services.notifier.inbound import alert_reports, stock_alerts
from services.notifier.inbound.stock_alerts import Incoming
from services.notifier.store import configuration, intake, notes
from services.notifier.store.intake import KnownByAlert, Recorded
from services.notifier.store.wakeups import wake_senders
from shared.clock import Clock
from shared.database.kept import Kept
from shared.events.alert_reports import AlertReport, PurchaseOrder
from shared.kafka.handler import Batch, Forgetful
from shared.kafka.messages import Outgoing


class StockAlerts(Forgetful):
    """Works the batches of `stock.alerts`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._routing = Kept("routing", configuration.routing_table)

    @override
    async def handle(self, connection: AsyncConnection, batch: Batch) -> Sequence[Outgoing]:
        incoming = stock_alerts.read(batch)
        if incoming:
            table = await self._routing.now(connection)
            known = await intake.known(connection, {each.alert.alert_id for each in incoming})
            now = self._clock.now()
            rows = decide(incoming, table, known, now)
            await intake.record(connection, rows)
            new = [row.delivery for row in rows]
            await intake.withdraw_held(connection, new)
            await intake.supersede_older(connection, new, now)
            await wake_senders(connection, _waiting_for(new))
        return ()


class AlertReports(Forgetful):
    """Works the batches of `alert.reports`: who gets one is said in it; an order, its supplier."""

    @override
    async def handle(self, connection: AsyncConnection, batch: Batch) -> Sequence[Outgoing]:
        for report, traceparent in alert_reports.read(batch):
            if report.order is None:
                there = set((await configuration.routing_table(connection)).destinations)
            else:
                there = await configuration.mail_destinations(connection)
            waiting = await intake.record_report(connection, report, there, traceparent)
            await wake_senders(connection, waiting)
            if report.order is not None and not waiting:
                await self._tell_buyers(connection, report, report.order)
        return ()

    async def _tell_buyers(
        self, connection: AsyncConnection, report: AlertReport, order: PurchaseOrder
    ) -> None:
        place = ", ".join(report.destinations)
        note = FailureNote(
            destination=place,
            destination_name=place,
            detail=f"{Reason.NO_DESTINATION}: {place}",
            order=failed_order(order),
        )
        await notes.add(connection, note, f"order:{report.report_id}", report.recorded_at)


def decide(
    incoming: Sequence[Incoming], table: RoutingTable, known: KnownByAlert, now: datetime
) -> list[Recorded]:
    """Return the deliveries of a batch; `known` follows what the batch itself decides."""
    rows: list[Recorded] = []
    for alert, traceparent in incoming:
        before = known.setdefault(alert.alert_id, {})
        for delivery in deliveries_of(alert, table, before, now):
            rows.append(Recorded(delivery, traceparent))
            if delivery.state is not State.SUPERSEDED:
                former = before.get(delivery.destination)
                announced = delivery.kind is Kind.FIRST or (former is not None and former.announced)
                is_request = alert.asks_for_approval  # which gives way to nothing for others
                held = None if delivery.kind is not Kind.FIRST or is_request else delivery.hold
                if (
                    former is not None
                    and delivery.kind is not Kind.FIRST
                    and not delivery.withdraws
                ):
                    held = former.held
                asked = delivery.kind is Kind.ESCALATION or (former is not None and former.asked)
                before[delivery.destination] = Known(alert.revision, announced, held, asked)
    return rows


def _waiting_for(new: Sequence[NewDelivery]) -> set[str]:
    return {
        each.destination
        for each in new
        if each.destination is not None and each.state is State.WAITING
    }
