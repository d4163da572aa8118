"""Purchase orders: approved purchases are collected by supplier until they leave together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain import supply
from services.alerting.domain.actions import Step, late_at
from services.alerting.domain.suppliers import is_due
from services.alerting.domain.supply import SupplyLine
from services.alerting.store import action_rows, calls, parameters, suppliers
from services.alerting.store.action_rows import Change
from services.alerting.store.acts import By
from services.alerting.store.audit import What
from services.alerting.store.stored_action import StoredAction, reference_of
from shared.database import audit
from shared.database.audit import Done
from shared.errors import LowtideError
from shared.events.stock_alerts import ActionKind, ActionState

MAX_LINES = 500
"""Of an order. The supplier's form sends two fields a line, and its mail carries the sheet; the
rest goes into the next order."""


class Empty(LowtideError):  # noqa: N818 - a state, not a mistake
    """The order has no lines, so there is nothing to order."""


class Changed(LowtideError):  # noqa: N818 - a state, not a mistake
    """The order has other lines than whoever places it has seen."""


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """A purchase order; open until it is placed. Its lines are actions.

    `link_opened_at` is when somebody who has the supplier's link last did something on its page.
    """

    id: UUID
    number: int
    supplier: str | None
    opened_at: datetime
    placed_at: datetime | None
    placed_by: str | None
    confirmed_at: datetime | None
    link_opened_at: datetime | None


_COLUMNS = "id, number, supplier, opened_at, placed_at, placed_by, confirmed_at, link_opened_at"

_SELECT = f"SELECT {_COLUMNS} FROM purchase_order"  # noqa: S608 - the columns are ours

_ONE = text(f"{_SELECT} WHERE id = :id")

_OPEN_OF = text(f"{_SELECT} WHERE supplier = :supplier AND placed_at IS NULL AND NOT is_full")

_FULL = text("UPDATE purchase_order SET is_full = true WHERE id = :id")

_OPEN = text(f"{_SELECT} WHERE placed_at IS NULL ORDER BY number")

_ADD = text(f"""
INSERT INTO purchase_order (id, number, supplier, opened_at, placed_at, placed_by)
VALUES (:id, nextval('purchase_order_number'), :supplier, :now, :placed_at, :placed_by)
RETURNING {_COLUMNS}
""")  # noqa: S608 - the columns are ours

_NEXT_LINE = text("SELECT coalesce(max(line), 0) + 1 FROM action WHERE order_id = :order_id")

_PLACED = text("UPDATE purchase_order SET placed_at = :now, placed_by = :by WHERE id = :id")

_DROP_EMPTY = text("""
DELETE FROM purchase_order AS o
WHERE placed_at IS NULL AND NOT EXISTS (SELECT FROM action WHERE order_id = o.id)
""")


async def one(connection: AsyncConnection, order_id: UUID) -> StoredOrder | None:
    """Return an order."""
    row = (await connection.execute(_ONE, {"id": order_id})).mappings().one_or_none()
    return None if row is None else _order(row)


async def page(
    connection: AsyncConnection,
    *,
    is_open: bool | None,
    supplier: str | None,
    before: int | None,
    limit: int,
) -> list[StoredOrder]:
    """Return orders, the newest first, with a number under `before`."""
    terms, values = ["TRUE"], dict[str, object]()
    if is_open is not None:
        terms.append(f"placed_at IS {'' if is_open else 'NOT'} NULL")
    if supplier is not None:
        terms.append("supplier = :supplier")
        values["supplier"] = supplier
    if before is not None:
        terms.append("number < :before")
        values["before"] = before
    statement = text(f"{_SELECT} WHERE {' AND '.join(terms)} ORDER BY number DESC LIMIT :limit")
    rows = await connection.execute(statement, values | {"limit": limit})
    return [_order(row) for row in rows.mappings()]


async def collect(connection: AsyncConnection, action: StoredAction, now: datetime) -> StoredAction:
    """Return an approved purchase as a line of its supplier's open order, which may be new.

    One that is full waits beside it until it leaves. Without a supplier there is nobody to collect
    for: it waits until somebody orders it.
    """
    if action.kind is not ActionKind.BUY or action.supplier is None:
        return action
    row = (await connection.execute(_OPEN_OF, {"supplier": action.supplier})).mappings()
    found = row.one_or_none()
    order = await _add(connection, action.supplier, now) if found is None else _order(found)
    line = await _as_line(connection, action, order)
    if line.line is not None and line.line >= MAX_LINES:
        await connection.execute(_FULL, {"id": order.id})
    return line


async def order_alone(
    connection: AsyncConnection, action: StoredAction, by: By, reference: str | None = None
) -> StoredAction:
    """Return an action as ordered by itself: a purchase as an order of one line.

    `reference` is what others call it. A transfer has no order: the warehouses tell ingest of it.
    """
    if action.kind is ActionKind.TRANSFER:
        moved = await _ordered(connection, action, by.at)
        return replace(moved, reference=reference or f"LT-T{action.number}")
    order = await _add(connection, action.supplier, by.at, placed_by=by)
    return await _ordered(connection, await _as_line(connection, action, order), by.at)


async def place(
    connection: AsyncConnection, order_id: UUID, by: By, seen: Collection[UUID] | None = None
) -> StoredOrder | None:
    """Place an order with all its lines; one that is placed stays as it is.

    `seen` are the lines that whoever places it knows of, if they say so. Returns None for an order
    that is not there. Raises Empty, Changed.
    """
    await action_rows.take_turn(connection)
    order = await one(connection, order_id)
    if order is None or order.placed_at is not None:
        return order
    lines = await action_rows.of_order(connection, order_id)
    if not lines:
        raise Empty(f"Order {reference_of(order.number)} has no lines any more.")
    if seen is not None and set(seen) != {line.id for line in lines}:
        raise Changed(f"Order {reference_of(order.number)} has other lines now; look at it again.")
    episodes = await action_rows.locked_episodes(connection, lines)
    await connection.execute(_PLACED, {"id": order_id, "now": by.at, "by": by.actor})
    if by.actor is not None:
        after = {"supplier": order.supplier, "lines": len(lines), "money": money(lines)}
        done = Done(What.ORDER_PLACED, str(order_id), None, after)
        await audit.add(connection, by.audited, done)
    changes = [
        Change(
            episodes[line.alert_id],
            await _ordered(connection, line, by.at),
            Step.ORDER,
            by.note,
        )
        for line in lines
    ]
    await action_rows.write(connection, changes, by)
    for change in changes:
        await tell(connection, change.action, by.at)
    return await one(connection, order_id)


async def due(connection: AsyncConnection, now: datetime) -> list[UUID]:
    """Return the open orders that are to leave by themselves."""
    found = [_order(row) for row in (await connection.execute(_OPEN)).mappings()]
    lines = await action_rows.of_orders(connection, [each.id for each in found])
    known = await suppliers.some(connection, {each.supplier for each in found})
    return [
        each.id
        for each in found
        if lines[each.id]
        and is_due(known.get(each.supplier or ""), each.opened_at, money(lines[each.id]), now)
    ]


async def drop_empty(connection: AsyncConnection) -> None:
    """Forget open orders whose lines were all taken out."""
    await connection.execute(_DROP_EMPTY)


async def tell(connection: AsyncConnection, action: StoredAction, at: datetime) -> None:
    """Have ingest told how a purchase stands, once this transaction is durable."""
    if action.kind is not ActionKind.BUY or action.reference is None:
        return
    is_over = action.state is not ActionState.ORDERED
    line = SupplyLine(
        action=action.id,
        version=action.told,
        reference=action.reference,
        line=action.line or 1,
        sku=action.sku,
        warehouse=action.warehouse,
        quantity=0 if is_over else action.expected,
        due_at=action.due_at,
    )
    await calls.add(connection, action.id, supply.PATH, [supply.event(line, at)], at)


def money(lines: Sequence[StoredAction]) -> Decimal | None:
    """Return what lines cost, as far as their costs are known; None where none is.

    What was cancelled costs nothing.
    """
    known = [line.cost for line in wanted(lines) if line.cost is not None]
    return sum(known, Decimal(0)) if known else None


def without_cost(lines: Sequence[StoredAction]) -> list[StoredAction]:
    """Return the lines of which nobody knows what they cost."""
    return [line for line in wanted(lines) if line.cost is None]


def wanted(lines: Sequence[StoredAction]) -> list[StoredAction]:
    """Return the lines that are still to come, or have come."""
    return [line for line in lines if line.state is not ActionState.CANCELLED]


async def _add(
    connection: AsyncConnection, supplier: str | None, now: datetime, placed_by: By | None = None
) -> StoredOrder:
    values = {
        "id": uuid4(),
        "supplier": supplier,
        "now": now,
        "placed_at": None if placed_by is None else placed_by.at,
        "placed_by": None if placed_by is None else placed_by.actor,
    }
    return _order((await connection.execute(_ADD, values)).mappings().one())


async def _as_line(
    connection: AsyncConnection, action: StoredAction, order: StoredOrder
) -> StoredAction:
    line = (await connection.execute(_NEXT_LINE, {"order_id": order.id})).scalar_one()
    return replace(action, order_id=order.id, order_number=order.number, line=line)


async def _ordered(connection: AsyncConnection, action: StoredAction, at: datetime) -> StoredAction:
    due_at = action.due_at
    if due_at is None and action.kind is ActionKind.BUY:
        given = await parameters.of_level(connection, action.sku, action.warehouse)
        if given.lead_time_days is not None:
            due_at = at + timedelta(days=given.lead_time_days)
    number = action.order_number
    return replace(
        action,
        state=ActionState.ORDERED,
        ordered_at=at,
        due_at=due_at,
        late_at=late_at(due_at, at),
        is_late=False,
        told=action.told + 1,
        reference=action.reference if number is None else reference_of(number),
    )


def _order(row: RowMapping) -> StoredOrder:
    return StoredOrder(**row)
