"""`/v1/orders`: purchases collected by supplier, placed together, and confirmed by the supplier."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from services.alerting.api.acting import Actor
from services.alerting.api.actions import answered, by_of
from services.alerting.api.desk import AtDesk, Desk, IdempotencyKey, id_of_made, key_reused
from services.alerting.api.order_bodies import (
    Order,
    OrderLine,
    OrderMail,
    OrderWithLines,
    Placing,
)
from services.alerting.api.ordering import Mails
from services.alerting.api.proposals import daily_means
from services.alerting.domain.parameters import Parameters
from services.alerting.domain.subject import LevelSubject
from services.alerting.domain.suppliers import Supplier
from services.alerting.ordering.mails import OrderMails
from services.alerting.ordering.sheet import MEDIA_TYPE, sheet
from services.alerting.store import (
    action_rows,
    confirming,
    memory,
    order_mails,
    orders,
    parameters,
    suppliers,
)
from services.alerting.store.orders import Changed, Empty, StoredOrder
from services.alerting.store.stored_action import StoredAction, reference_of
from shared.database.engine import Connection
from shared.events.base import Code
from shared.http.auth import Caller, Scope, require
from shared.http.pages import Cursor, Limit, Page, page_of, under_number
from shared.http.problems import Problem, not_found

router = APIRouter(prefix="/v1/orders", tags=["actions"])

Reader = Annotated[Caller, Depends(require(Scope.ALERTS_READ))]


@router.get("")
async def list_orders(
    at: AtDesk,
    _: Reader,
    state: Literal["open", "placed"] | None = None,
    supplier: Code | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Order]:
    """Return orders, the newest first; `placed` has those that are confirmed as well."""
    before = under_number(cursor)
    is_open = None if state is None else state == "open"

    async def listed(connection: Connection) -> list[Order]:
        found = await orders.page(
            connection, is_open=is_open, supplier=supplier, before=before, limit=limit
        )
        lines = await action_rows.of_orders(connection, [each.id for each in found])
        known = await suppliers.some(connection, {each.supplier for each in found})
        return [Order.of(each, lines[each.id], known.get(each.supplier or "")) for each in found]

    return page_of(await at.ask(listed), limit, lambda each: [each.number], lambda each: each)


@router.get(
    "/{order_id}.xlsx",
    response_class=Response,
    responses={
        HTTPStatus.OK.value: {
            "description": "The order as a sheet",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def get_sheet(order_id: UUID, at: AtDesk, _: Reader) -> Response:
    """Return an order as a sheet in the supplier's language."""

    async def asked(
        connection: Connection,
    ) -> tuple[StoredOrder, list[StoredAction], Supplier | None]:
        found = await _found(connection, order_id)
        lines = await action_rows.of_order(connection, order_id)
        return found, lines, await _supplier(connection, found)

    found, lines, supplier = await at.ask(asked)
    content = await asyncio.to_thread(sheet, found, lines, supplier)
    name = f'attachment; filename="{reference_of(found.number)}.xlsx"'
    return Response(content, media_type=MEDIA_TYPE, headers={"Content-Disposition": name})


@router.get("/{order_id}")
async def get_order(order_id: UUID, at: AtDesk, caller: Reader, mails: Mails) -> OrderWithLines:
    """Return an order with its lines."""
    return await _with_lines(at, order_id, mails, has_link=caller.may(Scope.ALERTS_WRITE))


@router.post("/{order_id}/place")
async def place(
    order_id: UUID,
    request: Request,
    at: AtDesk,
    caller: Actor,
    _: Reader,
    mails: Mails,
    body: Placing | None = None,
) -> OrderWithLines:
    """Order what is collected: send the supplier the sheet, or the link, of the answer.

    With `by_mail` both are mailed to the supplier. Ingest is told of each line as supply that is
    expected. Doing it again changes nothing.
    """
    by = by_of(at, request, caller, body)
    seen = None if body is None else body.lines
    try:
        await at.change(lambda connection: mails.place(connection, order_id, by, seen))
    except Empty as error:
        raise Problem(HTTPStatus.CONFLICT, "empty_order", str(error)) from error
    except Changed as error:
        raise Problem(HTTPStatus.CONFLICT, "order_changed", str(error)) from error
    return await _with_lines(at, order_id, mails)


