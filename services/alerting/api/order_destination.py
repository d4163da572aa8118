"""`/v1/order-destination`: through which destination of the notifier orders are mailed."""

from datetime import datetime

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict

from services.alerting.api.desk import AtDesk, Desk, Editor, doer_of
from services.alerting.api.ordering import Mails
from services.alerting.ordering.mails import OrderMails
from services.alerting.store import order_destination
from services.alerting.store.audit import What
from shared.database import audit
from shared.database.audit import Done
from shared.database.engine import Connection
from shared.events.base import Code
from shared.http.auth import Scope, require

router = APIRouter(
    prefix="/v1/order-destination",
    tags=["orders"],
    dependencies=[Depends(require(Scope.ALERTS_READ))],
)


class OrderDestinationBody(BaseModel):
    """An e-mail destination of the notifier; null: that of `LOWTIDE_ORDER_DESTINATION`."""

    model_config = ConfigDict(extra="forbid")

    destination: Code | None


class OrderDestination(BaseModel):
    """Through what orders are mailed from now on; null: they are not.

    `chosen` is what somebody has chosen, null where it is what the environment says.
    """

    destination: str | None
    chosen: str | None
    changed_by: str | None
    changed_at: datetime | None


@router.get("")
async def get_order_destination(at: AtDesk, mails: Mails) -> OrderDestination:
    """Return through which destination orders are mailed."""
    return await _in_force(at, mails)


@router.put("")
async def put_order_destination(
    at: AtDesk, mails: Mails, body: OrderDestinationBody, request: Request, editor: Editor
) -> OrderDestination:
    """Choose through which destination orders are mailed; what was mailed before stays where it is.

    The notifier says of each mail whether there is such a destination: `no_destination`.
    """
    doer = doer_of(request, editor, at)

    async def put(connection: Connection) -> None:
        await order_destination.begin_edit(connection)
        before = await order_destination.choice(connection)
        if before.destination == body.destination:
            return
        await order_destination.choose(connection, body.destination, doer.actor, doer.at)
        done = Done(
            What.ORDER_DESTINATION_PUT,
            "orders",
            {"destination": before.destination},
            {"destination": body.destination},
        )
        await audit.add(connection, doer, done)

    await at.change(put)
    return await _in_force(at, mails)


async def _in_force(at: Desk, mails: OrderMails) -> OrderDestination:
    async def ask(connection: Connection) -> OrderDestination:
        choice = await order_destination.choice(connection)
        return OrderDestination(
            destination=await mails.destination(connection),
            chosen=choice.destination,
            changed_by=choice.changed_by,
            changed_at=choice.changed_at,
        )

    return await at.ask(ask)
