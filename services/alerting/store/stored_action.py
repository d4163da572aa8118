"""An action as it stands in the tables, and what is said of it elsewhere."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from shared.events.stock_alerts import Action, ActionKind, ActionState, OrderLine


@dataclass(frozen=True, slots=True)
class StoredAction:
    """An action as it stands; `reason` is the last that was said to it."""

    id: UUID
    number: int
    alert_id: UUID
    kind: ActionKind
    state: ActionState
    sku: str
    sku_name: str | None
    warehouse: str
    quantity: int | None
    confirmed_quantity: int | None
    source: str | None
    supplier: str | None
    unit_cost: Decimal | None
    order_id: UUID | None
    line: int | None
    reference: str | None
    told: int
    due_at: datetime | None
    late_at: datetime | None
    is_late: bool
    is_incoming: bool
    needs_approval: bool
    requested_by: str
    requested_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    ordered_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    asked: str | None = None
    idempotency_key: str | None = None
    order_number: int | None = None
    owner: str | None = None
    """Of its alert, as it stands."""

    @property
    def expected(self) -> int:
        """Units that are to come."""
        return (self.quantity if self.confirmed_quantity is None else self.confirmed_quantity) or 0

    @property
    def cost(self) -> Decimal | None:
        """What it costs; None where nobody knows."""
        return None if self.unit_cost is None else self.unit_cost * self.expected


def notice_of(action: StoredAction) -> Action:
    """Return what a notice says of an action."""
    order = None
    if action.order_id is not None and action.order_number is not None:
        order = OrderLine(
            id=action.order_id,
            number=action.order_number,
            reference=action.reference or reference_of(action.order_number),
            line=str(action.line),
            supplier=action.supplier,
            lines=f"/v1/orders/{action.order_id}",
        )
    return Action(
        id=action.id,
        kind=action.kind,
        state=action.state,
        quantity=None if action.quantity is None else action.expected,
        due_at=action.due_at,
        reason=action.reason,
        source=action.source,
        order=order,
    )


def reference_of(order_number: int) -> str:
    """Return what a purchase order is called at the supplier's, at ingest and on receipts."""
    return f"LT-{order_number}"