@router.post("/{order_id}/mails", status_code=HTTPStatus.ACCEPTED)
async def mail(
    order_id: UUID,
    request: Request,
    at: AtDesk,
    caller: Actor,
    _: Reader,
    mails: Mails,
    idempotency_key: IdempotencyKey = None,
) -> OrderWithLines:
    """Have a placed order mailed to its supplier, once more or for the first time.

    With the sheet as it is now and a new link. The same Idempotency-Key sends one mail only. 409
    `not_placed`, or `no_mail` where the supplier cannot be reached.
    """
    by = by_of(at, request, caller, None)
    mail_id = id_of_made("order_mail", caller, idempotency_key)

    async def send(connection: Connection) -> None:
        order = await _found(connection, order_id)
        if order.placed_at is None:
            raise Problem(
                HTTPStatus.CONFLICT, "not_placed", "Place the order first; that mails it as well."
            )
        found = await mails.send(connection, order, mail_id, by)
        if found is None:
            raise Problem(
                HTTPStatus.CONFLICT,
                "no_mail",
                "It cannot be mailed: the supplier needs an email (PUT /v1/suppliers/…), and "
                "alerting a destination for orders (PUT /v1/order-destination).",
            )
        if found.order_id != order_id:
            raise key_reused("mail")

    await at.change(send)
    return await _with_lines(at, order_id, mails)


async def _with_lines(
    at: Desk, order_id: UUID, mails: OrderMails, *, has_link: bool = True
) -> OrderWithLines:
    async def ask(connection: Connection) -> OrderWithLines:
        found = await _found(connection, order_id)
        lines = await action_rows.of_order(connection, order_id)
        last = await _days_covered(at, connection, lines)
        given = await _parameters(connection, lines)
        asked = await confirming.asked_for(connection, lines)
        items = [
            OrderLine(
                **each.model_dump(),
                days_covered=last[each.id],
                moq=given[each.id].moq,
                pack_multiple=given[each.id].pack_multiple,
                asked_due_at=asked.get(each.id),
            )
            for each in await answered(connection, lines)
        ]
        link = None
        if has_link and found.placed_at is not None:
            link = mails.link(order_id, at.clock.now())
        known = [days for days in last.values() if days is not None]
        supplier = await _supplier(connection, found)
        mailed = await order_mails.of_order(connection, order_id)
        return OrderWithLines(
            **Order.of(found, lines, supplier).model_dump(),
            items=items,
            days_covered=min(known, default=None),
            by_mail=await mails.can_reach(connection, supplier),
            mails=[OrderMail.model_validate(each, from_attributes=True) for each in mailed],
            link=link,
        )

    return await at.ask(ask)


async def _days_covered(
    at: Desk, connection: Connection, lines: list[StoredAction]
) -> dict[UUID, float | None]:
    means = daily_means(at, await memory.of_skus(connection, {line.sku for line in lines}))
    found = {}
    for line in lines:
        mean = means.get(LevelSubject(line.sku, line.warehouse))
        found[line.id] = round(line.expected / mean, 1) if mean else None
    return found


async def _parameters(connection: Connection, lines: list[StoredAction]) -> dict[UUID, Parameters]:
    given = await parameters.of_levels(connection, {(line.sku, line.warehouse) for line in lines})
    return {line.id: given[line.sku, line.warehouse] for line in lines}


async def _supplier(connection: Connection, order: StoredOrder) -> Supplier | None:
    return None if order.supplier is None else await suppliers.one(connection, order.supplier)


async def _found(connection: Connection, order_id: UUID) -> StoredOrder:
    found = await orders.one(connection, order_id)
    if found is None:
        raise not_found(f"order {order_id}")
    return found
