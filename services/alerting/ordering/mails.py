"""Orders on their way to suppliers by mail: written with what has them sent, told the notifier.

The notifier has the mail server. It is told over `alert.reports`, with the sheet as it is then and
the supplier's link sealed: whoever reads the topic, or what was sent, cannot confirm the order.
"""

import asyncio
import base64
from collections.abc import Callable
from datetime import datetime
from uuid import UUID, uuid5

from services.alerting.domain.suppliers import Supplier
from services.alerting.ordering.links import LIFETIME, OrderLinks
from services.alerting.ordering.sheet import sheet
from services.alerting.store import (
    action_rows,
    order_destination,
    order_mails,
    orders,
    people,
    report_schedules,
)
from services.alerting.store.acts import By
from services.alerting.store.audit import What
from services.alerting.store.order_mails import OrderMail
from services.alerting.store.orders import StoredOrder
from services.alerting.store.stored_action import reference_of
from services.alerting.store.suppliers import one as supplier_of
from shared.database import audit
from shared.database.audit import Done
from shared.database.engine import Connection
from shared.events.alert_reports import AlertReport, PurchaseOrder, ReportKind

_PLACED = UUID("6f1f2c0e-40a5-5b3c-8b6e-0f4bb0f6a6d1")


class OrderMails:
    """Has orders mailed through one destination of the notifier, if there is one.

    `default` is that which is used while nobody has chosen another. Without a key there are no
    links: then the mail has the sheet alone.
    """

    def __init__(
        self, links: OrderLinks, seal: Callable[[str], str] | None, default: str | None
    ) -> None:
        self._links = links
        self._seal = seal
        self._default = default

    def link(self, order_id: UUID, now: datetime) -> str | None:
        """Return a new link to an order's page, None without a key."""
        return self._links.link(order_id, now)

    def read(self, token: str, now: datetime) -> UUID:
        """Return the order that a link is for. Raises Forged or Expired."""
        return self._links.read(token, now)

    async def destination(self, connection: Connection) -> str | None:
        """Return through which destination orders are mailed; None: they are not."""
        return (await order_destination.choice(connection)).destination or self._default

    async def can_reach(self, connection: Connection, supplier: Supplier | None) -> bool:
        """Return whether a supplier's orders can be mailed."""
        if supplier is None or not supplier.email:
            return False
        return await self.destination(connection) is not None

    async def place(
        self, connection: Connection, order_id: UUID, by: By, seen: list[UUID] | None = None
    ) -> None:
        """Place an order, and have it mailed in the same transaction; see `orders.place`."""
        before = await orders.one(connection, order_id)
        order = await orders.place(connection, order_id, by, seen)
        if before is not None and before.placed_at is None and order is not None:
            await self.send(connection, order, uuid5(_PLACED, str(order_id)), by)

    async def send(
        self, connection: Connection, order: StoredOrder, mail_id: UUID, by: By
    ) -> OrderMail | None:
        """Have a placed order mailed; one mail for each id, and none where nobody can be reached.

        Returns the mail.
        """
        supplier = None
        if order.supplier is not None:
            supplier = await supplier_of(connection, order.supplier)
        destination = await self.destination(connection)
        if supplier is None or supplier.email is None or destination is None:
            return None
        mail = OrderMail(mail_id, order.id, supplier.email, by.at, by.actor)
        known = await order_mails.add(connection, mail)
        if known is not mail:
            return known
        if by.actor is not None:
            done = Done(
                What.ORDER_MAILED, str(order.id), None, {"mail": mail.id, "to": mail.address}
            )
            await audit.add(connection, by.audited, done)
        report = await self._report(connection, order, supplier, mail, destination)
        await report_schedules.send(connection, report)
        return mail

    async def _report(
        self,
        connection: Connection,
        order: StoredOrder,
        supplier: Supplier,
        mail: OrderMail,
        destination: str,
    ) -> AlertReport:
        lines = await action_rows.of_order(connection, order.id)
        wanted = orders.wanted(lines)
        book = await asyncio.to_thread(sheet, order, lines, supplier)
        link = self._sealed(order.id, mail.asked_at)
        buyers = {line.owner or line.requested_by for line in wanted}
        if mail.asked_by is not None:
            buyers = {mail.asked_by}
        told = await people.recipients(connection, buyers)
        return AlertReport(
            report_id=mail.id,
            kind=ReportKind.PURCHASE_ORDER,
            destinations=(destination,),
            from_at=order.opened_at,
            to_at=order.placed_at or mail.asked_at,
            recorded_at=mail.asked_at,
            order=PurchaseOrder(
                id=order.id,
                reference=reference_of(order.number),
                supplier=supplier.id,
                supplier_name=supplier.name,
                to=mail.address,
                language=supplier.language,
                timezone=supplier.timezone,
                lines=len(wanted),
                sheet=base64.b64encode(book),
                link=link,
                link_until=None if link is None else mail.asked_at + LIFETIME,
                buyers=tuple(told[each] for each in sorted(told)),
            ),
        )

    def _sealed(self, order_id: UUID, now: datetime) -> str | None:
        link = self._links.link(order_id, now)
        return None if link is None or self._seal is None else self._seal(link)
