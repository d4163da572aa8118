"""What is spent on a shortage altogether: that is what limits are held against."""

from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.store import approval_limits
from services.alerting.store.stored_action import StoredAction
from shared.events.stock_alerts import Recipient

# What has arrived belongs to the shortage that it was bought for, as long as that goes on.
_BESIDES = text("""
SELECT coalesce(sum(t.unit_cost * coalesce(t.confirmed_quantity, t.quantity)), 0) AS cost,
       bool_or(t.unit_cost IS NULL) AS is_unknown
FROM action AS t JOIN alert AS a ON a.id = t.alert_id
WHERE t.kind = 'buy' AND t.id <> :id AND t.sku = :sku AND t.warehouse = :warehouse
  AND (t.state IN ('approved', 'ordered') OR t.state = 'received' AND a.resolved_at IS NULL)
""")


async def altogether(connection: AsyncConnection, action: StoredAction) -> Decimal | None:
    """Return what a purchase costs with all others for the same shortage; None: nobody knows.

    Those of the same SKU in the same warehouse that are approved or ordered, or have arrived while
    their alert goes on. What is only asked for is not bought.
    """
    values = {"id": action.id, "sku": action.sku, "warehouse": action.warehouse}
    others = (await connection.execute(_BESIDES, values)).one()
    return None if others.is_unknown or action.cost is None else action.cost + others.cost


async def needs_approval(
    connection: AsyncConnection, action: StoredAction, category: str | None, person: str
) -> bool:
    """Return whether a person's limit does not cover a purchase with all others beside it."""
    limits = await approval_limits.limits(connection)
    roles = await approval_limits.roles(
        connection, person, category, action.warehouse, action.supplier
    )
    return limits.need_approval(await altogether(connection, action), person, roles)


async def approvers(
    connection: AsyncConnection, action: StoredAction, category: str | None
) -> tuple[Recipient, ...]:
    """Return who may approve a purchase, by id; nobody who has asked for it."""
    return await approval_limits.approvers(
        connection,
        await altogether(connection, action),
        category,
        action.warehouse,
        action.supplier,
        but=action.requested_by,
    )
